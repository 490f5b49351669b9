<#
Runs one SIP Gateway bulk sign-in action, or many orders to administer Teams, with the cmdlets of Microsoft's
MicrosoftTeams module. Started by pwsh.py, one process per action. Runs on Windows PowerShell 5.1 and
PowerShell 7.

Input: -Action and -Region take values from a closed list. Everything else comes in environment
variables: OFFHOOK_MARK, OFFHOOK_GRAPH_TOKEN, OFFHOOK_TEAMS_TOKEN and, for a status, OFFHOOK_BATCH_ID.
The phones to submit are in devices.csv in the working directory.

Just before the cmdlet, the script waits for the line "go" on stdin. Whoever started it may have died while
the module was loading: then stdin is at its end, and nothing is called.

Output: one JSON object in ASCII per event, after OFFHOOK_MARK on its line. Anything else on stdout comes
from modules or the host and is ignored.
  {"event": "ready"}             connected, waiting for the line on stdin
  {"event": "asking"}            written just before the cmdlet is called; without it, nothing ran
  {"event": "answered", "answer": ...}
  {"event": "failed", "stage": "checking" | "connecting" | "asking", "message": ..., "kinds": [...],
   "errorId": ..., "status": ..., "body": ..., "retryAfter": ..., "correlationId": ...}

administer: after "asking", each line on stdin is an order as one JSON object, answered by one event
("answered" or "failed") before the next is read. "call" is the cmdlet, from a closed list; the other fields
are its values, which are never part of a command's text. It ends with its stdin.

Sources: the cmdlet reference in MicrosoftDocs/office-docs-powershell; the module's generated parameters
and views (7.7.0); RestException in Azure/autorest.powershell, which generates its cmdlets.
#>
param(
    [Parameter(Mandatory = $true)]
    [ValidateSet('submit', 'status', 'summaries', 'administer')]
    [string] $Action,

    [ValidateSet('NOAM', 'EMEA', 'APAC')]
    [string] $Region
)

Set-StrictMode -Off  # a missing property reads as $null
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue'
$WarningPreference = 'SilentlyContinue'
$InformationPreference = 'SilentlyContinue'
$ConfirmPreference = 'None'  # nobody is there to ask

$mark = $env:OFFHOOK_MARK
$tokens = @($env:OFFHOOK_GRAPH_TOKEN, $env:OFFHOOK_TEAMS_TOKEN)
Remove-Item -Path 'Env:OFFHOOK_*_TOKEN'

function Write-Event([hashtable] $content) {
    $json = ConvertTo-Json -InputObject $content -Depth 10 -Compress
    # ASCII survives every console encoding.
    $ascii = [regex]::Replace($json, '[^\x20-\x7E]', { param($match) '\u{0:x4}' -f [int] [char] $match.Value })
    [Console]::Out.WriteLine($mark + ' ' + $ascii)
    [Console]::Out.Flush()
}

function Get-Text($value) {
    # PowerShell 5.1 and 7 serialize the module's own types differently.
    if ($null -eq $value) { return $null }
    if ($value -is [datetime] -or $value -is [datetimeoffset]) { return $value.ToString('o') }
    return [string] $value
}

function Get-Name($policy) {
    # The name of an assigned policy, which is an object or a string.
    if ($null -ne $policy.Name) { return [string] $policy.Name }
    return Get-Text $policy
}

function Get-Settings($defaults, $cmdlet, $content) {
    # The settings of the tenant's Global policy that the cmdlet takes as parameters, and then the given ones.
    $settings = @{}
    foreach ($property in $defaults.PSObject.Properties) {
        $value = $property.Value
        if ($property.Name -in 'Identity', 'Description', 'Key' -or [string] $value -eq '') { continue }
        $simple = $value -is [string] -or $value -is [bool] -or $value -is [int] -or $value -is [long] -or $value -is [enum]
        if ($simple -and $cmdlet.Parameters.ContainsKey($property.Name)) { $settings[$property.Name] = $value }
    }
    foreach ($property in $content.PSObject.Properties) { $settings[$property.Name] = $property.Value }
    return $settings
}

function Get-Failure($record, [string] $stage) {
    $failure = @{ event = 'failed'; stage = $stage; message = [string] $record.Exception.Message; kinds = @() }
    $failure.errorId = [string] $record.FullyQualifiedErrorId
    if ($record.ErrorDetails.Message) { $failure.message = [string] $record.ErrorDetails.Message }
    for ($cause = $record.Exception; $null -ne $cause; $cause = $cause.InnerException) {
        $failure.kinds += $cause.GetType().Name
        if ($null -eq $cause.StatusCode -or $null -ne $failure.status) { continue }
        $failure.status = [int] $cause.StatusCode
        $failure.body = [string] $cause.ResponseBody
        foreach ($header in $cause.ResponseHeaders) {
            if ($header.Key -eq 'Retry-After') { $failure.retryAfter = [string] $header.Value }
            if ($header.Key -eq 'X-MS-Correlation-Id') { $failure.correlationId = [string] $header.Value }
        }
    }
    return $failure
}

$stage = 'checking'
$exitCode = 0
try {
    $module = Get-Module -Name MicrosoftTeams -ListAvailable |
        Sort-Object -Property Version -Descending | Select-Object -First 1
    if ($null -eq $module) {
        throw 'The PowerShell module MicrosoftTeams is not installed. Offhook needs 5.6.0 or later.'
    }
    if ($module.Version -lt [version] '5.6.0') {
        throw "The PowerShell module MicrosoftTeams is $($module.Version). Offhook needs 5.6.0 or later."
    }
    Import-Module -Name MicrosoftTeams -RequiredVersion $module.Version

    $stage = 'connecting'
    Connect-MicrosoftTeams -AccessTokens $tokens -LogLevel None -ErrorAction Stop | Out-Null

    Write-Event @{ event = 'ready' }
    $order = [Console]::In.ReadLine()
    if ($order -ne 'go') { throw 'Offhook did not give the go-ahead.' }

    $stage = 'asking'
    Write-Event @{ event = 'asking' }
    switch ($Action) {
        'submit' {
            $batch = New-CsSdgBulkSignInRequest -DeviceDetailsFilePath ./devices.csv -Region $Region -ErrorAction Stop
            $answer = @{ BatchId = Get-Text $batch.BatchId; Message = Get-Text $batch.Message }
        }
        'status' {
            $batch = Get-CsSdgBulkSignInRequestStatus -Batchid $env:OFFHOOK_BATCH_ID -ErrorAction Stop
            $items = @(foreach ($item in $batch.BatchItem) {
                @{
                    UserName   = Get-Text $item.UserName
                    HardwareId = Get-Text $item.HardwareId
                    Status     = Get-Text $item.Status
                    Error      = Get-Text $item.Error
                }
            })
            $answer = @{
                BatchId     = Get-Text $batch.BatchId
                BatchStatus = Get-Text $batch.BatchStatus
                BatchItem   = $items
                Message     = Get-Text $batch.Message
            }
        }
        'summaries' {
            $batches = Get-CsSdgBulkSignInRequestsSummary -ErrorAction Stop
            $answer = @(foreach ($batch in $batches) {
                @{
                    BatchId         = Get-Text $batch.BatchId
                    BatchStatus     = Get-Text $batch.BatchStatus
                    BatchItemsCount = $batch.BatchItemsCount
                    Region          = Get-Text $batch.Region
                    RequestTime     = Get-Text $batch.RequestTime
                }
            })
        }
        'administer' {
            while ($null -ne ($line = [Console]::In.ReadLine())) {
                $answer = $null
                try {
                    $order = ConvertFrom-Json -InputObject $line
                    switch ($order.call) {
                        'Get-CsOnlineUser' {
                            $Error.Clear()
                            $user = Get-CsOnlineUser -Identity $order.account -ErrorAction Stop
                            # The cmdlet does not let every error of its parts through.
                            if ($null -eq $user -and $Error.Count -gt 0) { throw $Error[0] }
                            if ($null -ne $user) { $answer = @{ Identity = Get-Text $user.Identity } }
                            foreach ($property in $user.PSObject.Properties) {
                                if ($property.Name -notin 'TeamsIPPhonePolicy', 'TeamsCallingPolicy') { continue }
                                $answer[$property.Name] = Get-Name $property.Value
                            }
                        }
                        'Get-CsTeamsIPPhonePolicy' {
                            $policies = Get-CsTeamsIPPhonePolicy -ErrorAction Stop
                            $answer = @(foreach ($policy in $policies) {
                                @{
                                    Identity   = Get-Text $policy.Identity
                                    SignInMode = Get-Text $policy.SignInMode
                                }
                            })
                        }
                        'Get-CsTeamsCallingPolicy' {
                            $policies = Get-CsTeamsCallingPolicy -ErrorAction Stop
                            $answer = @(foreach ($policy in $policies) {
                                @{
                                    Identity               = Get-Text $policy.Identity
                                    AllowSIPDevicesCalling = $policy.AllowSIPDevicesCalling
                                    AllowCallRedirect      = Get-Text $policy.AllowCallRedirect
                                }
                            })
                        }
                        'Get-CsTeamsSipDevicesConfiguration' {
                            $policies = Get-CsTeamsSipDevicesConfiguration -ErrorAction Stop
                            $answer = @(foreach ($policy in $policies) {
                                @{
                                    Identity   = Get-Text $policy.Identity
                                    BulkSignIn = Get-Text $policy.BulkSignIn
                                }
                            })
                        }
                        'Grant-CsTeamsIPPhonePolicy' {
                            Grant-CsTeamsIPPhonePolicy -Identity $order.account -PolicyName $order.name -ErrorAction Stop | Out-Null
                        }
                        'Grant-CsTeamsCallingPolicy' {
                            Grant-CsTeamsCallingPolicy -Identity $order.account -PolicyName $order.name -ErrorAction Stop | Out-Null
                        }
                        'New-CsTeamsIPPhonePolicy' {
                            $defaults = Get-CsTeamsIPPhonePolicy -Identity Global -ErrorAction Stop
                            $settings = Get-Settings $defaults (Get-Command -Name New-CsTeamsIPPhonePolicy) $order.content
                            New-CsTeamsIPPhonePolicy -Identity $order.name @settings -ErrorAction Stop | Out-Null
                        }
                        'New-CsTeamsCallingPolicy' {
                            $defaults = Get-CsTeamsCallingPolicy -Identity Global -ErrorAction Stop
                            $settings = Get-Settings $defaults (Get-Command -Name New-CsTeamsCallingPolicy) $order.content
                            New-CsTeamsCallingPolicy -Identity $order.name @settings -ErrorAction Stop | Out-Null
                        }
                        'Set-CsTeamsSipDevicesConfiguration' {
                            Set-CsTeamsSipDevicesConfiguration -BulkSignIn $order.value -ErrorAction Stop | Out-Null
                        }
                        default { throw 'Offhook gave an order that this script does not know.' }
                    }
                    Write-Event @{ event = 'answered'; answer = $answer }
                }
                catch {
                    Write-Event (Get-Failure $_ $stage)
                }
            }
            $answer = $null
        }
    }
    Write-Event @{ event = 'answered'; answer = $answer }
}
catch {
    $exitCode = 1
    Write-Event (Get-Failure $_ $stage)
}
finally {
    if ($stage -ne 'checking') { Disconnect-MicrosoftTeams -ErrorAction SilentlyContinue | Out-Null }
}
exit $exitCode
