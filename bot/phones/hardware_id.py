"""Hardware IDs: the MAC address of a phone, or of one analog port on an ATA.

The SIP Gateway accepts `XX-XX-XX-XX-XX-XX` and `XX-XX-XX-XX-XX-XX:NNN`, with ports from 001. Source:
Microsoft, "Configure SIP Gateway". Labels, switches and spreadsheets spell them in many ways; a spelling
with unambiguous digits is normalized, and nothing is ever guessed.
"""

from __future__ import annotations

import re
from types import MappingProxyType

from bot.phones.formula import unescape_formula
from bot.phones.value import INVISIBLE, Flaw, trim, visible

MAX_PORT = 288  # AudioCodes MP-1288, which has the most ports of the supported ATAs

_ZERO = "00-00-00-00-00-00"
_BROADCAST = "FF-FF-FF-FF-FF-FF"
_DOCUMENTATION = "00-00-5E-00-53-"  # RFC 7042, section 2.1.2: reserved for examples

# Fast path: a unicast address and optional port exactly as the SIP Gateway writes them. Excludes anything
# that starts with 00-00-, which needs a closer check.
CANONICAL = re.compile(
    r"(?!00-00-)"
    + "-".join(["[0-9A-F][02468ACE]", *["[0-9A-F][0-9A-F]"] * 5])
    + r"(?::(?!000)(?:[01][0-9]{2}|2[0-7][0-9]|28[0-8]))?"
)
_SPELLING = re.compile(
    r"""(?P<digits>
          X{12}
        | XX(?P<by2>[-:.\ ])(?:XX(?P=by2)){4}XX
        | X{4}(?P<by4>[-:.\ ])X{4}(?P=by4)X{4}
        | X{6}[-:.\ ]X{6}
        )
        (?:\ ?:\ ?(?P<port>[0-9]{1,3}))?""".replace("X", "[0-9A-Fa-f]"),
    re.VERBOSE,
)
_SEPARATORS = str.maketrans("", "", "-:. _/")
# Word processors replace hyphens with dashes; copied text contains invisible characters.
_FOLD = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d", "-")
    | {"\uff1a": ":", "\u00a0": " "}
    | dict.fromkeys(INVISIBLE)
)
_LOOK_ALIKES = MappingProxyType({"O": "0", "I": "1", "L": "1"})
_TO_DIGITS = str.maketrans(dict(_LOOK_ALIKES))
_SCIENTIFIC = re.compile(r"[0-9](?:[.,][0-9]+)?E\+?[0-9]{1,2}", re.ASCII | re.IGNORECASE)
_DEVICE_AND_SUFFIX = re.compile(
    r"(?P<device>.*?[0-9a-f])[ ]?(?P<by>[-:./ ])[ ]?(?P<port>[0-9a-z]{1,6})", re.A | re.I
)


def parse(text: str) -> str | Flaw:
    """The hardware ID in `text` in canonical form, or a `Flaw` if it is not one."""
    match = _SPELLING.fullmatch(text)
    if match is None:
        folded = trim(unescape_formula(trim(text))).translate(_FOLD)
        match = _SPELLING.fullmatch(folded)
        if match is None:
            return _explain(folded)
    mac = _canonical_mac(match)
    if not CANONICAL.fullmatch(mac) and (flaw := _unusable_mac(mac)):
        return flaw
    port = match["port"]
    if port is None:
        return mac
    if not 1 <= int(port) <= MAX_PORT:
        return Flaw("hardware-id-port-range", {"port": port, "last": f"{MAX_PORT:03}"})
    return f"{mac}:{int(port):03}"


def resembles(text: str) -> bool:
    """True if `text` is spelled like a hardware ID, usable or not."""
    return _SPELLING.fullmatch(trim(text).translate(_FOLD)) is not None


def port_of(hardware_id: str) -> int | None:
    """The port in a hardware ID in canonical form; None if it names a whole device."""
    port = hardware_id[18:]
    return int(port) if port else None


def port_was_padded(text: str, hardware_id: str) -> bool:
    """True if `text` (trimmed) spells the port of `hardware_id` with fewer than three digits."""
    port = hardware_id[17:]
    return port != "" and not text.endswith(port[1:])


def _canonical_mac(match: re.Match[str]) -> str:
    digits = match["digits"].replace("-", "").replace(":", "").replace(".", "")
    return bytes.fromhex(digits).hex("-").upper()  # fromhex() skips spaces


def _unusable_mac(mac: str) -> Flaw | None:
    if mac == _ZERO:
        return Flaw("hardware-id-zero")
    if mac == _BROADCAST:
        return Flaw("hardware-id-broadcast")
    if int(mac[:2], 16) & 1:
        return Flaw("hardware-id-multicast", {"octet": mac[:2]})
    if mac.startswith(_DOCUMENTATION):
        return Flaw("hardware-id-example")
    return None


def _explain(folded: str) -> Flaw:
    """Why `folded` is not a spelling of a hardware ID."""
    if not folded:
        return Flaw("hardware-id-empty")
    if folded.startswith("="):
        return Flaw("hardware-id-formula")
    if _SCIENTIFIC.fullmatch(folded):
        return Flaw("hardware-id-scientific")
    return _wrong_port(folded) or _look_alike(folded) or _wrong_digits(folded)


def _wrong_port(folded: str) -> Flaw | None:
    parts = _DEVICE_AND_SUFFIX.fullmatch(folded)
    match = _SPELLING.fullmatch(parts["device"]) if parts else None
    if parts is None or match is None or match["port"]:
        return None
    port = parts["port"]
    if port.isdigit() and 1 <= int(port) <= MAX_PORT:
        return Flaw(
            "hardware-id-port-format", {"suggestion": f"{_canonical_mac(match)}:{int(port):03}"}
        )
    if port.isdigit() or parts["by"] == ":":
        return Flaw("hardware-id-port-range", {"port": port, "last": f"{MAX_PORT:03}"})
    return None


def _look_alike(folded: str) -> Flaw | None:
    upper = folded.upper()
    match = _SPELLING.fullmatch(upper.translate(_TO_DIGITS))
    letter = next((letter for letter in _LOOK_ALIKES if letter in upper), None)
    if match is None or letter is None:
        return None
    suggestion = _canonical_mac(match) + (f":{int(match['port']):03}" if match["port"] else "")
    return Flaw(
        "hardware-id-look-alike",
        {"letter": letter, "digit": _LOOK_ALIKES[letter], "suggestion": suggestion},
    )


def _wrong_digits(folded: str) -> Flaw:
    digits = folded.translate(_SEPARATORS).upper()
    invalid = next((character for character in digits if character not in "0123456789ABCDEF"), None)
    if invalid is not None:
        return Flaw("hardware-id-not-hex", {"character": visible(invalid)})
    if len(digits) == 12:
        return Flaw("hardware-id-grouping", {"suggestion": bytes.fromhex(digits).hex("-").upper()})
    if folded.isdigit() and 6 <= len(folded) < 12:
        return Flaw("hardware-id-leading-zeros", {"digits": len(folded)})
    return Flaw("hardware-id-length", {"digits": len(digits)})
