"""The script that mends accounts: exactly these, quoted safely, and without `-Apply` only shown."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.preflight.facts import Unknown, UnknownReason
from bot.preflight.numbers import numbers_csv
from bot.preflight.script import ACCOUNT_CODES, Subject, literal, powershell
from bot.preflight.verdict import AccountReport, Check, Result, Verdict, unknown
from bot.words import Words

QUOTES = "'\u2018\u2019\u201a\u201b"  # any of them ends a string in single quotes
CHECKS = {
    "disabled": Check.ENABLED,
    "no-teams-phone": Check.LICENSE,
    "no-number": Check.NUMBER,
    "no-common-area-policy": Check.IP_PHONE_POLICY,
    "no-sip-devices-policy": Check.CALLING_POLICY,
    "no-call-redirect": Check.CALLING_POLICY,
    "mfa": Check.MFA,
    "must-change": Check.PASSWORD,
}
# Verbs of cmdlets that change something.
CHANGING = re.compile(r"\b(?:Set|New|Grant|Update)-(?:Cs|Mg)\w+")


def report(username: str, *codes: str, guard: Verdict | None = None) -> AccountReport:
    verdicts = [Verdict(CHECKS[code], Result.FAILED, code) for code in codes]
    return AccountReport(username, [*([guard] if guard else []), *verdicts])


def script(*reports: AccountReport, **tenant: dict[str, str | int]) -> str:
    problems = {code.replace("_", "-"): arguments for code, arguments in tenant.items()}
    data = powershell(Subject("K7QF2M9X", "contoso", reports, problems), Words())
    return data.decode("utf-8-sig")


def strings(text: str) -> list[str]:
    """The string literals of a script, as PowerShell's tokenizer reads them.

    Source: PowerShell, `tokenizer.cs`: comments end with the line; in single quotes only a quote is
    special, and two of them stand for the second; in double quotes a backtick escapes.
    """
    found: list[str] = []
    at = 0
    while at < len(text):
        here = text[at]
        at += 1
        if here == "#":
            at = min(
                end for end in (text.find("\r", at), text.find("\n", at), len(text)) if end >= 0
            )
        elif here in QUOTES:
            value = ""
            while True:
                if text[at] in QUOTES:
                    if at + 1 >= len(text) or text[at + 1] not in QUOTES:
                        break
                    at += 1
                value += text[at]
                at += 1
            found.append(value)
            at += 1
        elif here in '"\u201c\u201d\u201e':
            while text[at] not in '"\u201c\u201d\u201e':
                at += 2 if text[at] == "`" else 1
            at += 1
    return found


@given(st.text())
@example("o'neil@contoso.com")
@example("\u2019; Remove-MgUser -UserId x #@contoso.com")
@example("$(Remove-MgUser)`n@contoso.com")
def test_literal_is_one_string_whatever_the_text(text: str) -> None:
    assert strings(f"Get-Date {literal(text)}\n# done") == [text]


@given(st.lists(st.text(min_size=1), unique=True, max_size=5))
@example(
    ["a'b@contoso.com", "\u2018@contoso.com", "x\r\nRemove-MgUser@contoso.com", "\u202e@x.com"]
)
def test_accounts_are_strings_and_nothing_else_whatever_they_are_called(names: list[str]) -> None:
    printable = [name for name in names if name.isprintable()]
    text = script(*(report(name, "disabled") for name in names), report("z@x.com", "disabled"))

    harmless = script(report("z@x.com", "disabled"))
    (at,) = (at for at, string in enumerate(strings(harmless)) if string == "z@x.com")
    expected = strings(harmless)
    expected[at:at] = printable
    assert strings(text) == expected
    assert all(line.endswith("\r\n") for line in text.splitlines(keepends=True))


@pytest.mark.parametrize("code", sorted(ACCOUNT_CODES))
def test_each_problem_has_commands_for_exactly_the_accounts_that_have_it(code: str) -> None:
    other = next(each for each in sorted(ACCOUNT_CODES) if CHECKS[each] is not CHECKS[code])

    text = script(report("a@x.com", code), report("b@x.com", other), report("c@x.com", code))

    assert re.search(r"\$accounts = @\(\s+'a@x\.com'\s+'c@x\.com'\s+\)", text)
    assert re.search(r"\$accounts = @\(\s+'b@x\.com'\s+\)", text)


@pytest.mark.parametrize("result", [Result.REFUSED, Result.GUARDED])
def test_accounts_that_the_guard_keeps_out_never_appear(result: Result) -> None:
    guard = Verdict(Check.ROLE, result, "holds-role")
    kept_out = report("ceo@x.com", *ACCOUNT_CODES, guard=guard)

    assert "ceo" not in script(kept_out, report("lobby@x.com", "mfa"))
    assert script(kept_out) == ""
    assert numbers_csv([kept_out]) == b""


def test_every_changing_cmdlet_is_only_shown_without_apply() -> None:
    text = script(
        report("a@x.com", *ACCOUNT_CODES),
        bulk_sign_in_off={},
        gateway_apps_missing={"apps": "id-1"},
    )

    assert "[switch]$Apply" in text
    changing = [line.strip() for line in text.splitlines() if CHANGING.search(line)]
    assert len(changing) == 12
    without_switch = [line for line in changing if not line.endswith("-WhatIf:$dryRun")]
    # The only cmdlet without -WhatIf, behind `if ($Apply)`; and what is printed in its place.
    assert [line.split()[0] for line in without_switch] == [
        "Set-CsPhoneNumberAssignment",
        "Write-Host",
    ]
    lines = [line.strip() for line in text.splitlines()]
    assert lines[lines.index(without_switch[0]) - 1] == "if ($Apply) {"


def test_tenant_is_mended_without_any_account() -> None:
    text = script(bulk_sign_in_off={}, gateway_apps_missing={"apps": "id-1, id-2"})

    assert "Set-CsTeamsSipDevicesConfiguration -BulkSignIn 'Enabled' -WhatIf:$dryRun" in text
    assert re.search(r"\$accounts = @\(\s+'id-1'\s+'id-2'\s+\)", text)
    assert "$CallingPolicy" not in text


@pytest.mark.parametrize("codes", [("not-found",), ("conditional-access",), ()])
def test_there_is_no_script_for_what_cmdlets_do_not_mend(codes: Sequence[str]) -> None:
    verdicts = [Verdict(Check.EXISTS, Result.FAILED, code) for code in codes]

    assert script(AccountReport("a@x.com", verdicts), no_trusted_addresses={}) == ""


def test_script_says_of_how_many_accounts_the_guard_is_not_known() -> None:
    missing = unknown(Check.ROLE, Unknown(UnknownReason.PERMISSION))

    text = script(report("a@x.com", "mfa", guard=missing), report("b@x.com", "mfa"))

    assert "# Offhook could not tell of 1 of these accounts" in text


def test_script_for_the_largest_file_names_every_account_once() -> None:
    text = script(*(report(f"lobby{n}@contoso.com", "no-number") for n in range(20_000)))

    assert sum(name.endswith("@contoso.com") for name in strings(text)) == 20_000


def test_numbers_csv_has_the_accounts_without_a_number_in_order() -> None:
    data = numbers_csv(
        [report("b@x.com", "no-number"), report("c@x.com", "mfa"), report("a@x.com", "no-number")]
    )

    assert (
        data.decode("utf-8-sig") == "UserPrincipalName,TelephoneNumber\r\nb@x.com,\r\na@x.com,\r\n"
    )
