from __future__ import annotations

import pytest

from bot.phones.vendor import DeviceKind, Vendor, kind_of, vendor_of


@pytest.mark.parametrize(
    ("prefix", "vendor", "phone", "adapter"),
    [
        ("00-90-8F", Vendor.AUDIOCODES, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),
        ("00-17-19", Vendor.AUDIOCODES, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),
        ("00-04-F2", Vendor.POLY, DeviceKind.PHONE, DeviceKind.POLY_ATA),
        ("64-16-7F", Vendor.POLY, DeviceKind.PHONE, DeviceKind.POLY_ATA),
        ("48-25-67", Vendor.POLY, DeviceKind.PHONE, DeviceKind.POLY_ATA),
        ("9C-AD-EF", Vendor.POLY, DeviceKind.PHONE, DeviceKind.POLY_ATA),
        ("00-1B-67", Vendor.CISCO, DeviceKind.CISCO_PHONE, DeviceKind.CISCO_ATA),
        ("E8-0A-B9", Vendor.CISCO, DeviceKind.CISCO_PHONE, DeviceKind.CISCO_ATA),
        ("80-5E-C0", Vendor.YEALINK, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),
        ("00-15-65", Vendor.YEALINK, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),
        ("00-80-9F", Vendor.ALE, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),
        ("3C-28-A6", Vendor.ALE, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),
        ("00-90-7A", Vendor.SPECTRALINK, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),
        ("00-13-D1", Vendor.SPECTRALINK, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),  # Kirk
        ("00-01-3E", Vendor.ASCOM, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),
        ("7C-2F-80", Vendor.GIGASET, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),
        ("00-22-EE", Vendor.ALGO, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),
        ("00-04-13", Vendor.SNOM, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),
        ("00-07-73", None, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),  # Ascom Powerline
        ("BC-9D-A5", None, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),  # Dascom
        ("9C-E3-30", None, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),  # Cisco Meraki
        ("00-25-BA", None, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),  # Alcatel-Lucent IPD
        ("02-00-00", None, DeviceKind.PHONE, DeviceKind.AUDIOCODES_ATA),  # not registered
    ],
)
def test_vendor_and_kind_follow_from_oui_and_port(
    prefix: str, vendor: Vendor | None, phone: DeviceKind, adapter: DeviceKind
) -> None:
    assert vendor_of(f"{prefix}-12-34-56") is vendor
    assert kind_of(f"{prefix}-12-34-56") is phone
    assert kind_of(f"{prefix}-12-34-56:001") is adapter
