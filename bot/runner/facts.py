"""Reads the facts of one tenant: accounts from Microsoft Graph, settings also from the Teams ConfigAPI."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime

from bot.directory import sign_ins
from bot.directory import tenant as graph_tenant
from bot.directory.accounts import MAX_SIMILAR, AccountReader
from bot.directory.client import GraphClient
from bot.directory.sign_ins import SignInLog
from bot.gateway import SipGateway, policies
from bot.gateway.policies import Configurations
from bot.identity.delegations import Delegations
from bot.identity.tokens import Tokens
from bot.preflight.checks import allows_common_area
from bot.preflight.facts import AccountFacts, PolicyType, TenantFacts, Unknown, UnknownReason
from bot.settings.scope import AccountScope
from bot.store.account_checks import Job

READ_SECONDS = 300.0  #: for all accounts of a draft
#: Why it is not known whether an account has an IP phone policy of its own.
NOT_LISTED = Unknown(UnknownReason.UNREADABLE, PolicyType.IP_PHONE.value)


class TenantReader:
    """A `bot.preflight.reader.FactReader` and `bot.runner.sightings.SignInReader`. Settings may be read
    with another identity than accounts.
    """

    def __init__(
        self,
        graph: GraphClient,
        configurations: Configurations,
        *,
        denied: UnknownReason = UnknownReason.APPROVER,
    ) -> None:
        """`denied`: why it is not known what the ConfigAPI denies to the identity of `configurations`."""
        self._graph = graph
        self._configurations = configurations
        self._denied = denied
        self._settings = TenantFacts()  # as read last
        self._lists_ip_phone = False

    async def tenant(self) -> TenantFacts:
        settings = await policies.read(self._configurations, TenantFacts(), denied=self._denied)
        self._settings = await graph_tenant.read(self._graph, settings)
        return self._settings

    async def sign_ins(self, accounts: Sequence[str], since: datetime) -> SignInLog:
        return await sign_ins.read(self._graph, accounts, since)

    async def accounts(
        self, usernames: Sequence[str], scope: AccountScope
    ) -> AsyncGenerator[Sequence[AccountFacts], None]:
        reader = AccountReader(self._graph)
        left = MAX_SIMILAR
        chunks = reader.read(usernames, scope=scope.ids, seconds=READ_SECONDS)
        async with aclosing(chunks):
            async for chunk in chunks:
                missing = [each.username for each in chunk if each.found is False][:left]
                left -= len(missing)
                similar = await reader.similar(missing) if missing else {}
                self._lists_ip_phone |= any(
                    isinstance(each.policies.get(PolicyType.IP_PHONE), str) for each in chunk
                )
                yield [
                    replace(self._doubted(each), similar=similar.get(each.username, ()))
                    for each in chunk
                ]

    def _doubted(self, facts: AccountFacts) -> AccountFacts:
        """`facts`, but with an IP phone policy that is not known if Graph may not list such policies.

        Graph documents that an account without an entry has the tenant's Global policy, but not that it
        has entries of this type. An entry of any account settles it; so does a Global policy that is
        right for phones.
        """
        listed = facts.policies.get(PolicyType.IP_PHONE, NOT_LISTED)
        if listed is not None or self._lists_ip_phone or allows_common_area(self._settings):
            return facts
        return replace(facts, policies={**facts.policies, PolicyType.IP_PHONE: NOT_LISTED})


class ApproverReaders:
    """Readers for requests that run with the rights of their approver.

    `home` reads accounts with the app's own permissions: facts of the tenant of a request, None for one
    out of their reach. `configurations` makes a client for the settings, with the given tokens.
    """

    def __init__(
        self,
        delegations: Delegations[SipGateway],
        app: Tokens,
        graph_of: Callable[[str], GraphClient | None],
        configurations: Callable[[Tokens], Configurations],
    ) -> None:
        self._delegations = delegations
        self._app = app
        self._graph_of = graph_of
        self._configurations = configurations

    def held(self) -> Collection[str]:
        """Requests with a delegation in this replica."""
        return self._delegations.held()

    def reader_of(self, job: Job) -> TenantReader | None:
        """A reader with the delegation of the request; without one, what the app may not read is not
        known."""
        graph = self._graph_of(job.tenant_id)
        if graph is None:
            return None
        delegation = self._delegations.for_request(job.request_id)
        tokens = self._app if delegation is None else delegation.tokens
        return TenantReader(graph, self._configurations(tokens), denied=UnknownReason.DELEGATION)
