"""The URLs from which phones fetch their configuration for the SIP Gateway.

They are http on purpose: a phone reads one before it holds a certificate. The tenant id belongs into
them for bulk sign-in, since the service cannot tell otherwise whose device it is. Source: Microsoft,
"Configure SIP Gateway".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bot.phones.region import Region
from bot.phones.vendor import DeviceKind, Vendor, kind_of

_SUFFIXES: Mapping[DeviceKind, str] = MappingProxyType(
    {
        DeviceKind.PHONE: "",
        DeviceKind.CISCO_PHONE: "/$PSN.xml",
        DeviceKind.AUDIOCODES_ATA: "/mac.ini",
        DeviceKind.CISCO_ATA: "/mac.cfg",
        DeviceKind.POLY_ATA: "/$mac.cfg",
    }
)
# Microsoft writes mac.cfg for the ATAs of Cisco; other tools print this one, and it is in use.
_ALTERNATIVES: Mapping[DeviceKind, str] = MappingProxyType({DeviceKind.CISCO_ATA: "/$mac.cfg"})

# The DHCP option that hands a phone of this vendor its URL.
DHCP_OPTIONS: Mapping[Vendor, int] = MappingProxyType(
    {
        Vendor.ALE: 66,
        Vendor.AUDIOCODES: 160,
        Vendor.CISCO: 160,
        Vendor.POLY: 160,
        Vendor.YEALINK: 66,
    }
)


@dataclass(frozen=True, slots=True)
class ProvisioningUrl:
    """`alternative` is a second form that is in use where the sources differ, else empty."""

    kind: DeviceKind
    region: Region
    url: str
    alternative: str = ""


def all_urls(tenant_id: str, region: Region) -> tuple[ProvisioningUrl, ...]:
    """The URL of every kind of device in `region`."""
    return tuple(_url(kind, region, tenant_id) for kind in DeviceKind)


def url_for(hardware_id: str, region: Region, tenant_id: str) -> ProvisioningUrl:
    """The URL for one device, its hardware id in canonical form."""
    return _url(kind_of(hardware_id), region, tenant_id)


def _url(kind: DeviceKind, region: Region, tenant_id: str) -> ProvisioningUrl:
    base = f"http://{region.value.lower()}.ipp.sdg.teams.microsoft.com/tenantid/{tenant_id}"
    alternative = _ALTERNATIVES.get(kind)
    return ProvisioningUrl(
        kind, region, base + _SUFFIXES[kind], base + alternative if alternative else ""
    )
