#!/usr/bin/env bash
# Sets up what Offhook needs in Microsoft Entra ID: everything that is not an Azure resource.
#
# Prints each step first, and changes something only with --apply. Safe to repeat: it leaves alone
# whatever is already in place. `azd up` runs `register` and `trust` automatically; `consent` and `roles`
# are for an administrator, on any machine with the Azure CLI (the Cloud Shell in the portal has it).
#
#   infra/grant.sh [--apply] STEP...
#
#   register  app registration with its scope for Teams            a user who may register applications
#   trust     federated credentials instead of a client secret     an owner of the registration
#   consent   admin consent: basic and reading, the default        Privileged Role Administrator
#   basic     only: who may request and approve; that accounts exist, are enabled, and licensed
#   reading   only: everything else that is checked before a sign-in, or seen after it
#   mending   only: says what it takes to change accounts, which is no further permission
#   roles     Entra roles, only with OFFHOOK_RUN_AS=app            Privileged Role Administrator
#   next      prints who has to do what next
#
# Reads from the environment, or else from azd: AZURE_ENV_NAME, AZURE_TENANT_ID, OFFHOOK_APP_ID,
# OFFHOOK_ACCOUNTS, OFFHOOK_APP_TYPE, OFFHOOK_RUN_AS, OFFHOOK_STEP_UP, DEPLOY_IDENTITY_PRINCIPAL_ID,
# DEPLOY_SUBJECT. Azure public cloud only.
set -euo pipefail

graph=https://graph.microsoft.com/v1.0
graph_app=00000003-0000-0000-c000-000000000000
config_api_app=48ac35b8-9aa8-4d74-927d-1f4a14a0b239 # Skype and Teams Tenant Admin API
teams_clients=(1fec8e78-bce4-4aaf-ab1b-5451cc387264 5e3ce6c0-2b1f-4285-8d4b-75ee78787346) # desktop and mobile, web
# https://learn.microsoft.com/graph/permissions-reference
graph_user_read=e1fe6dd8-ba31-4d61-89e7-88639da4683d
graph_user_read_all=df021288-bdef-4463-88db-98f22de89214
graph_group_member_read_all=98830695-27a2-44f7-8c18-0c3ebc9698f6
graph_teams_user_configuration_read_all=a91eadaf-2c3c-4362-908b-fb172d208fc6
graph_policy_read_all=246dd0d5-5bd0-4def-940b-0421030a5b68
graph_role_management_read_directory=483bed4a-2ad3-4361-a73b-c83ccdbdc53c
graph_audit_log_read_all=b0afded3-3588-46d8-8b3d-9842eff778da
graph_application_read_all=9a5d68dd-52b0-4cc2-bd40-abcf44ac3a30
graph_administrative_unit_read_all=134fd756-38ce-4afd-ba33-e9623dbe66c2
graph_authentication_context_read_all=381f742f-e1f8-4309-b4ab-e3d91ae4c5c1
config_api_user_impersonation=e60370c1-e451-437e-aa6e-d76df38e5f15
# https://learn.microsoft.com/entra/identity/role-based-access-control/permissions-reference
teams_administrator=69091246-20e8-4a56-aa4d-066075b2a7a8
authentication_administrator=c4e39bd9-1100-46d3-8c65-fb160da0071f
# The scope that Teams requests when it signs an approver in. The ID is arbitrary but unique within the
# registration.
scope=6f5f0f0e-6c1b-4c1e-9c63-0a1d4f8b2e71
# The ID of the Azure Bot's token service, as encoded in the subject of its tokens:
# https://learn.microsoft.com/azure/bot-service/bot-builder-authentication-federated-credential
token_service=9ExAW52n_ky4ZiS_jhpJIQ

apply=false
number=0

main() {
    local steps=() word
    for word in "$@"; do
        case $word in
            --apply) apply=true ;;
            --dry-run) apply=false ;;
            register | trust | consent | basic | reading | mending | roles | next) steps+=("$word") ;;
            *) usage ;;
        esac
    done
    ((${#steps[@]})) || usage
    command -v az >/dev/null || fail "The Azure CLI is missing: https://aka.ms/azure-cli, or use the Cloud Shell."
    read_azd
    $apply || echo "Nothing is changed. Use --apply to run what is printed."
    for word in "${steps[@]}"; do "$word"; done
}

usage() {
    sed -n '2,/^set -euo/{/^#/s/^# \{0,1\}//p}' "$0" >&2
    exit 2
}

fail() {
    echo "$1" >&2
    exit 1
}

read_azd() {
    if [[ -z ${OFFHOOK_APP_ID:-} ]] && command -v azd >/dev/null; then
        # azd writes these as names with quoted values.
        eval "$(azd env get-values 2>/dev/null | grep -E '^(AZURE|DEPLOY|OFFHOOK)_[A-Z_]+="' || true)"
    fi
}

need() {
    [[ -n ${!1:-} ]] || fail "$1 is not set. $2"
}

# say WHAT: print the heading of a step.
say() {
    number=$((number + 1))
    printf '\n%d. %s\n' "$number" "$1"
}

# act WORD...: print a command, and run it if --apply was given.
act() {
    printf '   $'
    printf ' %q' "$@"
    printf '\n'
    if $apply; then "$@" --output none; fi
}

# ask PATH QUERY: read one value from Graph; prints nothing if there is none.
ask() {
    az rest --method GET --url "$graph/$1" --query "$2" --output tsv 2>/dev/null || true
}

# put PATH BODY: create or update an object under a client-chosen key.
put() {
    act az rest --method PATCH --url "$graph/$1" --headers Content-Type=application/json Prefer=create-if-missing --body "$2"
}

post() {
    act az rest --method POST --url "$graph/$1" --headers Content-Type=application/json --body "$2"
}

register() {
    need AZURE_ENV_NAME "Give the installation a name: azd env new, or AZURE_ENV_NAME=…"
    local key="applications(uniqueName='offhook-$AZURE_ENV_NAME')" id
    say "Register the application 'Offhook ($AZURE_ENV_NAME)', for this tenant only, with the scope access_as_user."
    put "$key" "$(printf '{
        "displayName": "Offhook (%s)",
        "signInAudience": "AzureADMyOrg",
        "web": {"redirectUris": ["https://token.botframework.com/.auth/web/redirect"]},
        "api": {"requestedAccessTokenVersion": 2, "oauth2PermissionScopes": [{
            "id": "%s", "value": "access_as_user", "type": "User", "isEnabled": true,
            "adminConsentDisplayName": "Sign in phones as you",
            "adminConsentDescription": "Lets Offhook sign in phones with the permissions of the approver, after an approval.",
            "userConsentDisplayName": "Sign in phones as you",
            "userConsentDescription": "Lets Offhook sign in phones with your permissions, after you approve."}]},
        "requiredResourceAccess": [
            {"resourceAppId": "%s", "resourceAccess": [{"id": "%s", "type": "Scope"}]},
            {"resourceAppId": "%s", "resourceAccess": [
                {"id": "%s", "type": "Scope"}, {"id": "%s", "type": "Role"}, {"id": "%s", "type": "Role"},
                {"id": "%s", "type": "Role"}, {"id": "%s", "type": "Role"}, {"id": "%s", "type": "Role"},
                {"id": "%s", "type": "Role"}, {"id": "%s", "type": "Role"}]}]}' \
        "$AZURE_ENV_NAME" "$scope" "$config_api_app" "$config_api_user_impersonation" \
        "$graph_app" "$graph_user_read" "$graph_user_read_all" "$graph_group_member_read_all" \
        "$graph_teams_user_configuration_read_all" "$graph_policy_read_all" "$graph_role_management_read_directory" \
        "$graph_audit_log_read_all" "$graph_application_read_all" | squeeze)"
    id=$(ask "$key?\$select=appId" appId)
    if $apply; then [[ -n $id ]] || fail "The registration was created but cannot be read yet. Run this again in a minute."; fi
    id=${id:-APP-ID}

    say "Set the identifier URI that Teams expects, and preauthorize the Teams clients for the scope."
    put "applications(appId='$id')" "$(printf '{
        "identifierUris": ["api://botid-%s"],
        "api": {"preAuthorizedApplications": [
            {"appId": "%s", "delegatedPermissionIds": ["%s"]}, {"appId": "%s", "delegatedPermissionIds": ["%s"]}]}}' \
        "$id" "${teams_clients[0]}" "$scope" "${teams_clients[1]}" "$scope" | squeeze)"

    say "Create the application's service principal in the tenant."
    put "servicePrincipals(appId='$id')" '{"tags": ["WindowsAzureActiveDirectoryIntegratedApp"]}'

    OFFHOOK_APP_ID=$id
    if $apply && command -v azd >/dev/null; then azd env set OFFHOOK_APP_ID "$id"; fi
    printf '\nOFFHOOK_APP_ID=%s\n' "$id"
}

trust() {
    need OFFHOOK_APP_ID "Run register first."
    need AZURE_TENANT_ID "Use the tenant of the subscription: az account show --query tenantId"
    need DEPLOY_IDENTITY_PRINCIPAL_ID "azd provision creates the managed identity."
    local key="applications(appId='$OFFHOOK_APP_ID')/federatedIdentityCredentials"
    say "Let Offhook's managed identity authenticate as the application, so that no client secret is needed."
    put "$key(name='managed-identity')" "$(credential "$DEPLOY_IDENTITY_PRINCIPAL_ID")"
    if [[ -n ${DEPLOY_SUBJECT:-} ]]; then
        say "Let the Azure Bot's token service exchange approvers' tokens for the application."
        put "$key(name='bot-token-service')" \
            "$(credential "/eid1/c/pub/t/$(encoded "$AZURE_TENANT_ID")/a/$token_service/$DEPLOY_SUBJECT")"
    fi
}

credential() {
    printf '{"issuer": "https://login.microsoftonline.com/%s/v2.0", "subject": "%s", "audiences": ["api://AzureADTokenExchange"]}' \
        "$AZURE_TENANT_ID" "$1"
}

consent() {
    basic
    reading
}

basic() {
    need OFFHOOK_APP_ID "Run register first, or say which application."
    local app config_api graph_api
    app=$(principal "$OFFHOOK_APP_ID" "The application")
    graph_api=$(principal "$graph_app" "Microsoft Graph")
    tier "Basic" "who may request and approve, and which accounts exist, are enabled and licensed, or are guests'."
    if [[ ${OFFHOOK_APP_TYPE:-SingleTenant} == SingleTenant ]]; then
        say "Create the service principal of Microsoft's Skype and Teams Tenant Admin API in the tenant."
        if [[ -n $(ask "servicePrincipals(appId='$config_api_app')?\$select=id" id) ]]; then
            echo "   It is so already."
        else
            post servicePrincipals "{\"appId\": \"$config_api_app\"}"
        fi
        config_api=$(principal "$config_api_app" "The Teams API")
        delegate "$app" "$config_api" user_impersonation "Teams administration, with the approver's permissions and no more"
        delegate "$app" "$graph_api" User.Read "Microsoft Graph: reads who signed in"
    fi
    permit "$app" "$graph_api" "$graph_user_read_all" "User.Read.All: names of requesters, approvers, and stand-ins, which of them are guests, and which accounts exist"
    permit "$app" "$graph_api" "$graph_group_member_read_all" "GroupMember.Read.All: membership in the groups of requesters, approvers, the escalation, and a policy"
}

reading() {
    need OFFHOOK_APP_ID "Run register first, or say which application."
    local app graph_api
    app=$(principal "$OFFHOOK_APP_ID" "The application")
    graph_api=$(principal "$graph_app" "Microsoft Graph")
    tier "Reading" "what would fail is left out before a password is reset, and administrators' accounts are kept out. Nothing is changed with these."
    permit "$app" "$graph_api" "$graph_teams_user_configuration_read_all" "TeamsUserConfiguration.Read.All: phone numbers, policies, resource accounts"
    permit "$app" "$graph_api" "$graph_policy_read_all" "Policy.Read.All: per-user MFA, Conditional Access, security defaults"
    permit "$app" "$graph_api" "$graph_role_management_read_directory" "RoleManagement.Read.Directory: which accounts are administrators'"
    permit "$app" "$graph_api" "$graph_audit_log_read_all" "AuditLog.Read.All: which accounts people sign in with, and which phones the sign-in log shows (needs Entra ID P1)"
    permit "$app" "$graph_api" "$graph_application_read_all" "Application.Read.All: whether Conditional Access can exclude the SIP Gateway's applications"
    if allows_units; then
        permit "$app" "$graph_api" "$graph_administrative_unit_read_all" "AdministrativeUnit.Read.All: which accounts are in the administrative units of OFFHOOK_ACCOUNTS"
    fi
    if [[ -n ${OFFHOOK_STEP_UP:-} ]]; then
        permit "$app" "$graph_api" "$graph_authentication_context_read_all" "AuthenticationContext.Read.All: whether the tenant has the authentication context of OFFHOOK_STEP_UP"
    fi
}

mending() {
    tier "Mending" "accounts that would fail can be given the right policies, after an approval."
    printf 'It needs no further permission: changes are made with the permissions of the approver, through\n'
    printf 'user_impersonation (in basic), and the approver needs the Entra role Teams Administrator.\n'
}

# allows_units: whether OFFHOOK_ACCOUNTS names an administrative unit.
allows_units() {
    local entry
    for entry in $(tr -c "[:alnum:]-" " " <<<"${OFFHOOK_ACCOUNTS:-}"); do
        if [[ $entry =~ ^[0-9a-fA-F-]{36}$ && -n $(ask "directory/administrativeUnits/$entry?\$select=id" id) ]]; then
            return 0
        fi
    done
    return 1
}

# tier NAME GAIN
tier() {
    printf '\n%s permissions: %s\n' "$1" "$2"
}

# principal APP-ID NAME: print the object ID of its service principal. With --apply, fails if there is none;
# otherwise prints a placeholder.
principal() {
    local id
    id=$(ask "servicePrincipals(appId='$1')?\$select=id" id)
    if $apply; then [[ -n $id ]] || fail "$2 is not in this tenant, or you may not read it."; fi
    echo "${id:-ID-OF-${2// /-}}"
}

# delegate CLIENT API SCOPE WHY
delegate() {
    local filter="clientId%20eq%20'$1'%20and%20resourceId%20eq%20'$2'%20and%20consentType%20eq%20'AllPrincipals'"
    local id scopes
    say "Consent for all users: $4."
    id=$(ask "oauth2PermissionGrants?\$filter=$filter" "value[0].id")
    scopes=$(ask "oauth2PermissionGrants?\$filter=$filter" "value[0].scope")
    if [[ " $scopes " == *" $3 "* ]]; then
        echo "   It is so already."
    elif [[ -n $id ]]; then
        act az rest --method PATCH --url "$graph/oauth2PermissionGrants/$id" --headers Content-Type=application/json \
            --body "{\"scope\": \"$scopes $3\"}"
    else
        post oauth2PermissionGrants \
            "{\"clientId\": \"$1\", \"consentType\": \"AllPrincipals\", \"resourceId\": \"$2\", \"scope\": \"$3\"}"
    fi
}

# permit PRINCIPAL API ROLE WHAT
permit() {
    say "Grant the application $4."
    if [[ -n $(ask "servicePrincipals/$1/appRoleAssignments" "value[?appRoleId=='$3'].id") ]]; then
        echo "   It is so already."
    else
        post "servicePrincipals/$1/appRoleAssignments" \
            "{\"principalId\": \"$1\", \"resourceId\": \"$2\", \"appRoleId\": \"$3\"}"
    fi
}

roles() {
    need OFFHOOK_APP_ID "Run register first, or say which application."
    if [[ ${OFFHOOK_RUN_AS:-approver} != app ]]; then
        printf '\nThe application needs no role: sign-ins run with the permissions of the approver, who needs\n'
        printf 'Teams Administrator and Authentication Administrator. Consider Privileged Identity Management.\n'
        return
    fi
    local app
    app=$(principal "$OFFHOOK_APP_ID" "The application")
    assign "$app" "$teams_administrator" "Teams Administrator"
    assign "$app" "$authentication_administrator" "Authentication Administrator, which can reset passwords"
}

# assign PRINCIPAL ROLE NAME
assign() {
    local filter="principalId%20eq%20'$1'%20and%20roleDefinitionId%20eq%20'$2'"
    say "Give the application a standing role: $3."
    if [[ -n $(ask "roleManagement/directory/roleAssignments?\$filter=$filter" "value[].id") ]]; then
        echo "   It is so already."
    else
        post roleManagement/directory/roleAssignments \
            "{\"principalId\": \"$1\", \"roleDefinitionId\": \"$2\", \"directoryScopeId\": \"/\"}"
    fi
}

next() {
    need OFFHOOK_APP_ID "Run register first."
    local given="OFFHOOK_APP_ID=$OFFHOOK_APP_ID OFFHOOK_APP_TYPE=${OFFHOOK_APP_TYPE:-SingleTenant} OFFHOOK_RUN_AS=${OFFHOOK_RUN_AS:-approver}"
    if [[ -n ${OFFHOOK_ACCOUNTS:-} ]]; then given+=" OFFHOOK_ACCOUNTS=$(printf %q "$OFFHOOK_ACCOUNTS")"; fi
    if [[ -n ${OFFHOOK_STEP_UP:-} ]]; then given+=" OFFHOOK_STEP_UP=$(printf %q "$OFFHOOK_STEP_UP")"; fi
    cat <<END

Offhook runs${DEPLOY_ADDRESS:+ at $DEPLOY_ADDRESS}. Two steps remain:

  A Privileged Role Administrator reviews the permissions, then grants them with --apply:
    $given infra/grant.sh consent roles

  A Teams Administrator uploads the app (Teams admin center, Manage apps). Build it with:
    python -m bot manifest build --app-id $OFFHOOK_APP_ID --tenant ${AZURE_TENANT_ID:-TENANT}${DEPLOY_ADDRESS:+ --host ${DEPLOY_ADDRESS#https://}}
END
}

# encoded GUID: print its 16 bytes, the first three groups little-endian, as base64url without padding.
encoded() {
    local hex=${1//-/} at bytes=
    for at in 6 4 2 0 10 8 14 12 16 18 20 22 24 26 28 30; do bytes+="\\x${hex:at:2}"; done
    printf '%b' "$bytes" | base64 | tr '+/' '-_' | tr -d '=\n'
}

squeeze() {
    tr -s ' \n' ' '
}

main "$@"
