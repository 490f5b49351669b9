"""Vendor and kind of a device, from the first half of its MAC address (OUI).

Uses the IEEE registry as shipped with netaddr. Vendors are those on Microsoft's list of SIP Gateway
devices.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType


class Vendor(StrEnum):
    """Vendors of supported devices, by display name."""

    ALE = "Alcatel-Lucent Enterprise"
    ALGO = "Algo"
    ASCOM = "Ascom"
    AUDIOCODES = "AudioCodes"
    CISCO = "Cisco"
    GIGASET = "Gigaset"
    POLY = "Poly"
    SNOM = "Snom"
    SPECTRALINK = "Spectralink"
    YEALINK = "Yealink"


class DeviceKind(StrEnum):
    """Kinds of devices, distinguished by their provisioning URL."""

    PHONE = "phone"
    CISCO_PHONE = "cisco-phone"
    AUDIOCODES_ATA = "audiocodes-ata"
    CISCO_ATA = "cisco-ata"
    POLY_ATA = "poly-ata"


# Vendor names in the registry. Obihai made the ATAs that Poly sells; Plantronics is Poly's former name;
# Kirk made the DECT servers that Spectralink sells. Of the companies called Ascom, Tateco makes handsets.
_ORGANIZATIONS = (
    (re.compile(r"audio ?codes", re.I), Vendor.AUDIOCODES),
    (re.compile(r"yealink", re.I), Vendor.YEALINK),
    (re.compile(r"\bpoly\b(?!-)|polycom|plantronics|obihai", re.I), Vendor.POLY),
    (re.compile(r"cisco systems|cisco-linksys", re.I), Vendor.CISCO),
    (re.compile(r"alcatel-lucent enterprise|ale international", re.I), Vendor.ALE),
    (re.compile(r"spectralink|kirk telecom", re.I), Vendor.SPECTRALINK),
    (re.compile(r"ascom tateco", re.I), Vendor.ASCOM),
    (re.compile(r"gigaset communications", re.I), Vendor.GIGASET),
    (re.compile(r"algo communication", re.I), Vendor.ALGO),
    (re.compile(r"\bsnom\b", re.I), Vendor.SNOM),
)
_ATA_KINDS: Mapping[Vendor | None, DeviceKind] = MappingProxyType(
    {Vendor.CISCO: DeviceKind.CISCO_ATA, Vendor.POLY: DeviceKind.POLY_ATA}
)
# Vendors of whom Microsoft lists nothing but wireless handsets and their bases.
_DECT_VENDORS = frozenset({Vendor.SPECTRALINK, Vendor.ASCOM, Vendor.GIGASET})
# Cisco ATA 191 and 192; Poly ATA 400 and 402, OBi 300 and 302. Without an entry: AudioCodes MP-124.
_USUAL_PORTS: Mapping[Vendor | None, int] = MappingProxyType({Vendor.CISCO: 2, Vendor.POLY: 2})


def vendor_of(hardware_id: str) -> Vendor | None:
    """The vendor of a hardware ID in canonical form. Returns None when it is not a supported one."""
    return _vendor(hardware_id[:8])


def kind_of(hardware_id: str) -> DeviceKind:
    """The kind of device of a hardware ID in canonical form. Only ATAs have ports.

    ATAs of unknown vendors count as AudioCodes, which are sold under other names.
    """
    vendor = _vendor(hardware_id[:8])
    if hardware_id[17:]:
        return _ATA_KINDS.get(vendor, DeviceKind.AUDIOCODES_ATA)
    return DeviceKind.CISCO_PHONE if vendor is Vendor.CISCO else DeviceKind.PHONE


def carries_handsets(hardware_id: str) -> bool:
    """True if a hardware ID is that of a DECT base, as far as the OUI tells.

    Bases of Poly and Yealink are not told apart from their desk phones.
    """
    return _vendor(hardware_id[:8]) in _DECT_VENDORS


def usual_ports(hardware_id: str) -> int:
    """How many ports an analog adapter with this hardware ID has at most, unless it is a large one.

    The OUI names the vendor only, so this is what its models on Microsoft's list have; of those that no
    OUI tells apart, all but the AudioCodes MP-1288.
    """
    return _USUAL_PORTS.get(_vendor(hardware_id[:8]), 24)


@lru_cache(maxsize=4096)
def _vendor(prefix: str) -> Vendor | None:
    # Imported here: it reads the whole registry, which takes longer than the rest of the start.
    import netaddr

    try:
        organization = str(netaddr.OUI(prefix).registration()["org"])
    except netaddr.NotRegisteredError:
        return None
    return next((vendor for name, vendor in _ORGANIZATIONS if name.search(organization)), None)
