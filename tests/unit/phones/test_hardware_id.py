from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.phones.hardware_id import CANONICAL as FAST_PATH
from bot.phones.hardware_id import MAX_PORT, parse, port_of, port_was_padded, resembles
from bot.phones.value import Flaw

CANONICAL = re.compile(r"[0-9A-F]{2}(-[0-9A-F]{2}){5}(:[0-9]{3})?")


@pytest.mark.parametrize(
    "text",
    [
        "1A-2B-3C-D4-E5-F6",
        "1a-2b-3c-d4-e5-f6",
        "1A:2B:3C:D4:E5:F6",
        "1a:2B:3c:D4:e5:F6",
        "1a2b.3cd4.e5f6",
        "1A.2B.3C.D4.E5.F6",
        "1a2b3cd4e5f6",
        "1A2B-3CD4-E5F6",
        "1A2B3C-D4E5F6",
        "1A 2B 3C D4 E5 F6",
        "  1A-2B-3C-D4-E5-F6\t",
        "\u00a01A-2B-3C-D4-E5-F6\u200b",
        "\u200e1A-2B-3C-D4-E5-F6",
        "1A\u20132B\u20133C\u2013D4\u2013E5\u2013F6",
        "1A\u20112B\u20113C\u2011D4\u2011E5\u2011F6",
    ],
)
def test_mac_address_is_normalized_in_any_spelling(text: str) -> None:
    assert parse(text) == "1A-2B-3C-D4-E5-F6"


@pytest.mark.parametrize("text", ["00-00-0C-12-34-56", "00:00:0c:12:34:56", "00-00-00-00-00-01"])
def test_mac_address_is_accepted_when_it_starts_with_zeros(text: str) -> None:
    assert parse(text) == text.upper().replace(":", "-")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1A-2B-3C-D4-E5-F6:001", "1A-2B-3C-D4-E5-F6:001"),
        ("1a:2b:3c:d4:e5:f6:001", "1A-2B-3C-D4-E5-F6:001"),
        ("1a2b.3cd4.e5f6:024", "1A-2B-3C-D4-E5-F6:024"),
        ("1A-2B-3C-D4-E5-F6:025", "1A-2B-3C-D4-E5-F6:025"),
        ("1a2b3cd4e5f6:288", "1A-2B-3C-D4-E5-F6:288"),
        ("1a2b3cd4e5f6:12", "1A-2B-3C-D4-E5-F6:012"),
        ("1A-2B-3C-D4-E5-F6:1", "1A-2B-3C-D4-E5-F6:001"),
        ("1A-2B-3C-D4-E5-F6:01", "1A-2B-3C-D4-E5-F6:001"),
        ("1A-2B-3C-D4-E5-F6 : 001", "1A-2B-3C-D4-E5-F6:001"),
    ],
)
def test_port_is_normalized_to_three_digits(text: str, expected: str) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "padded"),
    [
        ("1A-2B-3C-D4-E5-F6", False),
        ("1A-2B-3C-D4-E5-F6:001", False),
        ("1a2b3cd4e5f6 : 001", False),
        ("1A-2B-3C-D4-E5-F6:1", True),
        ("1A-2B-3C-D4-E5-F6:01", True),
        ("001A2B3CD4E5:1", True),
    ],
)
def test_port_was_padded_detects_short_ports(text: str, padded: bool) -> None:
    read = parse(text)
    assert isinstance(read, str)
    assert port_was_padded(text, read) is padded


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "hardware-id-empty"),
        (" \u00a0\u200b ", "hardware-id-empty"),
        ("00-00-00-00-00-00", "hardware-id-zero"),
        ("000000000000", "hardware-id-zero"),
        ("ff:ff:ff:ff:ff:ff", "hardware-id-broadcast"),
        ("01-00-5E-7F-00-12", "hardware-id-multicast"),
        ("33:33:00:00:00:01", "hardware-id-multicast"),
        ("00-00-5E-00-53-01", "hardware-id-example"),
        ("00005E0053FF:001", "hardware-id-example"),
        ("1A-2B-3C-D4-E5-F6:000", "hardware-id-port-range"),
        ("1A-2B-3C-D4-E5-F6:289", "hardware-id-port-range"),
        ("1A-2B-3C-D4-E5-F6:999", "hardware-id-port-range"),
        ("1A-2B-3C-D4-E5-F6:0", "hardware-id-port-range"),
        ("1A-2B-3C-D4-E5-F6:FXS", "hardware-id-port-range"),
        ("1A-2B-3C-D4-E5-F6:0001", "hardware-id-port-format"),
        ("1A-2B-3C-D4-E5-F6-001", "hardware-id-port-format"),
        ("1A2B3CD4E5F6/2", "hardware-id-port-format"),
        ("1A-2B-3C-D4-E5-F", "hardware-id-length"),
        ("1A-2B-3C-D4-E5-F6-A7", "hardware-id-length"),
        ("1A2B3CD4E5F6A7", "hardware-id-length"),
        ("---", "hardware-id-length"),
        ("1A-2B-3C-D4-E5-G6", "hardware-id-not-hex"),
        ("=cmd|' /C calc'!A0", "hardware-id-formula"),
        ("\u0661A-2B-3C-D4-E5-F6", "hardware-id-not-hex"),
        ("1A-2B-3C-D4-E5-F\u202e6\u0007", "hardware-id-not-hex"),
        ("1A-2B-3C-D4-E5-O6", "hardware-id-look-alike"),
        ("lA2B3CD4E5F6", "hardware-id-look-alike"),
        ("IA:2B:3C:D4:E5:F6:001", "hardware-id-look-alike"),
        ("1A2-B3C-D4E-5F6", "hardware-id-grouping"),
        ("1A-2B-3C-D4-E5F6", "hardware-id-grouping"),
        ("1A-2B:3C-D4:E5-F6", "hardware-id-grouping"),
        ("4072900321", "hardware-id-leading-zeros"),
        ("8.05E+11", "hardware-id-scientific"),
        ("8,05e+11", "hardware-id-scientific"),
    ],
)
def test_hardware_id_is_rejected_with_a_code(text: str, code: str) -> None:
    flaw = parse(text)
    assert isinstance(flaw, Flaw)
    assert flaw.code == code


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [
        ("64:16:7f:O3:9a:11", "64-16-7F-03-9A-11"),
        ("I6:l6:7f:03:9a:11:001", "16-16-7F-03-9A-11:001"),
        ("1A2-B3C-D4E-5F6", "1A-2B-3C-D4-E5-F6"),
        ("1a2b3cd4e5f6-7", "1A-2B-3C-D4-E5-F6:007"),
    ],
)
def test_flaw_suggests_a_correction(text: str, suggestion: str) -> None:
    flaw = parse(text)
    assert isinstance(flaw, Flaw)
    assert flaw.arguments["suggestion"] == suggestion


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1a2b.3cd4.e5f6", True), ("00-00-00-00-00-00", True), ("EMEA", False), ("", False)],
)
def test_resembles_recognizes_spelling_only(text: str, expected: bool) -> None:
    assert resembles(text) is expected


octets = st.lists(st.integers(0, 255), min_size=6, max_size=6).filter(
    lambda octets: any(octets) and octets[0] % 2 == 0 and octets[:5] != [0, 0, 0x5E, 0, 0x53]
)


@given(octets, st.none() | st.integers(1, MAX_PORT), st.data())
def test_every_spelling_normalizes_to_the_same_hardware_id(
    octets: list[int], port: int | None, data: st.DataObject
) -> None:
    digits = "".join(f"{octet:02X}" for octet in octets)
    expected = "-".join(f"{octet:02X}" for octet in octets)
    size = data.draw(st.sampled_from([2, 4, 6, 12]))
    separator = data.draw(st.sampled_from("-:. "))
    spelled = separator.join(digits[at : at + size] for at in range(0, 12, size))
    cased = "".join(
        character.lower() if data.draw(st.booleans()) else character for character in spelled
    )
    around = data.draw(st.sampled_from(["", " ", "\t", "\u00a0", "\u200e"]))
    ending = "" if port is None else f":{port:03}"
    assert parse(around + cased + ending + around) == expected + ending


@given(st.text() | st.text("0123456789abcdefABCDEFOIl-:. ", max_size=24))
def test_parsed_hardware_id_is_canonical_and_stable(text: str) -> None:
    read = parse(text)
    if isinstance(read, str):
        assert CANONICAL.fullmatch(read)
        assert parse(read) == read


def test_fast_path_accepts_exactly_the_ports_from_001_to_288() -> None:
    """Microsoft, "Plan for SIP Gateway": all ports of the AudioCodes MP-1288 are available."""
    accepted = [at for at in range(1000) if FAST_PATH.fullmatch(f"1A-2B-3C-D4-E5-F6:{at:03}")]
    assert accepted == list(range(1, 289)) == list(range(1, MAX_PORT + 1))


def test_port_of_is_none_without_a_port() -> None:
    assert port_of("1A-2B-3C-D4-E5-F6") is None
    assert port_of("1A-2B-3C-D4-E5-F6:025") == 25
