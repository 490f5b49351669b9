"""Which SIP Gateway client acts for a batch: the app's own, or one with an approver's delegation."""

from __future__ import annotations

from bot.gateway import SipGateway
from bot.identity.delegations import Delegations
from bot.signin.batch import BatchState
from bot.store.batches import Batch


class Gateways:
    def __init__(
        self,
        app: SipGateway,
        delegations: Delegations[SipGateway] | None = None,
        *,
        follow_as_app: bool = False,
    ) -> None:
        """`app` acts as the app itself. With `delegations`, a request runs with the delegation of an
        approver and waits while none is held; `follow_as_app`: what was sent is then polled as the app.
        """
        self._app = app
        self._follow_as_app = follow_as_app
        self.delegations = delegations

    @property
    def submit_timeout(self) -> float:
        """Seconds."""
        return self._app.submit_timeout

    @property
    def sendable(self) -> frozenset[str] | None:
        """Ids of the requests whose batches can be sent from here; None for all."""
        return None if self.delegations is None else self.delegations.held()

    @property
    def readable(self) -> frozenset[str] | None:
        """Ids of the requests whose batches can be polled from here; None for all."""
        return None if self._follow_as_app else self.sendable

    @property
    def states_needing_delegation(self) -> frozenset[BatchState]:
        """In which states a batch cannot go on without a delegation."""
        if self._follow_as_app:
            return frozenset({BatchState.PLANNED})
        return frozenset({BatchState.PLANNED, BatchState.SUBMITTED, BatchState.UNKNOWN})

    def for_submit(self, batch: Batch) -> SipGateway | None:
        """Returns None if the batch needs a delegation and none is held here."""
        if self.delegations is None:
            return self._app
        return self.delegations.client(batch.request_id)

    def for_reads(self, batch: Batch) -> SipGateway | None:
        """Returns None if the batch needs a delegation and none is held here."""
        return self.for_submit(batch) or (self._app if self._follow_as_app else None)

    def drop_delegation(self, batch: Batch) -> bool:
        """The SIP Gateway denied access: stop using the delegation of the batch's request.

        Returns False if it had ended by itself, so that the denial says nothing about it.
        """
        in_use = self.for_submit(batch) is not None
        if self.delegations is not None:
            self.delegations.deny(batch.request_id)
        return in_use
