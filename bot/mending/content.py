"""What Offhook's policies say, and how a policy of the same name may differ.

Source of the settings: Microsoft, "Configure SIP Gateway", prerequisites.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bot.preflight.facts import PolicyType

#: By type: the fields that decide about SIP phones. All others are as in the tenant's Global policy.
CONTENT: Mapping[PolicyType, Mapping[str, str | bool]] = MappingProxyType(
    {
        PolicyType.IP_PHONE: {"SignInMode": "CommonAreaPhoneSignIn"},
        PolicyType.CALLING: {"AllowSIPDevicesCalling": True, "AllowCallRedirect": "Enabled"},
    }
)


@dataclass(frozen=True, slots=True)
class Difference:
    """Why a policy of our name is not ours."""

    policy: PolicyType
    field: str
    found: str
    wanted: str


def difference(policy: PolicyType, instance: Mapping[str, object]) -> Difference | None:
    """The first field of an existing policy that is not as wanted; None if it can be granted.

    `instance`: with lowercase field names.
    """
    for field, wanted in CONTENT[policy].items():
        found = instance.get(field.lower())
        if str(found).casefold() != str(wanted).casefold():
            return Difference(policy, field, str(found)[:80], str(wanted))
    return None
