from __future__ import annotations

import pytest

from bot.phones.provisioning import DHCP_OPTIONS, all_urls, url_for
from bot.phones.region import Region
from bot.phones.vendor import DeviceKind, Vendor

TENANT = "5f1c2c5e-7b0e-4d0a-9b5e-0d6a4c2f9b11"
BASE = f"http://emea.ipp.sdg.teams.microsoft.com/tenantid/{TENANT}"


def test_all_urls_covers_every_kind_of_device() -> None:
    assert [(each.kind, each.url, each.alternative) for each in all_urls(TENANT, Region.EMEA)] == [
        (DeviceKind.PHONE, BASE, ""),
        (DeviceKind.CISCO_PHONE, f"{BASE}/$PSN.xml", ""),
        (DeviceKind.AUDIOCODES_ATA, f"{BASE}/mac.ini", ""),
        (DeviceKind.CISCO_ATA, f"{BASE}/mac.cfg", f"{BASE}/$mac.cfg"),
        (DeviceKind.POLY_ATA, f"{BASE}/$mac.cfg", ""),
    ]


@pytest.mark.parametrize(
    ("hardware_id", "region", "url"),
    [
        ("80-5E-C0-12-34-56", Region.NOAM, BASE.replace("emea", "noam")),
        ("E8-0A-B9-12-34-56", Region.APAC, BASE.replace("emea", "apac") + "/$PSN.xml"),
        ("00-90-8F-12-34-56:003", Region.EMEA, BASE + "/mac.ini"),
    ],
)
def test_url_for_depends_on_device_and_region(hardware_id: str, region: Region, url: str) -> None:
    assert url_for(hardware_id, region, TENANT).url == url


def test_every_vendor_has_a_dhcp_option() -> None:
    assert set(Vendor) - DHCP_OPTIONS.keys() == {
        Vendor.ALGO,
        Vendor.ASCOM,
        Vendor.GIGASET,
        Vendor.SNOM,
        Vendor.SPECTRALINK,
    }
    assert {vendor for vendor, option in DHCP_OPTIONS.items() if option == 66} == {
        Vendor.YEALINK,
        Vendor.ALE,
    }
