"""Which failures of the SIP Gateway's catalog the account checks foretell; no false alarms."""

from __future__ import annotations

from bench import foretold

FORETOLD = {
    "user-not-found": "not-found",
    "no-phone-number": "no-number",
    "no-sip-calling-policy": "no-sip-devices-policy",
    "no-cap-policy": "no-common-area-policy",
    "ip-not-trusted": "no-trusted-addresses",
}
WARNED = dict.fromkeys(("ad-configuration", "ad-throttling", "password-writeback"), "synchronized")


async def test_failures_about_accounts_and_tenant_are_foretold() -> None:
    found = await foretold.foretold()
    assert len(found) == 14
    assert {code: each.code for code, each in found.items() if each} == FORETOLD | WARNED


async def test_clean_tenant_gives_no_false_alarm() -> None:
    assert await foretold.false_alarms(100) == []
