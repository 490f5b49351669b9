"""Failures grouped by cause: what is wrong, what to do, and which accounts it is about."""

from __future__ import annotations

import re

from microsoft_teams.cards.core import CardElement, Container

from bot.phones.provisioning import ProvisioningUrl, all_urls
from bot.signin.outcome import REFUSED, UNKNOWN, explain
from bot.signin.snapshot import CauseGroup
from bot.words import Words
from cards.context import CardContext
from cards.elements import copyable, heading, strong, text, verbatim
from cards.escape import Markup, plain

_EXAMPLES = 3
_URLS = 6  # more than that is better looked up with `urls`
_NOT_OF_A_GUID = re.compile(r"[^0-9A-Za-z-]")


def causes(context: CardContext) -> list[CardElement]:
    """The largest groups; how many more there are is said."""
    groups = context.snapshot.causes
    shown = groups[: context.budget.causes]
    told: list[CardElement] = [_group(context, group) for group in shown]
    if len(groups) > len(shown):
        more = sum(group.count for group in groups[len(shown) :])
        told.append(text(context.say("causes-more", phones=more), subtle=True))
    return told


def _group(context: CardContext, group: CauseGroup) -> Container:
    code = group.cause.code
    cause = Markup(context.words(f"cause-{code}"))
    said: list[CardElement] = [strong(context.say("cause-group", count=group.count, cause=cause))]
    if group.cause in (UNKNOWN, REFUSED) and group.message:
        said.append(
            text(
                context.say("cause-own-words", message=context.prose(group.message)),
                spacing="Small",
            )
        )
    address = explain(group.message).address
    if address:
        said.append(text(context.say("cause-address", address=address), spacing="Small"))
    said.append(text(context.words.part(f"cause-{code}", "fix"), spacing="Small"))
    if group.examples:
        examples = group.examples[:_EXAMPLES]
        names = ", ".join(map(context.value, examples))
        rest = group.count - len(examples)
        accounts = context.words("cause-examples", names=names, rest=rest) if rest > 0 else names
        said.append(verbatim(accounts, monospace=False, subtle=True))
    return Container(items=said, spacing="Medium")


def provisioning(context: CardContext) -> list[CardElement]:
    """The URLs of those devices whose failure may be in theirs, by kind of device and region."""
    kinds = {
        kind for group in context.snapshot.causes if group.cause.shows_url for kind in group.vendors
    }
    urls = [
        url
        for region in context.snapshot.regions
        if region.phones.failed
        for url in all_urls(tenant(context.home_tenant), region.region)
        if url.kind.value in kinds
    ]
    if not urls:
        return []
    told: list[CardElement] = [
        heading(context.words("provisioning-heading")),
        text(context.words("provisioning-why")),
    ]
    for url in urls[:_URLS]:
        devices = context.words(f"device-{url.kind.value}")
        told += url_lines(
            context.words, context.words("url-for", devices=devices, region=url.region.value), url
        )
    if len(urls) > _URLS:
        told.append(text(context.say("provisioning-more", urls=len(urls) - _URLS), subtle=True))
    return told


def tenant(tenant_id: str) -> str:
    """A tenant id as it may stand in a URL: a GUID, and nothing that is longer or means something."""
    return _NOT_OF_A_GUID.sub("", tenant_id)[:36]


def url_lines(words: Words, devices: str, url: ProvisioningUrl) -> list[CardElement]:
    """A URL to copy, under the devices that it is for; both forms where the sources differ."""
    lines: list[CardElement] = [strong(devices), copyable(plain(url.url))]
    if url.alternative:
        lines.append(text(words("url-alternative"), subtle=True, spacing="Small"))
        lines.append(copyable(plain(url.alternative)))
    return lines
