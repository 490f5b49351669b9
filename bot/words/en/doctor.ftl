# The doctor: its checks, their findings, and the fixes. Shown on cards, in a terminal, and in JSON.

check-settings = Settings
check-cloud = Microsoft cloud
check-database = Database
check-audit = Audit
check-audit-webhook = Webhook of the audit
check-four-eyes = Separate approver
check-requesters = Requesters
check-approvers = Approvers
check-policy = Policy file
check-run-as = Permissions of a sign-in
check-step-up = Fresh sign-in for approvals
check-exports = Exports
check-digest-key = Protection of approvals
check-accounts = Allowed accounts
check-break-glass = Break-glass
check-reviews = Reviews of break-glass
check-token-bot = Token for the Bot Framework
check-token-configapi = Token for the Teams ConfigAPI
check-token-graph = Token for Microsoft Graph
check-roles = Roles in the token
check-configapi = Teams ConfigAPI
check-bulk-sign-in = Permission to use bulk sign-in
check-tenant-switch = Bulk sign-in in the tenant
check-trusted-addresses = Trusted IP addresses
check-graph-users = Graph, basic: users
check-graph-groups = Graph, basic: groups
check-graph-teams = Graph, reading: Teams accounts
check-graph-policies = Graph, reading: policies
check-graph-roles = Graph, reading: roles
check-graph-sign-ins = Graph, reading: sign-in log
check-graph-applications = Graph, reading: applications
check-graph-units = Graph, reading: administrative units
check-teams = Teams
check-powershell = PowerShell
check-mending = Mending with PowerShell

checks-state-ok = Passed
checks-state-failed = Failed
checks-state-warning = Warning
checks-state-unknown = Unknown
checks-headline = { $failed ->
        [0] { $unknown ->
            [0] { $warnings ->
                [0] { $total ->
                    [one] The only check passed.
                   *[other] All { $total } checks passed.
                }
                [one] Nothing failed. { $warnings } of { $total } checks has a warning.
               *[other] Nothing failed. { $warnings } of { $total } checks have a warning.
            }
           *[other] Nothing failed. { $unknown } of { $total } checks { $unknown ->
                [one] is
               *[other] are
            } inconclusive{ $warnings ->
                [0] .
                [one] , and { $warnings } has a warning.
               *[other] , and { $warnings } have a warning.
            }
        }
        [one] { $failed } of { $total } checks failed.
       *[other] { $failed } of { $total } checks failed.
    }
checks-read-only = Nothing was changed: these checks are read-only.
checks-begun = I am running the checks. This takes up to half a minute and changes nothing.
checks-column-state = Result
checks-column-check = Check
checks-column-found = Finding and fix

## Findings

found-settings-local = This is the local environment: anyone on this machine can chat, and tokens are dummies. { $gateway ->
        [simulator] The remote services are simulated, so their answers say nothing about your tenant.{ " " }
       *[other] { "" }
    }{ $set ->
        [0] No variables are set, so every setting has its default.
       *[other] Set: { $names }.
    }{ $lacking ->
        [0] { "" }
       *[other] { " " }Production also needs: { $missing }.
    }
found-settings-production = This is the production environment. Set: { $names }. Everything else has its default.
found-settings-strangers = No setting has { $count ->
        [one] this name
       *[other] these names
    }: { $names }. The value is not used.
    .fix = Correct the name or remove the variable, in the environment and in the .env file. Offhook does not start until you do.

found-cloud = Nothing rules out bulk sign-in in this cloud: { $cloud }.
found-cloud-without-sip-gateway = According to Microsoft, SIP Gateway is not available in this cloud yet: { $cloud }. Phones can't be signed in.
    .fix = Check Microsoft's page Plan for SIP Gateway before you go on. If the tenant is in another cloud, such as GCC, set Offhook to the public cloud.

found-database = The { $backend } database can be read and written, and its schema is up to date: { $revision }.
found-database-audit-unprotected = The PostgreSQL database can be read and written, and its schema is up to date: { $revision }. But Offhook's login could change or delete the audit.
    .fix = Give the login only the rights that the operations guide lists under Audit, and run migrations and purge with the login that owns the tables.
found-audit = The chain of the audit is whole: { $count ->
        [one] 1 event
       *[other] { $count } events
    }, verified { $minutes ->
        [one] 1 minute
       *[other] { $minutes } minutes
    } ago.
found-audit-new = The audit has no event yet.
found-audit-never = The chain of the audit has not been verified yet.
    .fix = Start Offhook, which verifies it, or run "python -m bot audit verify".
found-audit-old = The chain of the audit was whole when it was verified last, { $hours ->
        [one] 1 hour
       *[other] { $hours } hours
    } ago, up to event { $count }.
    .fix = Offhook verifies the chain each hour while it runs: start it, or look for errors of the audit in its log.
found-audit-broken = The chain of the audit is broken at link { $message }.
    .fix = Keep a copy of the database, find out who could write to it, and compare with the log, the channel, and the last export: the operations guide says how, under Audit.
found-audit-no-database = The database can't be read, so nothing is known of the audit.
    .fix = See the check Database.
found-webhook = The webhook can be reached, and has the audit up to link { $link }; { $count ->
        [0] nothing is
        [one] 1 event is
       *[other] { $count } events are
    } waiting.
found-webhook-behind = The webhook can be reached, but { $count ->
        [one] 1 event
       *[other] { $count } events
    } of the audit it has not accepted for { $minutes ->
        [one] 1 minute
       *[other] { $minutes } minutes
    }. Nothing is lost.
    .fix = Look for webhook.unavailable in the log: its reason says what the webhook answers. Check its address and key there and here.
found-webhook-unreachable = The webhook of the audit can't be reached ({ $message }). { $count ->
        [0] Nothing is
        [one] 1 event is
       *[other] { $count } events are
    } waiting for it, and nothing is lost.
    .fix = Check { $setting }, and whether this host may connect to it. Offhook keeps trying.
found-database-trouble = The database can't be used: { $message }
    .fix = Check that the address in the settings is right, that the server or file exists, and that Offhook can reach it.
found-database-new = The database has no schema yet.
    .fix = Start Offhook once: it creates the schema.
found-database-behind = The schema is older than this version of Offhook: { $revision }.
    .fix = Make a backup, then start this version of Offhook: it upgrades the schema.
found-database-foreign = The schema was created by another version of Offhook: { $revision }.
    .fix = Run the latest version of Offhook, or restore the backup from before the update.
found-database-busy = Another process holds the write lock of the SQLite file and does not release it.
    .fix = Find out what else has the file open: a backup, a database browser, or a second Offhook process. SQLite supports only one Offhook process.
found-database-read-only = The database can be read but not written.
    .fix = Give the account that runs Offhook write permission: to the file and its folder, or to all tables of the PostgreSQL database.

found-four-eyes = Whoever requested a sign-in can't approve it.
found-two-eyes = Approvers can approve their own requests.
    .fix = Remove { $setting }, unless only one person is left who can approve.
found-policy = The policy file is in force: { $rules ->
        [one] { $rules } rule
       *[other] { $rules } rules
    }, hash { $hash }.
found-policy-wrong = The policy file is wrong: { $problem }. A running Offhook keeps the last good one; a new start is refused.
    .fix = Correct the file that { $setting } names. To check it: python -m bot policy check FILE
found-policy-small = Nobody can complete the stage of { $groups } in "{ $rule }": it needs { $need }, and there are { $people }.
    .fix = Add people to these groups, or lower need in the policy file.
found-policy-guests = { $count ->
        [one] An approver of the policy is a guest from another organization, and the policy lets no guests approve: { $names }.
       *[other] { $count } approvers of the policy are guests from another organization, and the policy lets no guests approve: { $names }.
    }
    .fix = Name members instead, or add approve to guests in the policy file.
found-policy-no-directory = Whether enough people are in the policy's groups is unknown: { $message }.
    .fix = Make Microsoft Graph reachable, with the permission GroupMember.Read.All.
found-requesters = { $entries ->
        [0] Everyone may request a sign-in. Production needs { $setting }.
        [one] One user or group may request a sign-in.
       *[other] { $entries } users or groups may request a sign-in.
    }
found-requesters-everyone = Everyone in the tenant, guests included, may request a sign-in.
    .fix = Put the object ID of a group in { $setting }.
found-approvers = { $entries ->
        [0] Everyone may approve a sign-in. Production needs { $setting }.
        [one] One user or group may approve a sign-in.
       *[other] { $entries } users or groups may approve a sign-in.
    } Whether groups have guests as members is not checked.
found-approvers-everyone = Everyone in the tenant, guests included, may approve a sign-in.
    .fix = Put the object ID of a group in { $setting }. Production does not start without.
found-approvers-guests = { $count ->
        [one] An approver is a guest from another organization: { $names }.
       *[other] { $count } approvers are guests from another organization: { $names }.
    }
    .fix = Remove guests from { $setting }: another organization controls their accounts.
found-approvers-no-answer = Whether an approver is a guest is unknown: { $message }.
    .fix = See the check of the Graph permission for users.
found-run-as-approver = Sign-ins use the permissions of the approver.
found-run-as-app = Sign-ins use the app's own permissions: whoever takes over this host can reset passwords at any time.
    .fix = Remove { $setting }, so that sign-ins use the permissions of the approver.
found-step-up-off = Approvals need no authentication context: a sign-in of earlier that day is enough. { $setting } can demand a fresh one.
found-step-up = Approvers have to satisfy authentication context { $context } for each approval. { $policies ->
        [one] 1 enabled Conditional Access policy applies
       *[other] { $policies } enabled Conditional Access policies apply
    } to it and ask for a sign-in every time.
found-step-up-no-context = The tenant has no published authentication context { $context }, so nobody can be asked to satisfy it. Entra ID may confirm it for any sign-in all the same.
    .fix = In the Entra admin center, under Conditional Access, Authentication contexts, create { $context } and publish it to apps. Then make a policy that applies to it.
found-step-up-no-policy = No enabled Conditional Access policy applies to authentication context { $context }. Then Entra ID confirms it for any sign-in, and approvals are no safer than without it.
    .fix = Make a Conditional Access policy for { $context } that asks approvers for a strong sign-in, with sign-in frequency "Every time".
found-step-up-not-fresh = A Conditional Access policy applies to authentication context { $context }, but none asks for a sign-in every time: a sign-in of hours ago can satisfy it.
    .fix = Set the policy's sign-in frequency, under Session, to "Every time".
found-step-up-unknown = Approvers have to satisfy authentication context { $context } for each approval. { $exists ->
        [published] The tenant has it
        [missing] The tenant has not published it
       *[unknown] Whether the tenant has it can't be read
    }, and its policies can't be read. If none applies, Entra ID confirms it for any sign-in.
    .fix = Consent to Policy.Read.All, and for the context itself to AuthenticationContext.Read.All. Or check in the Entra admin center that a policy for { $context } is on, with sign-in frequency "Every time".
found-exports = Exports are saved in the OneDrive of the person who asked.
found-exports-link = Exports are links that anyone on this machine can open.
    .fix = Remove { $setting }, unless your chat client does not support files.
found-digest-key = What was approved is protected by { $setting }, a key outside the database.
found-digest-key-local = { $setting } is not set. Production should have it.
found-digest-key-missing = { $setting } is not set: whoever can write to the database can change what was approved.
    .fix = Set { $setting } to a random secret of at least 16 characters, kept outside the database, when no request is waiting or running.

found-break-glass-off = Nobody may approve their own request in an emergency.
found-break-glass = { $people ->
        [one] { $people } person may approve their own request in an emergency.
       *[other] { $people } people may approve their own requests in an emergency.
    }
    .fix = Keep { $setting } as short as possible. Try it once in a while, and check that somebody reviews each use.
found-break-glass-file = In an emergency, these may approve their own requests: { $names }.
    .fix = Name as few people as possible for break-glass in the file of { $setting }. Try it once in a while, and check that somebody reviews each use.
found-reviews = Every use of break-glass has been reviewed.
found-reviews-no-database = Without the database, it is unknown whether a use of break-glass waits for its review.
    .fix = Fix the database first.
found-reviews-open = { $count ->
        [one] { $count } use of break-glass has not been reviewed, since { $since }.
       *[other] { $count } uses of break-glass have not been reviewed, the oldest since { $since }.
    }
    .fix = Ask an approver to send status to Offhook, then status with the ID of each request that is not reviewed, and to confirm on its card.

found-accounts = { $setting } limits which accounts may be signed in ({ $entries ->
    [one] 1 entry
   *[other] { $entries } entries
}).
found-accounts-local = { $setting } is not set. Production should have it.
found-accounts-any = { $setting } is not set: any account may be signed in that is not an administrator's, a guest's, or a person's.
    .fix = Set { $setting } to the groups or administrative units of your phones' accounts, or to patterns of their names.
found-accounts-unchecked = { $setting } is off: accounts are not checked before their passwords are reset, and nothing keeps people's and administrators' accounts out.
    .fix = Set { $setting } to on.

found-token = The token was issued.
found-token-dummy = This is the dummy token of the local environment. It works only with the simulator.
found-bot-local = No app ID is set, so requests are not signed. Only this machine can chat.
found-token-refused = Entra ID did not issue a token: { $message }
    .fix = Check the app ID, tenant, and credentials in the settings, and that admin consent was granted. The code that begins with AADSTS says which one is wrong.
found-token-unreachable = The token could not be requested: { $message }
    .fix = Check that this host can reach the sign-in service over https, and check its proxy. On Azure, check that the managed identity is assigned.
found-nobody = Sign-ins run with the approver's permissions, and Offhook holds no approver's permissions here.
    .fix = Ask an approver who has signed in to Offhook in Teams to send checks in the chat.
found-no-token = Not checked, because there is no token.
    .fix = Fix the token first.

found-roles = The token contains the roles that bulk sign-in needs.
found-roles-none = The token contains no role that can reset passwords, so the SIP Gateway will refuse it. Nor does it contain Teams Administrator.
    .fix = Assign or activate one of these: Authentication Administrator, Privileged Authentication Administrator, or Global Administrator. Unless it is Global Administrator, add Teams Administrator. Then sign in again.
found-roles-no-teams = The token contains a role that can reset passwords, but not Teams Administrator, which may be needed, too. The SIP Gateway decides.
    .fix = See the check of the permission to use bulk sign-in. If it fails, assign or activate Teams Administrator, then sign in again.
found-roles-no-authentication = The token contains Teams Administrator, but no role that can reset passwords, so the SIP Gateway will refuse it.
    .fix = Assign or activate one of these: Authentication Administrator, Privileged Authentication Administrator, or Global Administrator. Then sign in again.
found-roles-app = This is an app-only token, which does not have to list its roles.
    .fix = See the check of the permission to use bulk sign-in: it asks the SIP Gateway itself. The app needs a role that can reset passwords, and may need Teams Administrator.
found-roles-dummy = The dummy token of the local environment contains no roles, and the simulator does not require any.
    .fix = Nothing to do here. In production, the roles are read from the real token.
found-roles-unreadable = The token can't be read here, so its roles are unknown.
    .fix = See the check of the permission to use bulk sign-in: it asks the SIP Gateway itself.

found-configapi = The Teams ConfigAPI responds and names { $host } for this tenant.
found-configapi-denied = The Teams ConfigAPI refuses this identity: "{ $message }" Correlation ID: { $correlation }
    .fix = Check that the token is for the right tenant and cloud, and that the identity has a Teams administrator role.
found-configapi-no-answer = The Teams ConfigAPI gives no usable answer: { $message }. Correlation ID: { $correlation }
    .fix = Check that this host can reach the Teams ConfigAPI over https, and check its proxy. If other hosts reach it, check the service health in the Microsoft 365 admin center.

found-summaries = This identity can use bulk sign-in. The SIP Gateway lists { $batches ->
        [0] no batches
        [one] { $batches } batch
       *[other] { $batches } batches
    } from the last 30 days.
found-summaries-denied = This identity can't use bulk sign-in. The SIP Gateway says: "{ $message }" Correlation ID: { $correlation }
    .fix = It needs one of these roles: Authentication Administrator, Privileged Authentication Administrator, or Global Administrator. The first two may need Teams Administrator as well. If an app has them and is still refused, let sign-ins run as the approver.
found-summaries-no-answer = The SIP Gateway did not say whether this identity can use bulk sign-in: { $message }. Correlation ID: { $correlation }
    .fix = Try again in a few minutes. If it keeps happening, give the correlation ID to Microsoft support.

found-policy-denied = This identity can't read this setting: "{ $message }" Correlation ID: { $correlation }
    .fix = Ask a Teams administrator to check it in the Teams admin center, or assign the Teams Administrator role to the identity.
found-policy-no-answer = The Teams ConfigAPI gives no usable answer: { $message }. Correlation ID: { $correlation }
    .fix = Try again in a few minutes. If it keeps happening, give the correlation ID to Microsoft support.
found-switch = The tenant allows bulk sign-in.
found-switch-off = The tenant does not allow bulk sign-in: BulkSignIn is { $value }.
    .fix = In PowerShell: Set-CsTeamsSipDevicesConfiguration -BulkSignIn "Enabled"
found-switch-missing = The Teams ConfigAPI does not say whether the tenant allows bulk sign-in.
    .fix = In PowerShell: Get-CsTeamsSipDevicesConfiguration. BulkSignIn must be Enabled.
found-addresses = { $addresses ->
        [one] The tenant has one trusted IP address or range.
       *[other] The tenant has { $addresses } trusted IP addresses or ranges.
    } Whether the phones use them can't be checked from here.
found-addresses-none = The tenant has no trusted IP addresses, so no phone can be signed in.
    .fix = Add the public IP addresses of your sites in the Teams admin center: Locations, Network topology, Trusted IPs. They take up to 24 hours to take effect.

found-permission = { $permission } works.
found-permission-missing = { $permission } is missing, or has no admin consent.
    .fix = Have it granted (infra/grant.sh --apply { $tier }), and wait a few minutes. { $check ->
            [graph-users] Without it, people's names are unknown, and no account is checked.
            [graph-groups] Without it, nobody can request or approve as a member of a group, and roles held through groups are unknown.
            [graph-teams] Without it, phone numbers, policies and resource accounts are not checked.
            [graph-policies] Without it, per-user MFA, Conditional Access and security defaults are not checked.
            [graph-roles] Without it, administrators' accounts can't be told from phones'.
            [graph-sign-ins] Without it, accounts that people sign in with are not noticed, and after a sign-in nothing can be seen in the sign-in log.
            [graph-applications] Without it, it is not checked whether Conditional Access can exclude the SIP Gateway's applications.
           *[graph-units] Without it, no account in an allowed administrative unit is known to be allowed.
        }
found-permission-no-license = { $permission } is there, but the tenant has no Microsoft Entra ID license that this read needs.
    .fix = Buy Microsoft Entra ID P1, or go on without: { $check ->
            [graph-sign-ins] accounts that people sign in with are not noticed, and after a sign-in nothing can be seen in the sign-in log.
           *[other] what it would tell is then not checked.
        }
found-permission-no-api = This cloud does not offer what { $permission } is for.
    .fix = Nothing to do: the cards say what is not checked.
found-sign-in-log = { $permission } works. That the sign-in log shows the phones' sign-ins is an assumption that Microsoft does not document; it changes no result.
found-no-units = { $setting } names no administrative unit, so { $permission } is not needed.
found-permission-no-answer = Whether { $permission } works is unknown: { $message }.
    .fix = Check that this host can reach Microsoft Graph over https, and check its proxy. Then try again.

found-teams = Teams reaches the bot: it has been used in { $conversations ->
        [one] one conversation
       *[other] { $conversations } conversations
    }, and every conversation for cards and notifications is known.
found-teams-silent = Nobody has ever written to the bot.
    .fix = Install the app in Teams and send it help. If nothing comes back, check the bot's messaging endpoint in Azure: it ends in /api/messages.
found-teams-channel = The bot has never heard from the { $count ->
        [one] channel in { $settings }. It can still post there if it was added to the team.
       *[other] channels in { $settings }. It can still post there if it was added to the team.
    }
    .fix = Add the app to the team, and mention it in the channel once.
found-teams-no-database = Without the database, it is unknown who has written to the bot.
    .fix = Fix the database first.

found-powershell = PowerShell { $version } with the MicrosoftTeams module { $module }.
found-powershell-missing = PowerShell can't be started on this host: { $message }
    .fix = Install PowerShell 7.2 or later, use the image that includes it, or set the gateway to configapi.
found-powershell-no-module = PowerShell { $version } is installed, but the MicrosoftTeams module is not.
    .fix = In PowerShell, as the account that runs Offhook: Install-Module MicrosoftTeams
found-powershell-old-module = The MicrosoftTeams module is { $module }. Offhook needs 5.6.0 or later.
    .fix = In PowerShell, as the account that runs Offhook: Update-Module MicrosoftTeams
found-powershell-old = The MicrosoftTeams module { $module } needs PowerShell 7.2 or later, and this is { $version }.
    .fix = Install PowerShell 7.2 or later.
found-powershell-unclear = PowerShell did not report its version: { $message }
    .fix = Run pwsh on this host, as the account that runs Offhook, and read its output.

found-mending = The cmdlets that a mend uses are there, and this identity can read { $policies ->
        [one] the tenant's policy with them.
       *[other] the tenant's { $policies } policies with them.
    } Only a mend itself shows whether it may change them.
found-mending-denied = This identity can't mend accounts: "{ $message }" Correlation ID: { $correlation }
    .fix = It needs Teams Administrator or Teams Communications Administrator. If the message names a cmdlet, update the module, as the account that runs Offhook: Update-Module MicrosoftTeams
found-mending-no-answer = The cmdlets that a mend uses give no usable answer: { $message }. Correlation ID: { $correlation }
    .fix = Try again in a few minutes. If it keeps happening, give the correlation ID to Microsoft support.

found-slow = No answer within { $seconds } seconds.
    .fix = Check this host's network and proxy. Then try again.
found-fault = This check itself failed. Nothing was changed.
    .fix = Run the diagnostics command, and send its output and the Offhook log to the people who make Offhook.

## In the terminal

diagnostics-written = Wrote { $file }. It contains no secrets, names, IDs, or phone numbers. Review it before you send it.
