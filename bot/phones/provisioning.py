"""Provisioning URLs, from which phones fetch their SIP Gateway configuration.

They use http because a phone fetches them before it has a certificate. Bulk sign-in requires the tenant
ID in the URL, since the SIP Gateway cannot otherwise tell which tenant a device belongs to. Source:
Microsoft, "Configure SIP Gateway".
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
# Microsoft documents mac.cfg for Cisco ATAs; other tools print this form, which is also in use.
_ALTERNATIVES: Mapping[DeviceKind, str] = MappingProxyType({DeviceKind.CISCO_ATA: "/$mac.cfg"})

# The DHCP option that supplies the provisioning URL, by vendor; none is documented for the others.
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
    """The provisioning URL for one kind of device in one region."""

    kind: DeviceKind
    region: Region
    url: str
    #: A second form in use where sources differ; "" if there is none.
    alternative: str = ""


def all_urls(tenant_id: str, region: Region) -> tuple[ProvisioningUrl, ...]:
    """The URLs for every kind of device in `region`."""
    return tuple(_url(kind, region, tenant_id) for kind in DeviceKind)


def url_for(hardware_id: str, region: Region, tenant_id: str) -> ProvisioningUrl:
    """The URL for one device. `hardware_id` must be in canonical form."""
    return _url(kind_of(hardware_id), region, tenant_id)


def _url(kind: DeviceKind, region: Region, tenant_id: str) -> ProvisioningUrl:
    base = f"http://{region.value.lower()}.ipp.sdg.teams.microsoft.com/tenantid/{tenant_id}"
    alternative = _ALTERNATIVES.get(kind)
    return ProvisioningUrl(
        kind, region, base + _SUFFIXES[kind], base + alternative if alternative else ""
    )
