"""Whose phone it is, by the first half of its MAC address (OUI), and what kind of device that makes it.

The registry is the IEEE's, as netaddr ships it. Vendors: those of Microsoft's list of devices for the
SIP Gateway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType

import netaddr


class Vendor(StrEnum):
    ALE = "Alcatel-Lucent Enterprise"
    AUDIOCODES = "AudioCodes"
    CISCO = "Cisco"
    POLY = "Poly"
    YEALINK = "Yealink"


class DeviceKind(StrEnum):
    """Devices that differ in the URL from which they are provisioned."""

    PHONE = "phone"
    CISCO_PHONE = "cisco-phone"
    AUDIOCODES_ATA = "audiocodes-ata"
    CISCO_ATA = "cisco-ata"
    POLY_ATA = "poly-ata"


# How the registry spells them. Obihai made the ATAs that Poly sells; Plantronics is Poly's old name.
_ORGANISATIONS = (
    (re.compile(r"audio ?codes", re.I), Vendor.AUDIOCODES),
    (re.compile(r"yealink", re.I), Vendor.YEALINK),
    (re.compile(r"\bpoly\b(?!-)|polycom|plantronics|obihai", re.I), Vendor.POLY),
    (re.compile(r"cisco systems|cisco-linksys", re.I), Vendor.CISCO),
    (re.compile(r"alcatel-lucent enterprise|ale international", re.I), Vendor.ALE),
)
_ATA_KINDS: Mapping[Vendor | None, DeviceKind] = MappingProxyType(
    {Vendor.CISCO: DeviceKind.CISCO_ATA, Vendor.POLY: DeviceKind.POLY_ATA}
)


def vendor_of(hardware_id: str) -> Vendor | None:
    """The vendor of a hardware id in canonical form; None if it is none of those supported."""
    return _vendor(hardware_id[:8])


def kind_of(hardware_id: str) -> DeviceKind:
    """The kind of a hardware id in canonical form. Only ATAs have ports.

    The ATA of a vendor that is not known counts as an AudioCodes one: those are sold under other names.
    """
    vendor = _vendor(hardware_id[:8])
    if hardware_id[17:]:
        return _ATA_KINDS.get(vendor, DeviceKind.AUDIOCODES_ATA)
    return DeviceKind.CISCO_PHONE if vendor is Vendor.CISCO else DeviceKind.PHONE


@lru_cache(maxsize=4096)
def _vendor(prefix: str) -> Vendor | None:
    try:
        organisation = str(netaddr.OUI(prefix).registration()["org"])
    except netaddr.NotRegisteredError:
        return None
    return next((vendor for name, vendor in _ORGANISATIONS if name.search(organisation)), None)
