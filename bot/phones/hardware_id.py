"""Hardware ids: the MAC address of a phone, or one analog port of an ATA.

The service takes `XX-XX-XX-XX-XX-XX` and `XX-XX-XX-XX-XX-XX:NNN`, ports from 001. Source: Microsoft,
"Configure SIP Gateway". People copy them from labels, switches and spreadsheets in many spellings; a
spelling whose digits are beyond doubt is normalised, and nothing is ever guessed.
"""

from __future__ import annotations

import re
from types import MappingProxyType

from bot.phones.value import INVISIBLE, Flaw, trim, visible

MAX_PORT = 24  # AudioCodes MP-124 has the most ports of the supported ATAs

_ZERO = "00-00-00-00-00-00"
_BROADCAST = "FF-FF-FF-FF-FF-FF"
_DOCUMENTATION = "00-00-5E-00-53-"  # RFC 7042, section 2.1.2: for examples, on no device

# What needs no second look: a unicast address and a port as the service writes them. It leaves out
# all that begins with zeros, so that it is fast.
CANONICAL = re.compile(
    r"(?!00-00-)"
    + "-".join(["[0-9A-F][02468ACE]", *["[0-9A-F][0-9A-F]"] * 5])
    + r"(?::0(?:0[1-9]|1[0-9]|2[0-4]))?"
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
# Word processors make hyphens longer; invisible characters come along with copied text.
_FOLDED = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe63\uff0d", "-")
    | {"\uff1a": ":", "\u00a0": " "}
    | dict.fromkeys(INVISIBLE)
)
_LOOK_ALIKES = MappingProxyType({"O": "0", "I": "1", "L": "1"})
_LOOKS_LIKE = str.maketrans(dict(_LOOK_ALIKES))
_SCIENTIFIC = re.compile(r"[0-9](?:[.,][0-9]+)?E\+?[0-9]{1,2}", re.ASCII | re.IGNORECASE)
_WITH_ENDING = re.compile(
    r"(?P<device>.*?[0-9a-f])[ ]?(?P<by>[-:./ ])[ ]?(?P<port>[0-9a-z]{1,6})", re.A | re.I
)


def parse(text: str) -> str | Flaw:
    """The hardware id that `text` spells, as the service writes it, or why it spells none."""
    spelled = _SPELLING.fullmatch(text)
    if spelled is None:
        plain = trim(text).translate(_FOLDED)
        spelled = _SPELLING.fullmatch(plain)
        if spelled is None:
            return _explain(plain)
    device = _device(spelled)
    if not CANONICAL.fullmatch(device) and (flaw := _not_a_phone(device)):
        return flaw
    port = spelled["port"]
    if port is None:
        return device
    if not 1 <= int(port) <= MAX_PORT:
        return Flaw("hardware-id-port-range", {"port": port, "last": f"{MAX_PORT:03}"})
    return f"{device}:{int(port):03}"


def resembles(text: str) -> bool:
    """True if `text` is spelled like a hardware id, be it a usable one or not."""
    return _SPELLING.fullmatch(trim(text).translate(_FOLDED)) is not None


def port_was_padded(text: str, hardware_id: str) -> bool:
    """True if `text`, trimmed, gives the port of `hardware_id` in fewer than three digits."""
    port = hardware_id[17:]
    return port != "" and not text.endswith(port[1:])


def _device(spelled: re.Match[str]) -> str:
    digits = spelled["digits"].replace("-", "").replace(":", "").replace(".", "")
    return bytes.fromhex(digits).hex("-").upper()  # which skips spaces itself


def _not_a_phone(device: str) -> Flaw | None:
    if device == _ZERO:
        return Flaw("hardware-id-zero")
    if device == _BROADCAST:
        return Flaw("hardware-id-broadcast")
    if int(device[:2], 16) & 1:
        return Flaw("hardware-id-multicast", {"octet": device[:2]})
    if device.startswith(_DOCUMENTATION):
        return Flaw("hardware-id-example")
    return None


def _explain(plain: str) -> Flaw:
    """Why `plain`, trimmed and folded, is no spelling of a hardware id."""
    if not plain:
        return Flaw("hardware-id-empty")
    if plain.startswith("="):
        return Flaw("hardware-id-formula")
    if _SCIENTIFIC.fullmatch(plain):
        return Flaw("hardware-id-scientific")
    return _wrong_port(plain) or _look_alike(plain) or _wrong_digits(plain)


def _wrong_port(plain: str) -> Flaw | None:
    ending = _WITH_ENDING.fullmatch(plain)
    device = _SPELLING.fullmatch(ending["device"]) if ending else None
    if ending is None or device is None or device["port"]:
        return None
    port = ending["port"]
    if port.isdigit() and 1 <= int(port) <= MAX_PORT:
        return Flaw("hardware-id-port-format", {"suggestion": f"{_device(device)}:{int(port):03}"})
    if port.isdigit() or ending["by"] == ":":
        return Flaw("hardware-id-port-range", {"port": port, "last": f"{MAX_PORT:03}"})
    return None


def _look_alike(plain: str) -> Flaw | None:
    upper = plain.upper()
    meant = _SPELLING.fullmatch(upper.translate(_LOOKS_LIKE))
    letter = next((letter for letter in _LOOK_ALIKES if letter in upper), None)
    if meant is None or letter is None:
        return None
    suggestion = _device(meant) + (f":{int(meant['port']):03}" if meant["port"] else "")
    return Flaw(
        "hardware-id-look-alike",
        {"letter": letter, "digit": _LOOK_ALIKES[letter], "suggestion": suggestion},
    )


def _wrong_digits(plain: str) -> Flaw:
    digits = plain.translate(_SEPARATORS).upper()
    odd = next((character for character in digits if character not in "0123456789ABCDEF"), None)
    if odd is not None:
        return Flaw("hardware-id-not-hex", {"character": visible(odd)})
    if len(digits) == 12:
        return Flaw("hardware-id-grouping", {"suggestion": bytes.fromhex(digits).hex("-").upper()})
    if plain.isdigit() and 6 <= len(plain) < 12:
        return Flaw("hardware-id-leading-zeros", {"digits": len(plain)})
    return Flaw("hardware-id-length", {"digits": len(digits)})
