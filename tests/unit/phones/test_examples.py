"""The files in `examples/` match what the README and the demo say about them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from bot.phones.region import Region
from bot.phones.roster import read
from bot.phones.vendor import DeviceKind, Vendor, kind_of, vendor_of

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_lobby_phones_example_has_documented_issues() -> None:
    found = read((EXAMPLES / "lobby-phones.csv").read_bytes(), "lobby-phones.csv")
    assert (len(found.rows), found.ready) == (259, 244)
    assert Counter(row.region for row in found.rows if row.ready) == {
        Region.EMEA: 152,
        Region.NOAM: 92,
    }
    assert [notice.code for notice in found.notices] == [
        "encoding-guessed",
        "columns-ignored",
        "hardware-ids-respelled",
        "values-trimmed",
        "accounts-on-several",
    ]
    assert Counter(issue.code for issue in found.issues) == {
        "username-space": 1,
        "username-not-ascii": 1,
        "username-no-at": 1,
        "hardware-id-empty": 1,
        "hardware-id-length": 1,
        "hardware-id-look-alike": 1,
        "hardware-id-multicast": 1,
        "hardware-id-scientific": 1,
        "hardware-id-port-range": 1,
        "hardware-id-port-padded": 1,
        "hardware-id-shared": 2,
        "region-unknown": 2,
        "duplicate": 2,
        "account-on-several": 1,
    }


def test_lobby_phones_example_covers_supported_vendors() -> None:
    found = read((EXAMPLES / "lobby-phones.csv").read_bytes(), "lobby-phones.csv")
    going = [row.hardware_id for row in found.rows if row.ready]
    assert {vendor_of(hardware_id) for hardware_id in going} == {
        Vendor.AUDIOCODES,
        Vendor.CISCO,
        Vendor.POLY,
        Vendor.YEALINK,
    }
    assert Counter(map(kind_of, going))[DeviceKind.AUDIOCODES_ATA] == 4


def test_two_phones_example_has_no_issues() -> None:
    found = read((EXAMPLES / "two-phones.csv").read_bytes(), "two-phones.csv")
    assert (found.ready, found.not_ready, list(found.issues)) == (2, 0, [])
