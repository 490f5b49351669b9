"""Failures grouped by cause: what went wrong, how to fix it, and for which accounts."""

from __future__ import annotations

import re

from microsoft_teams.cards.core import CardElement, Container

from bot.phones.provisioning import ProvisioningUrl, all_urls
from bot.signin.outcome import FAILED_CHECK, REFUSED, UNKNOWN, explain
from bot.signin.snapshot import CauseGroup
from bot.words import Words
from cards.context import CardContext
from cards.elements import bold, code_block, heading, text, text_runs
from cards.escape import Markup, single_line

_MAX_EXAMPLES = 3  # accounts named per group
_MAX_URLS = 6  # the command `urls` lists them all
_NON_GUID_CHARACTERS = re.compile(r"[^0-9A-Za-z-]")


def cause_groups(context: CardContext) -> list[CardElement]:
    """The largest groups, as many as the budget allows, and how many phones the others have."""
    groups = context.snapshot.causes
    shown = groups[: context.budget.cause_groups]
    elements: list[CardElement] = [_cause_group(context, group) for group in shown]
    if len(groups) > len(shown):
        phones = sum(group.count for group in groups[len(shown) :])
        elements.append(text(context.message("causes-more", phones=phones), subtle=True))
    return elements


def _cause_group(context: CardContext, group: CauseGroup) -> Container:
    code = group.cause.code
    cause = Markup(context.words(f"cause-{code}"))
    items: list[CardElement] = [
        bold(context.message("cause-group", count=group.count, cause=cause))
    ]
    if group.cause in (UNKNOWN, REFUSED) and group.message:
        gateway_message = context.free_text(group.message)
        items.append(
            text(context.message("cause-gateway-message", message=gateway_message), spacing="Small")
        )
    if group.cause is FAILED_CHECK and group.message:
        items.append(text(context.free_text(group.message), spacing="Small"))
    address = explain(group.message).address
    if address:
        seen = context.message("cause-address", address=address, count=group.count)
        items.append(text(seen, spacing="Small"))
    items.append(text(context.words.part(f"cause-{code}", "fix"), spacing="Small"))
    if group.examples:
        examples = group.examples[:_MAX_EXAMPLES]
        names = ", ".join(map(context.single_line_value, examples))
        rest = group.count - len(examples)
        accounts = context.words("cause-examples", names=names, rest=rest) if rest > 0 else names
        items.append(text_runs(accounts, monospace=False, subtle=True))
    return Container(items=items, spacing="Medium")


def provisioning_urls(context: CardContext) -> list[CardElement]:
    """The provisioning URLs of phones whose failure may come from theirs, per device kind and region.

    Returns an empty list if no failure may.
    """
    kinds = {
        kind for group in context.snapshot.causes if group.cause.shows_url for kind in group.vendors
    }
    urls = [
        url
        for region in context.snapshot.regions
        if region.phones.failed
        for url in all_urls(url_safe_tenant_id(context.tenant_id), region.region)
        if url.kind.value in kinds
    ]
    if not urls:
        return []
    elements: list[CardElement] = [
        heading(context.words("provisioning-heading")),
        text(context.words("provisioning-reason")),
    ]
    for url in urls[:_MAX_URLS]:
        devices = context.words(f"device-{url.kind.value}")
        title = context.words("url-for", devices=devices, region=url.region.value)
        elements += url_block(context.words, title, url)
    if len(urls) > _MAX_URLS:
        more = context.message("provisioning-more", urls=len(urls) - _MAX_URLS)
        elements.append(text(more, subtle=True))
    return elements


def url_safe_tenant_id(tenant_id: str) -> str:
    """Reduces a tenant id to the characters and the length of a GUID, so it is safe in a URL."""
    return _NON_GUID_CHARACTERS.sub("", tenant_id)[:36]


def url_block(words: Words, title: str, url: ProvisioningUrl) -> list[CardElement]:
    """A URL to copy, under `title`, with the alternative form where sources disagree."""
    elements: list[CardElement] = [bold(title), code_block(single_line(url.url))]
    if url.alternative:
        elements.append(text(words("url-alternative"), subtle=True, spacing="Small"))
        elements.append(code_block(single_line(url.alternative)))
    return elements
