// What `azd provision` creates: everything except the container app, which infra/bot.bicep deploys once
// its image exists. Limited to the subset of Bicep that tests/infra can parse without Azure.
targetScope = 'subscription'

@description('Name of this installation; azd prompts for it.')
@minLength(1)
@maxLength(40)
param environmentName string

@description('Region of all resources except the Azure Bot, which is global.')
@minLength(1)
param location string

@description('small: one replica, the smallest database. standard: two or three replicas across zones, a standby database.')
@allowed([
  'small'
  'standard'
])
param size string = 'small'

@description('How the bot authenticates. SingleTenant: an app registration that trusts the managed identity. UserAssignedMSI: the managed identity itself, which rules out delegations from approvers.')
@allowed([
  'SingleTenant'
  'UserAssignedMSI'
])
param botType string = 'SingleTenant'

@description('Application (client) ID of the app registration; not used with UserAssignedMSI. `infra/grant.sh register` creates it.')
param appId string = ''

@description('Client secret of the app registration, only if the tenant forbids federated credentials. Stored in a key vault.')
@secure()
param appPassword string = ''

@description('URL (https) to which each event of the audit is posted. Stored in a key vault, since it may contain a secret; set it with `azd env set-secret`.')
@secure()
param auditWebhook string = ''

@description('With it: the secret that signs what is posted. Stored in a key vault; set it with `azd env set-secret`.')
@secure()
param auditWebhookKey string = ''

@description('Which key binds approvals to what runs, as a number. A new number makes a new key: see docs/operations.md.')
@minLength(1)
param digestKeyNumber string = '1'

@description('Who may request a sign-in: object IDs of users or groups, comma-separated, or * for everyone in the tenant.')
@minLength(1)
param requesters string

@description('Who may approve one: object IDs of users or groups, comma-separated.')
@minLength(1)
param approvers string

@description('Tenants that may use the bot, comma-separated; the first is the app\'s own. Several need runAs approver and a multitenant app registration.')
param tenantIds string = tenant().tenantId

@description('Whose permissions the sign-in uses: approver (no standing privilege) or app (Entra roles, see infra/grant.sh).')
@allowed([
  'approver'
  'app'
])
param runAs string = 'approver'

@description('Where approval cards go: a channel ID, or requester-chat.')
param approvals string = 'requester-chat'

@description('Where notifications go: a channel ID, or requester-chat.')
param notifications string = 'requester-chat'

@description('Email address for alerts and budget notifications.')
@minLength(3)
param alertEmail string

@description('Monthly budget, a whole number in the currency of the subscription.')
param monthlyBudget string = '150'

@description('First month of the budget. It cannot be in the past.')
param budgetStart string = '${utcNow('yyyy-MM')}-01T00:00:00Z'

var tags = {
  'azd-env-name': environmentName
}
var name = 'offhook-${uniqueString(subscription().id, environmentName, location)}'
var withSecret = !empty(appPassword)
// With only one of the two, the deployment of the app fails and names the other.
var withAuditWebhook = !empty(auditWebhook) || !empty(auditWebhookKey)
var digestKeyName = 'digest-key-${digestKeyNumber}'

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-offhook-${environmentName}'
  location: location
  tags: tags
}

module identities 'modules/identities.bicep' = {
  name: 'identities'
  scope: group
  params: {
    name: name
    location: location
    tags: tags
  }
}

module network 'modules/network.bicep' = {
  name: 'network'
  scope: group
  params: {
    name: name
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    name: name
    location: location
    tags: tags
    size: size
    alertEmail: alertEmail
  }
}

module registry 'modules/registry.bicep' = {
  name: 'registry'
  scope: group
  params: {
    name: name
    location: location
    tags: tags
    size: size
    pullerPrincipalId: identities.outputs.botPrincipalId
  }
}

module database 'modules/database.bicep' = {
  name: 'database'
  scope: group
  params: {
    name: name
    location: location
    tags: tags
    size: size
    subnetId: network.outputs.databaseSubnetId
    privateDnsZoneId: network.outputs.databaseDnsZoneId
    administratorName: identities.outputs.databaseName
    administratorPrincipalId: identities.outputs.databasePrincipalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module vault 'modules/vault.bicep' = {
  name: 'vault'
  scope: group
  params: {
    name: name
    location: location
    tags: tags
    networkId: network.outputs.networkId
    subnetId: network.outputs.endpointSubnetId
    readerPrincipalId: identities.outputs.botPrincipalId
    workspaceId: monitoring.outputs.workspaceId
    digestKeyName: digestKeyName
  }
}

module appPasswordSecret 'modules/secret.bicep' = if (withSecret) {
  name: 'app-password'
  scope: group
  params: {
    name: vault.outputs.name
    secretName: 'app-password'
    contentType: 'client secret of the bot'
    value: appPassword
    readerPrincipalId: identities.outputs.botPrincipalId
  }
}

module auditWebhookSecret 'modules/secret.bicep' = if (!empty(auditWebhook)) {
  name: 'audit-webhook'
  scope: group
  params: {
    name: vault.outputs.name
    secretName: 'audit-webhook'
    contentType: 'URL of the webhook of the audit'
    value: auditWebhook
    readerPrincipalId: identities.outputs.botPrincipalId
  }
}

module auditWebhookKeySecret 'modules/secret.bicep' = if (!empty(auditWebhookKey)) {
  name: 'audit-webhook-key'
  scope: group
  params: {
    name: vault.outputs.name
    secretName: 'audit-webhook-key'
    contentType: 'key of the webhook of the audit'
    value: auditWebhookKey
    readerPrincipalId: identities.outputs.botPrincipalId
  }
}

module apps 'modules/environment.bicep' = {
  name: 'environment'
  scope: group
  params: {
    name: name
    location: location
    tags: tags
    size: size
    subnetId: network.outputs.appsSubnetId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module bot 'modules/azure-bot.bicep' = {
  name: 'azure-bot'
  scope: group
  params: {
    name: name
    tags: tags
    botType: botType
    appId: botType == 'UserAssignedMSI' ? identities.outputs.botClientId : appId
    appPassword: appPassword
    identityId: identities.outputs.botId
    domain: apps.outputs.defaultDomain
    workspaceId: monitoring.outputs.workspaceId
  }
}

module budget 'modules/budget.bicep' = {
  name: 'budget'
  scope: group
  params: {
    name: name
    amount: int(monthlyBudget)
    start: budgetStart
    alertEmail: alertEmail
  }
}

// azd stores these in its environment, where bot.parameters.json, the hooks, and grant.sh read them.
output AZURE_RESOURCE_GROUP string = group.name
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registry.outputs.loginServer
output OFFHOOK_APP_ID string = bot.outputs.appId
output OFFHOOK_APP_TYPE string = botType
output OFFHOOK_REQUESTERS string = requesters
output OFFHOOK_APPROVERS string = approvers
output OFFHOOK_TENANT_IDS string = tenantIds
output OFFHOOK_RUN_AS string = runAs
output OFFHOOK_APPROVALS string = approvals
output OFFHOOK_NOTIFICATIONS string = notifications
output DEPLOY_NAME string = name
output DEPLOY_SIZE string = size
output DEPLOY_IDENTITY_PRINCIPAL_ID string = identities.outputs.botPrincipalId
output OFFHOOK_OAUTH_CONNECTION string = bot.outputs.connectionName
output DEPLOY_SUBJECT string = bot.outputs.subjectIdentifier
output DEPLOY_DIGEST_KEY_NAME string = digestKeyName
output DEPLOY_WITH_SECRET string = withSecret ? 'true' : 'false'
output DEPLOY_WITH_AUDIT_WEBHOOK string = withAuditWebhook ? 'true' : 'false'
