"""The cmdlets that mend what the checks found, as a PowerShell script for exactly these accounts.

Without `-Apply` the script changes nothing: each changing cmdlet has `-WhatIf`, or is not run if it has no
such switch. Sources: Microsoft's references of the modules MicrosoftTeams and Microsoft.Graph.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.preflight.facts import POLICY_NAME
from bot.preflight.verdict import AccountReport, Result
from bot.words import Words

NO_NUMBER = "no-number"  #: code of the verdict on an account without a phone number
SHARED_DEVICES = "295a8eb0-f78d-45c7-8b5b-1eed5ed02dff"  #: SKU id of Teams Shared Devices (MCOCAP)
_TEAMS = "MicrosoftTeams"
# PowerShell ends a string in single quotes at each of these; doubled, they stand for themselves.
_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")
_NEWLINE = "\r\n"


@dataclass(frozen=True, slots=True)
class _Section:
    """What mends one problem. The catalog explains it: `script-<name>`."""

    name: str
    codes: frozenset[str]  #: of the verdicts that it mends
    module: str  #: that has the cmdlets
    command: str = ""  #: for each `$account`
    scope: str = ""  #: permission of Microsoft Graph; "" for Teams
    parameters: Sequence[str] = ()  #: of the script
    before: Sequence[str] = ()  #: lines before the accounts
    after: Sequence[str] = ()  #: lines after them, in place of `command`


def _policy(kind: str, settings: str, wrong: str) -> Sequence[str]:
    """Lines that create the policy `$<kind>Policy` unless there is one, which must not be `wrong`."""
    name = f"${kind}Policy"
    return (
        f"$policy = Get-CsTeams{kind}Policy |"
        f' Where-Object {{ $_.Identity -in {name}, "Tag:{name}" }}',
        "if (-not $policy) {",
        f"    New-CsTeams{kind}Policy -Identity {name} {settings} -WhatIf:$dryRun",
        f"}} elseif ({wrong}) {{",
        f'    throw "The policy {name} exists, but it is not right for SIP phones: use another name."',
        "}",
    )


_SECTIONS = (
    _Section(
        "disabled",
        frozenset({"disabled"}),
        "Microsoft.Graph.Users",
        "Update-MgUser -UserId $account -AccountEnabled:$true -WhatIf:$dryRun",
        "User.ReadWrite.All",
    ),
    _Section(
        "license",
        frozenset({"no-teams-phone"}),
        "Microsoft.Graph.Users.Actions",
        "Set-MgUserLicense -UserId $account -AddLicenses @(@{ SkuId = $LicenseSku })"
        " -RemoveLicenses @() -WhatIf:$dryRun",
        "LicenseAssignment.ReadWrite.All",
        parameters=(f"[guid]$LicenseSku = '{SHARED_DEVICES}'",),
    ),
    _Section(
        "number",
        frozenset({NO_NUMBER}),
        _TEAMS,
        parameters=(
            "[string]$Numbers",
            "[ValidateSet('CallingPlan', 'DirectRouting', 'OperatorConnect')]"
            " [string]$NumberType = 'DirectRouting'",
        ),
        after=(
            "if ($Numbers) {",
            "    $without = [System.Collections.Generic.HashSet[string]]::new(",
            "        [string[]]$accounts, [System.StringComparer]::OrdinalIgnoreCase)",
            "    foreach ($row in Import-Csv -LiteralPath $Numbers) {",
            "        if (-not $row.TelephoneNumber -or"
            " -not $without.Contains($row.UserPrincipalName)) { continue }",
            "        if ($Apply) {",  # the cmdlet has no -WhatIf
            "            Set-CsPhoneNumberAssignment -Identity $row.UserPrincipalName"
            " -PhoneNumber $row.TelephoneNumber -PhoneNumberType $NumberType",
            "        } else {",
            '            Write-Host "What if: Set-CsPhoneNumberAssignment'
            " -Identity $($row.UserPrincipalName) -PhoneNumber $($row.TelephoneNumber)"
            ' -PhoneNumberType $NumberType"',
            "        }",
            "    }",
            "}",
        ),
    ),
    _Section(
        "ip-phone-policy",
        frozenset({"no-common-area-policy"}),
        _TEAMS,
        "Grant-CsTeamsIPPhonePolicy -Identity $account -PolicyName $IPPhonePolicy -WhatIf:$dryRun",
        parameters=(f"[string]$IPPhonePolicy = '{POLICY_NAME}'",),
        before=_policy(
            "IPPhone",
            "-SignInMode 'CommonAreaPhoneSignIn'",
            "$policy.SignInMode -ne 'CommonAreaPhoneSignIn'",
        ),
    ),
    _Section(
        "calling-policy",
        frozenset({"no-sip-devices-policy", "no-call-redirect"}),
        _TEAMS,
        "Grant-CsTeamsCallingPolicy -Identity $account -PolicyName $CallingPolicy -WhatIf:$dryRun",
        parameters=(f"[string]$CallingPolicy = '{POLICY_NAME}'",),
        before=_policy(
            "Calling",
            "-AllowSIPDevicesCalling $true -AllowCallRedirect 'Enabled'",
            "-not $policy.AllowSIPDevicesCalling -or $policy.AllowCallRedirect -ne 'Enabled'",
        ),
    ),
    _Section(
        "mfa",
        frozenset({"mfa"}),
        "Microsoft.Graph.Beta.Identity.SignIns",
        "Update-MgBetaUserAuthenticationRequirement -UserId $account -PerUserMfaState 'disabled'"
        " -WhatIf:$dryRun",
        "Policy.ReadWrite.AuthenticationMethod",
    ),
    _Section(
        "must-change",
        frozenset({"must-change"}),
        "Microsoft.Graph.Users",
        "Update-MgUser -UserId $account"
        " -PasswordProfile @{ ForceChangePasswordNextSignIn = $false } -WhatIf:$dryRun",
        "User-PasswordProfile.ReadWrite.All",
    ),
)
_SWITCH = _Section(
    "bulk-sign-in",
    frozenset({"bulk-sign-in-off"}),
    _TEAMS,
    after=("Set-CsTeamsSipDevicesConfiguration -BulkSignIn 'Enabled' -WhatIf:$dryRun",),
)
_APPS = _Section(
    "gateway-apps",
    frozenset({"gateway-apps-missing"}),
    "Microsoft.Graph.Applications",
    "New-MgServicePrincipal -AppId $account -WhatIf:$dryRun",
    "Application.ReadWrite.All",
)

#: Codes of the verdicts on accounts that the script mends.
ACCOUNT_CODES = frozenset[str]().union(*(section.codes for section in _SECTIONS))
#: Codes of the verdicts on the tenant that the script mends.
TENANT_CODES = _SWITCH.codes | _APPS.codes
#: Accounts with one of these results are mended. Those that the guard keeps out never are.
MENDED_RESULTS = frozenset({Result.FAILED, Result.WARNING})


def mended(report: AccountReport) -> bool:
    """Whether the account's problems are mended by cmdlets at all.

    No real account has a name with characters that are not printable.
    """
    return report.result in MENDED_RESULTS and report.username.isprintable()


def without_number(reports: Iterable[AccountReport]) -> Sequence[str]:
    """The accounts that lack a phone number, in order."""
    return [name for name, codes in _problems(reports) if NO_NUMBER in codes]


def _problems(reports: Iterable[AccountReport]) -> Iterator[tuple[str, frozenset[str]]]:
    """Each account that is mended, with the codes of its problems."""
    for report in reports:
        codes = ACCOUNT_CODES.intersection(verdict.code for verdict in report.verdicts)
        if codes and mended(report):
            yield report.username, codes


@dataclass(frozen=True, slots=True)
class Subject:
    """What a script is for."""

    request_id: str
    tenant_id: str
    reports: Sequence[AccountReport]
    #: problems of the tenant: code of the verdict -> its arguments
    tenant: Mapping[str, Mapping[str, str | int]] = field(
        default_factory=dict[str, Mapping[str, str | int]]
    )


def powershell(subject: Subject, words: Words) -> bytes:
    """The script: UTF-8 with BOM, since Windows PowerShell reads anything else as ANSI; lines end in CRLF.

    Returns b"" if there is nothing that cmdlets mend.
    """
    found = list(_found(subject))
    if not found:
        return b""
    sections = [section for section, _ in found]
    lines = [
        *_comment(words("script-what", request=subject.request_id)),
        *_comment(words("script-how")),
    ]
    if doubtful := _doubtful(subject.reports):
        lines += _comment(words("script-doubtful", accounts=doubtful))
    modules = ", ".join(sorted({section.module for section in sections}))
    parameters = [each for section in sections for each in section.parameters]
    lines += [
        "#Requires -Version 7.2",
        f"#Requires -Modules {modules}",
        "param(",
        *(f"    {each}," for each in parameters),
        "    [switch]$Apply",
        ")",
        "$dryRun = -not $Apply",
        "",
        *_connections(sections, subject.tenant_id),
    ]
    for section, names in found:
        lines += ["", *_comment(words(f"script-{section.name}", count=len(names)))]
        lines += [*section.before, *_block(section, names)]
    lines += ["", f"if ($dryRun) {{ Write-Host {literal(words('script-nothing-changed'))} }}", ""]
    return _NEWLINE.join(lines).encode("utf-8-sig")


def _found(subject: Subject) -> Iterator[tuple[_Section, Sequence[str]]]:
    """The sections that are needed, each with its accounts, or applications."""
    if not _SWITCH.codes.isdisjoint(subject.tenant):
        yield _SWITCH, ()
    for code in _APPS.codes & subject.tenant.keys():
        apps = str(subject.tenant[code].get("apps", ""))
        yield _APPS, [each for each in apps.split(", ") if each]
    problems = list(_problems(subject.reports))
    for section in _SECTIONS:
        accounts = [name for name, codes in problems if not section.codes.isdisjoint(codes)]
        if accounts:
            yield section, accounts


def _doubtful(reports: Iterable[AccountReport]) -> int:
    """How many of the script's accounts may be administrators' or people's for all that is known."""
    return sum(
        report.guard_unknown
        and any(verdict.code in ACCOUNT_CODES for verdict in report.verdicts)
        and mended(report)
        for report in reports
    )


def _connections(sections: Sequence[_Section], tenant_id: str) -> Iterator[str]:
    scopes = sorted({section.scope for section in sections if section.scope})
    if any(section.module == _TEAMS for section in sections):
        yield f"$null = Connect-MicrosoftTeams -TenantId {literal(tenant_id)} -ErrorAction Stop"
    if scopes:
        listed = ", ".join(map(literal, scopes))
        yield (
            f"$null = Connect-MgGraph -TenantId {literal(tenant_id)} -Scopes {listed}"
            " -NoWelcome -ErrorAction Stop"
        )


def _block(section: _Section, names: Sequence[str]) -> Iterator[str]:
    if names:
        yield "$accounts = @("
        yield from (f"    {literal(name)}" for name in names)
        yield ")"
    if section.command:
        yield "foreach ($account in $accounts) {"
        yield f"    {section.command}"
        yield "}"
    yield from section.after


def _comment(text: str) -> Iterator[str]:
    return (f"# {line}".rstrip() for line in text.splitlines())


def literal(text: str) -> str:
    """`text` as one string literal of PowerShell, in which nothing is expanded."""
    return "'" + _QUOTES.sub(r"\g<0>\g<0>", text) + "'"
