"""The simulated tenant's policies and switch, which can be written; what is written shows after a while."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from bot.simulator.scenario import Scenario

IP_PHONE, CALLING = "TeamsIPPhonePolicy", "TeamsCallingPolicy"
SWITCH, ADDRESSES = "TeamsSipDevicesConfiguration", "TenantTrustedIPAddress"
_NAMES = {"ip_phone_policy": IP_PHONE, "calling_policy": CALLING}
#: The field of `bot.simulator.tenant.Account` for an assigned policy, by policy type.
FIELD = {policy: field for field, policy in _NAMES.items()}


class Policies:
    """Instances by policy type and name."""

    def __init__(self, scenario: Scenario) -> None:
        self._lag = scenario.policy_lag
        self._trusted = scenario.trusted_addresses
        self._pending: list[tuple[float, Callable[[], object]]] = []
        self.bulk_sign_in = scenario.bulk_sign_in
        self.instances: dict[str, dict[str, Mapping[str, Any]]] = {
            IP_PHONE: {
                name: {"SignInMode": mode} for name, mode in scenario.ip_phone_policies.items()
            },
            CALLING: {
                name: {
                    "AllowPrivateCalling": True,
                    "AllowSIPDevicesCalling": policy.sip_devices,
                    "AllowCallRedirect": policy.call_redirect,
                }
                for name, policy in scenario.calling_policies.items()
            },
        }

    def later(self, apply: Callable[[], object]) -> None:
        """Apply a write when it shows."""
        self._pending.append((time.monotonic() + self._lag, apply))

    def settle(self) -> None:
        """Apply what shows by now."""
        now = time.monotonic()
        due = [apply for at, apply in self._pending if at <= now]
        self._pending = [each for each in self._pending if each[0] > now]
        for apply in due:
            apply()

    def show(self) -> None:
        """End the lag: everything that was written shows, and so does each later write."""
        self._lag = 0
        self._pending = [(0, apply) for _, apply in self._pending]

    def find(self, kind: str, name: str) -> Mapping[str, Any] | None:
        """An instance by its name in any case, with or without `Tag:`; "" for the Global one."""
        self.settle()
        wanted = (name or "Global").casefold().removeprefix("tag:")
        found = (each for known, each in self.instances[kind].items() if known.casefold() == wanted)
        return next(found, None)

    def configurations(self) -> Mapping[str, Sequence[Mapping[str, Any]]]:
        """What the ConfigAPI lists, by policy or configuration type."""
        self.settle()
        address = {"Identity": "203.0.113.0", "IPAddress": "203.0.113.0", "MaskBits": 24}
        switch = "Enabled" if self.bulk_sign_in else "Disabled"
        lists: dict[str, Sequence[Mapping[str, Any]]] = {
            kind: [{"Identity": _identity(name), **fields} for name, fields in instances.items()]
            for kind, instances in self.instances.items()
        }
        return lists | {
            SWITCH: [{"Identity": "Global", "BulkSignIn": switch}],
            ADDRESSES: [address] if self._trusted else [],
        }


def _identity(policy: str) -> str:
    return policy if policy == "Global" else f"Tag:{policy}"
