"""Which SIP Gateway client acts for a batch: the app's own, or one with an approver's delegation."""

from __future__ import annotations

from dataclasses import dataclass

from bot.gateway import SipGateway
from bot.identity.delegations import Delegation, Delegations
from bot.signin.batch import BatchState
from bot.store.batches import Batch, Reach


@dataclass(frozen=True, slots=True)
class Access:
    """A client for one call, and whose permissions it uses."""

    gateway: SipGateway
    delegation: Delegation[SipGateway] | None = None  #: None: the app's own permissions


class Gateways:
    def __init__(
        self,
        app: SipGateway,
        delegations: Delegations[SipGateway] | None = None,
        *,
        follow_as_app: bool = False,
    ) -> None:
        """`app` acts as the app itself. With `delegations`, a request runs with the delegation of an
        approver and waits while none is held. What was sent is then polled with that delegation, or
        with one that the tenant has lent for another request; `follow_as_app`: or else as the app.
        """
        self._app = Access(app)
        self._follow_as_app = follow_as_app
        self.delegations = delegations

    @property
    def submit_timeout(self) -> float:
        """Seconds."""
        return self._app.gateway.submit_timeout

    @property
    def sendable(self) -> frozenset[str] | None:
        """Ids of the requests whose batches can be sent from here; None for all."""
        return None if self.delegations is None else self.delegations.held()

    @property
    def readable(self) -> Reach | None:
        """The batches that can be polled from here; None for all."""
        if self.delegations is None or self._follow_as_app:
            return None
        return Reach(self.delegations.held(), self.delegations.lending_tenants())

    @property
    def states_needing_delegation(self) -> frozenset[BatchState]:
        """In which states a batch cannot go on without a delegation."""
        if self._follow_as_app:
            return frozenset({BatchState.PLANNED})
        return frozenset({BatchState.PLANNED, BatchState.SUBMITTED, BatchState.UNKNOWN})

    def for_submit(self, batch: Batch) -> Access | None:
        """Returns None if the batch needs a delegation and its request has none here."""
        if self.delegations is None:
            return self._app
        return _access(self.delegations.for_request(batch.request_id))

    def for_reads(self, batch: Batch) -> Access | None:
        """Returns None if the batch needs a delegation and none can be used for it here."""
        if self.delegations is None:
            return self._app
        delegation = self.delegations.for_reads(batch.request_id, batch.tenant_id)
        return _access(delegation) or (self._app if self._follow_as_app else None)

    def denied(self, batch: Batch, access: Access) -> bool:
        """The SIP Gateway denied a call about the batch: stop using the delegation it was made with.

        One lent by another request is only lent no more, since that says nothing about its own batches.
        Returns whether the denial is about the request's own access; False, too, if its delegation had
        ended by itself.
        """
        delegation = access.delegation
        if delegation is None or self.delegations is None:
            return True
        if delegation.request_id != batch.request_id:
            delegation.lendable = False
            return False
        in_use = delegation.usable
        self.delegations.deny(delegation)
        return in_use


def _access(delegation: Delegation[SipGateway] | None) -> Access | None:
    return None if delegation is None else Access(delegation.client, delegation)
