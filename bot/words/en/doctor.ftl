# What the doctor looks at, what it finds, and what to do. It stands on cards, in a terminal and in files.

check-settings = Settings
check-database = Database
check-token-bot = Token for the Bot Framework
check-token-configapi = Token for the Teams ConfigAPI
check-token-graph = Token for Microsoft Graph
check-roles = Roles in the token
check-configapi = Teams ConfigAPI
check-bulk-sign-in = Right to use bulk sign-in
check-tenant-switch = Bulk sign-in in the tenant
check-trusted-addresses = Trusted IP addresses
check-graph-users = Graph: users
check-graph-groups = Graph: groups
check-teams = Teams
check-powershell = PowerShell

checks-word-ok = Fine
checks-word-failed = Failed
checks-word-unknown = Not known
checks-verdict = { $failed ->
        [0] { $unknown ->
            [0] Everything is fine. Checks made: { $total }.
           *[other] Nothing failed. { $unknown } of { $total } checks could not tell.
        }
        [one] { $failed } of { $total } checks failed.
       *[other] { $failed } of { $total } checks failed.
    }
checks-only-looked = Nothing was changed: these checks only look.
checks-begun = I am looking. The answer takes up to half a minute, and nothing is changed.
checks-column-check = Check
checks-column-found = Found, and what to do

## Findings

found-settings-local = This is local: anybody on this machine may chat, and tokens are dummies. { $gateway ->
        [simulator] The far sides are simulated, so what they say is not about your tenant.{ " " }
       *[other] { "" }
    }{ $set ->
        [0] No variable is set, so every setting has its default.
       *[other] Set: { $names }.
    }{ $lacking ->
        [0] { "" }
       *[other] { " " }Production also needs: { $missing }.
    }
found-settings-production = This is production. Set: { $names }. Everything else has its default.
found-settings-strangers = No setting has { $count ->
        [one] this name
       *[other] these names
    }: { $names }. The value is not used.
    .fix = Correct the name or remove the variable, in the environment and in the .env file. The service does not start with it.

found-database = The { $backend } database can be read and written, and its schema is up to date: { $revision }.
found-database-trouble = The database cannot be used: { $message }
    .fix = Check the address in the settings, that the server or the file is there, and that this service may reach it.
found-database-new = There is no schema in the database yet.
    .fix = Start the service once: it makes what it needs.
found-database-behind = The schema is older than this version: { $revision }.
    .fix = Make a backup, then start the service of this version: it brings the schema up to date.
found-database-foreign = The schema was made by another version: { $revision }.
    .fix = Run the newest version of Offhook, or restore the backup from before the update.
found-database-busy = Somebody holds the write lock of the SQLite file, and does not let go.
    .fix = Find out what else has the file open: a backup, a browser of databases, or a second service. SQLite is for one service only.
found-database-read-only = The database can be read, but not written.
    .fix = Give the service's account the right to write: to the file and its folder, or to all tables of the PostgreSQL database.

found-token = There is a token.
found-token-dummy = There is the dummy token of local. It opens nothing outside the simulator.
found-bot-local = No app id is set, so requests are not signed. Only this machine can chat.
found-token-refused = The identity got no token: { $message }
    .fix = Check app id, tenant and credentials in the settings, and that admin consent was given. The code that begins with AADSTS says which.
found-token-unreachable = Nobody could be asked for a token: { $message }
    .fix = Check that this host reaches the sign-in service over https, and its proxy. On Azure, check that the managed identity is assigned.
found-nobody = Sign-ins run with the rights of whoever approves, and nobody is signed in here.
    .fix = Send me checks in the chat, as somebody who approves and has signed in there.
found-no-token = Without a token this could not be asked.
    .fix = Mend the token first.

found-roles = The token carries Teams Administrator and a role that may reset passwords.
found-roles-none = The token carries neither Teams Administrator nor a role that may reset passwords.
    .fix = Assign Teams Administrator, and one of Authentication Administrator, Privileged Authentication Administrator and Global Administrator. Then sign in anew.
found-roles-no-teams = The token does not carry Teams Administrator.
    .fix = Assign Teams Administrator, or activate it, and sign in anew.
found-roles-no-authentication = The token carries Teams Administrator, but no role that may reset passwords.
    .fix = Assign one of Authentication Administrator, Privileged Authentication Administrator and Global Administrator, or activate it, and sign in anew.
found-roles-app = This is an application's own token, which need not name its roles.
    .fix = See the check of the right to use bulk sign-in: that one asks the service itself. Both roles have to be assigned to the application.
found-roles-dummy = The dummy token of local carries no roles, and the simulator asks for none.
    .fix = Nothing to do here. In production the roles are read from the real token.
found-roles-unreadable = The token cannot be read here, so its roles are not known.
    .fix = See the check of the right to use bulk sign-in: that one asks the service itself.

found-configapi = The service answers, and names { $host } for this tenant.
found-configapi-denied = The service refuses this identity: "{ $message }" Correlation id: { $correlation }
    .fix = Check that the token is for the right tenant and cloud, and that the identity has an administrator role for Teams.
found-configapi-no-answer = The service gives no usable answer: { $message }. Correlation id: { $correlation }
    .fix = Check that this host reaches the service over https, and its proxy. If others reach it, look at the service health in the Microsoft 365 admin center.

found-summaries = This identity may use bulk sign-in. The service knows { $batches ->
        [0] no batch
        [one] { $batches } batch
       *[other] { $batches } batches
    } of the last 30 days.
found-summaries-denied = This identity may not use bulk sign-in. The service says: "{ $message }" Correlation id: { $correlation }
    .fix = It needs Teams Administrator, and one of Authentication Administrator, Privileged Authentication Administrator and Global Administrator. If an application has both and is still refused, let sign-ins run as the approver.
found-summaries-no-answer = Whether this identity may use bulk sign-in was not answered: { $message }. Correlation id: { $correlation }
    .fix = Try again in a few minutes. If it stays so, give the correlation id to Microsoft's support.

found-policy-denied = This identity may not read it: "{ $message }" Correlation id: { $correlation }
    .fix = Let a Teams administrator look in the Teams admin center, or give the identity the role Teams Administrator.
found-policy-no-answer = The service gives no usable answer: { $message }. Correlation id: { $correlation }
    .fix = Try again in a few minutes. If it stays so, give the correlation id to Microsoft's support.
found-switch = The tenant allows bulk sign-in.
found-switch-off = The tenant does not allow bulk sign-in: the switch says { $value }.
    .fix = In PowerShell: Set-CsTeamsSipDevicesConfiguration -Identity Global -BulkSignIn "Enabled"
found-switch-missing = The service does not say how the tenant's switch stands.
    .fix = In PowerShell: Get-CsTeamsSipDevicesConfiguration. BulkSignIn has to be Enabled.
found-addresses = { $addresses ->
        [one] One trusted IP address or range is
       *[other] { $addresses } trusted IP addresses or ranges are
    } there. Which addresses the phones use cannot be told from here.
found-addresses-none = The tenant has no trusted IP address, so no phone can be signed in.
    .fix = Add the public addresses of your sites in the Teams admin center: Locations, Network topology, Trusted IPs. They work after up to 24 hours.

found-permission = { $permission } works.
found-permission-missing = { $permission } is missing, or consent to it.
    .fix = Add the permission to the app registration, give admin consent, and wait some minutes. Without it, groups and names of people are not known.
found-permission-no-answer = Whether { $permission } works was not answered: { $message }.
    .fix = Check that this host reaches Microsoft Graph over https, and its proxy. Then try again.

found-teams = Teams reaches the bot: { $conversations ->
        [one] one conversation has
       *[other] { $conversations } conversations have
    } written to it, and every place that cards and notices go to is known.
found-teams-silent = Nobody has ever written to the bot.
    .fix = Install the app in Teams and send it help. If nothing comes back, check the messaging endpoint of the bot in Azure: it ends in /api/messages.
found-teams-channel = The bot has never heard from the { $count ->
        [one] channel in { $settings }. It can still post there if it was added to the team.
       *[other] channels in { $settings }. It can still post there if it was added to the team.
    }
    .fix = Add the app to the team, and mention it in the channel once.
found-teams-no-database = Without the database it is not known who has written to the bot.
    .fix = Mend the database first.

found-powershell = PowerShell { $version } with the module MicrosoftTeams { $module }.
found-powershell-missing = PowerShell cannot be started on this host: { $message }
    .fix = Install PowerShell 7.2 or later, or use the image that has it, or set the gateway to configapi.
found-powershell-no-module = PowerShell { $version } is there, but not the module MicrosoftTeams.
    .fix = In PowerShell, as the service's account: Install-Module MicrosoftTeams
found-powershell-old-module = The module MicrosoftTeams is { $module }. Offhook needs 5.6.0 or later.
    .fix = In PowerShell, as the service's account: Update-Module MicrosoftTeams
found-powershell-old = The module MicrosoftTeams { $module } needs PowerShell 7.2 or later, and this is { $version }.
    .fix = Install PowerShell 7.2 or later.
found-powershell-unclear = PowerShell did not say which version it is: { $message }
    .fix = Run pwsh on this host, as the service's account, and see what it says.

found-slow = There was no answer within { $seconds } seconds.
    .fix = Check the network of this host and its proxy. Then try again.
found-fault = This check itself went wrong. Nothing was changed.
    .fix = Run the diagnostics command, and send what it writes with the service's log to the people who make Offhook.

## In the terminal

diagnostics-written = { $file } is written. It holds no secrets, names, ids or phone numbers. Look through it before you send it.
