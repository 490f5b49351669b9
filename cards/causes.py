"""Failures grouped by cause: what is wrong, what to do, and which accounts it is about."""

from __future__ import annotations

import re

from microsoft_teams.cards.core import CardElement, Container

from bot.phones.provisioning import ProvisioningUrl, all_urls
from bot.signin.outcome import REFUSED, UNKNOWN, explain
from bot.signin.snapshot import CauseGroup
from bot.words import Words
from cards.elements import copyable, heading, strong, text, verbatim
from cards.escape import Markup, plain
from cards.scene import Scene

_EXAMPLES = 3
_URLS = 6  # more than that is better looked up with `urls`
_NOT_OF_A_GUID = re.compile(r"[^0-9A-Za-z-]")


def causes(scene: Scene) -> list[CardElement]:
    """The largest groups; how many more there are is said."""
    groups = scene.snapshot.causes
    shown = groups[: scene.budget.causes]
    told: list[CardElement] = [_group(scene, group) for group in shown]
    if len(groups) > len(shown):
        more = sum(group.count for group in groups[len(shown) :])
        told.append(text(scene.say("causes-more", phones=more), subtle=True))
    return told


def _group(scene: Scene, group: CauseGroup) -> Container:
    code = group.cause.code
    cause = Markup(scene.words(f"cause-{code}"))
    said: list[CardElement] = [strong(scene.say("cause-group", count=group.count, cause=cause))]
    if group.cause in (UNKNOWN, REFUSED) and group.message:
        said.append(
            text(scene.say("cause-own-words", message=scene.prose(group.message)), spacing="Small")
        )
    address = explain(group.message).address
    if address:
        said.append(text(scene.say("cause-address", address=address), spacing="Small"))
    said.append(text(scene.words.part(f"cause-{code}", "fix"), spacing="Small"))
    if group.examples:
        examples = group.examples[:_EXAMPLES]
        names = ", ".join(map(scene.value, examples))
        rest = group.count - len(examples)
        accounts = scene.words("cause-examples", names=names, rest=rest) if rest > 0 else names
        said.append(verbatim(accounts, monospace=False, subtle=True))
    return Container(items=said, spacing="Medium")


def provisioning(scene: Scene) -> list[CardElement]:
    """The URLs of those devices whose failure may be in theirs, by kind of device and region."""
    kinds = {
        kind for group in scene.snapshot.causes if group.cause.shows_url for kind in group.vendors
    }
    urls = [
        url
        for region in scene.snapshot.regions
        if region.phones.failed
        for url in all_urls(tenant(scene.home_tenant), region.region)
        if url.kind.value in kinds
    ]
    if not urls:
        return []
    told: list[CardElement] = [
        heading(scene.words("provisioning-heading")),
        text(scene.words("provisioning-why")),
    ]
    for url in urls[:_URLS]:
        devices = scene.words(f"device-{url.kind.value}")
        told += url_lines(
            scene.words, scene.words("url-for", devices=devices, region=url.region.value), url
        )
    if len(urls) > _URLS:
        told.append(text(scene.say("provisioning-more", urls=len(urls) - _URLS), subtle=True))
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
