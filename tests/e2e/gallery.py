"""Developer tool: takes pictures of every card in every state, in the local chat client.

    python -m tests.e2e.gallery [--only REGULAR_EXPRESSION] FOLDER

A bot that does nothing else posts each card through the client's connector. The pictures show the card
at the width of a desktop chat and of a phone, then with each nested card opened.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from playwright.async_api import Locator, Page, async_playwright

from bot.cli.playground import chat_client
from bot.mending.mend import MendState
from bot.phones import roster
from bot.phones.region import Region
from bot.signin.history import HistoryFilter
from bot.signin.listing import UNUSUAL, PhoneFilter
from bot.signin.outcome import PhoneStatus
from bot.signin.policy.decision import Ruling, Wanted
from bot.signin.policy.facts import Actor
from bot.signin.policy.model import Rule
from bot.signin.policy.vote import Standing, Void, Vote
from bot.signin.request import Hold, RequestState
from bot.signin.schedule import MISSED
from bot.signin.shown import Aspect
from bot.signin.snapshot import (
    AccountHold,
    FoundPhone,
    History,
    HistoryLine,
    NewFailure,
    Pause,
    RequestSnapshot,
)
from bot.signin.windows import CutShort
from bot.words import Words
from cards import static
from cards.render import render
from cards.types import CardKind, Panel, RenderedCard, View, Viewer
from tests.support import mend_snapshots, snapshots

CARD = ".ac-preview-panel > .ac-adaptiveCard"
WIDTHS = {"wide": 1280, "phone": 390}  # pixels
PHONE_CARD_WIDTH = 350  # pixels that Teams leaves for a card on a phone 390 wide
Card = Mapping[str, Any]


def gallery() -> Iterator[tuple[str, Card]]:
    """Yields the name and JSON of each card."""
    words = Words()

    def card(
        kind: CardKind, snapshot: RequestSnapshot, view: View | None = None, **more: Any
    ) -> Card:
        tenant = snapshots.TENANT
        view = view or View(batch_id=2)
        return render(kind, snapshot, view, words, tenant_id=tenant, **more).card

    for state in RequestState:
        snapshot = snapshots.snapshot(state)
        for kind in CardKind:
            yield f"{kind.value}-{state.value}", card(kind, snapshot)
    yield from _variants(card)
    yield from _approvals(card)
    yield from _mends(card)
    for name, rendered in _static(words):
        yield f"static-{name}", rendered.card


def _variants(card: Any) -> Iterator[tuple[str, Card]]:
    draft, running = RequestState.DRAFT, RequestState.RUNNING
    finished = RequestState.FINISHED
    nothing = roster.read(b"Username,HardwareId\nlobby,1\nfax,2\n", "nothing.csv")
    perfect = roster.read(
        b"Username,HardwareId,Region\nlobby@contoso.com,80-5E-C0-12-34-56,EMEA\n", "one.csv"
    )
    no_region = roster.read(
        b"Username,HardwareId\n"
        + b"".join(b"lobby%d@contoso.com,80-5E-C0-12-34-%02d\n" % (at, at) for at in range(10, 30)),
        "no-region.csv",
    )
    hostile = roster.read(
        "Username,HardwareId\n"
        "**bold** [click](https://evil.example)@contoso.com,<at>Megan</at>\n"
        "\u202egnp.exe@contoso.com,=cmd|' /C calc'!A0\n"
        "😀😀@contoso.com,{{DATE(2026-01-01T00:00:00Z)}}\n"
        "<img src=x onerror=alert(1)>,__init__ ~~x~~ `code` &lt;b&gt;\n".encode(),
        "**hostile** [file](https://evil.example) <b>.csv",
    )
    yield "validation-nothing", card(CardKind.VALIDATION, snapshots.snapshot(draft, nothing))
    yield "validation-perfect", card(CardKind.VALIDATION, snapshots.snapshot(draft, perfect))
    yield "validation-hostile", card(CardKind.VALIDATION, snapshots.snapshot(draft, hostile))
    yield (
        "validation-no-region",
        card(CardKind.VALIDATION, snapshots.snapshot(draft, no_region, regions_known=False)),
    )
    yield (
        "validation-page-2",
        card(
            CardKind.VALIDATION,
            snapshots.snapshot(draft, page=2, issues=True),
            View(Panel.ISSUES, 2),
        ),
    )
    yield (
        "approval-phones",
        card(
            CardKind.APPROVAL,
            snapshots.snapshot(RequestState.WAITING, page=2),
            View(Panel.PHONES, 2),
        ),
    )
    waiting = snapshots.snapshot(RequestState.WAITING)
    one = snapshots.snapshot(RequestState.WAITING, perfect)
    yield "approval-one", card(CardKind.APPROVAL, snapshots.with_checks_passed(one))
    first = replace(one, evidence=replace(one.evidence, first_request=True))
    yield "approval-first", card(CardKind.APPROVAL, first)
    everything = snapshots.with_everything_unusual(waiting)
    yield "approval-unusual", card(CardKind.APPROVAL, everything)
    filtered = View(
        Panel.PHONES,
        phone_filter=PhoneFilter(UNUSUAL, "lobby.b"),
        viewer=Viewer(decides=True),
        changed=[Aspect.OVERLAP, Aspect.REASON],
    )
    yield "approval-filtered", card(CardKind.APPROVAL, everything, filtered)
    for name, viewer in (
        ("requester", Viewer(withdraws=True)),
        ("reader", Viewer()),
        ("stranger", Viewer(sees=False)),
    ):
        yield f"approval-for-{name}", card(CardKind.APPROVAL, waiting, View(viewer=viewer))
    yield (
        "progress-phones",
        card(CardKind.PROGRESS, snapshots.snapshot(running, page=2), View(Panel.PHONES, 2)),
    )
    with_problems = snapshots.with_every_problem(snapshots.snapshot(running))
    yield "progress-with_problems", card(CardKind.PROGRESS, with_problems)
    yield "reconciliation-open", card(CardKind.RECONCILIATION, with_problems)
    yield (
        "results-failed",
        card(CardKind.RESULTS, snapshots.snapshot(finished, only_failed=True), View(Panel.FAILED)),
    )
    yield "start-twice", card(CardKind.VALIDATION, snapshots.with_repeated_start())
    yield "start-proposed", card(CardKind.VALIDATION, snapshots.with_start(draft))
    yield (
        "start-waiting",
        card(CardKind.APPROVAL, snapshots.with_start(RequestState.WAITING)),
    )
    yield "start-scheduled", card(CardKind.PROGRESS, snapshots.scheduled())
    for reason in sorted(MISSED):
        missed = card(CardKind.PROGRESS, snapshots.with_missed_start(reason))
        yield f"start-missed-{reason.value}", missed
    for state in (draft, RequestState.WAITING):
        checked = snapshots.with_account_checks(snapshots.snapshot(state))
        kind = CardKind.VALIDATION if state is draft else CardKind.APPROVAL
        yield f"{kind.value}-checked", card(kind, checked)
    sighted = snapshots.with_sightings(snapshots.snapshot(finished))
    yield "results-sightings", card(CardKind.RESULTS, sighted)
    yield "results-sightings-phones", card(CardKind.RESULTS, sighted, View(Panel.PHONES))
    yield "results-perfect", card(CardKind.RESULTS, snapshots.snapshot(finished, perfect))


def _approvals(card: Any) -> Iterator[tuple[str, Card]]:
    """Approvals that take several votes, or have to wait; and what holds a request that was approved."""
    waiting = snapshots.snapshot(RequestState.WAITING)
    starts = snapshots.with_start(RequestState.WAITING)
    two = [Wanted(("netops",), 1), Wanted(("soc",), 1)]
    vote = Vote(snapshots.MEGAN, snapshots.NOON, frozenset())
    void = Vote(snapshots.ALEX, snapshots.NOON, frozenset(), Void.LEFT)
    for name, snapshot, standing in (
        ("none", waiting, Standing((), two)),
        ("some", waiting, Standing((vote, void), two)),
        ("last", waiting, Standing((vote,), two[1:])),
        ("window", waiting, Standing((), (), snapshots.NOON)),
        ("never", waiting, Standing((), (), never_opens=True)),
        ("start", starts, Standing((vote,), two)),
        ("start-window", starts, Standing((vote,), two, snapshots.NOON)),
    ):
        yield f"votes-{name}", card(CardKind.APPROVAL, snapshot, standing=standing)
    yield (
        "start-waiting-approver",
        card(CardKind.APPROVAL, starts, runs_as_approver=True),
    )
    yield (
        "start-scheduled-approver",
        card(CardKind.PROGRESS, snapshots.scheduled(), runs_as_approver=True),
    )
    failures = [NewFailure("lobby.01@contoso.com", "disabled", {})]
    hold = AccountHold(Hold.HELD, 243, 243, 3, 3, failures)
    held = replace(snapshots.snapshot(RequestState.RUNNING), hold=hold)
    yield "progress-held", card(CardKind.PROGRESS, held)
    paused = replace(snapshots.snapshot(RequestState.RUNNING), pause=Pause(snapshots.START))
    yield "progress-paused", card(CardKind.PROGRESS, paused, runs_as_approver=True)
    ruled = Rule("large", ticket=re.compile("^CHG[0-9]{7}$"), ticket_example="CHG0012345")
    yield (
        "validation-ticket",
        card(CardKind.VALIDATION, snapshots.snapshot(RequestState.DRAFT), ticket_rule=ruled),
    )
    wanted = replace(paused, delegation_wanted_since=snapshots.NOON)
    yield "progress-paused-sign-in", card(CardKind.PROGRESS, wanted, runs_as_approver=True)
    cut_short = CutShort(snapshots.START, 3 * 3600)
    yield "start-cut-short", card(CardKind.APPROVAL, starts, cut_short=cut_short)


def _mends(card: Any) -> Iterator[tuple[str, Card]]:
    draft = snapshots.snapshot(RequestState.DRAFT)
    yield "mend-offer", card(CardKind.VALIDATION, draft, offer=mend_snapshots.offer())
    for state in MendState:
        mend = mend_snapshots.snapshot(state)
        for kind in (CardKind.MEND, CardKind.MEND_APPROVAL):
            yield f"of-{kind.value}-{state.value}", card(kind, draft, of_mend=mend)


def _static(words: Words) -> Iterator[tuple[str, RenderedCard]]:
    lines = [
        HistoryLine(
            snapshot.id,
            snapshot.state,
            snapshot.requester,
            snapshot.roster.file_name,
            snapshot.created_at,
            snapshot.phones_by_status,
            snapshot.decided_by,
        )
        for snapshot in map(snapshots.snapshot, RequestState)
    ]
    actor = Actor(snapshots.ALEX, snapshots.TENANT)
    roles = {"request": Ruling.YES, "approve": Ruling.NO, "audit": Ruling.NO}
    problem = words("unreadable-open-quote", row=12)
    fix = words.part("unreadable-open-quote", "fix")
    yield "welcome", static.welcome(words)
    yield "help", static.help(words)
    yield "urls", static.urls(words, list(Region), snapshots.TENANT)
    yield "template", static.template(words, roster.template())
    yield "history", static.history(words, History(lines, len(lines)))
    found = FoundPhone(
        "lobby.01@contoso.com", "80-5E-C0-12-34-56", PhoneStatus.SIGNED_IN, snapshots.NOON
    )
    with_phone = [replace(line, found=[found], found_count=3) for line in lines[3:6]]
    asked = HistoryFilter(phone="80-5E-C0-12-34-56", person="Megan", since=snapshots.NOON)
    yield "history-found", static.history(words, History(with_phone, 40), asked)
    yield "history-not-found", static.history(words, History((), 0), asked)
    yield "status", static.status_list(words, lines[:3])
    yield "status-none", static.status_list(words, [])
    yield "whoami", static.whoami(words, actor, roles, None)
    auditor = {"request": Ruling.NO, "approve": Ruling.NO, "audit": Ruling.YES}
    yield "whoami-auditor", static.whoami(words, actor, auditor, None)
    yield "unreadable", static.unreadable(words, "phones_v2.csv", problem, fix)
    yield "file-link", static.file_link(words, "results.csv", "http://127.0.0.1:1/x")


class Bot:
    """Keeps the client's first activity, to learn where to post cards. Sends nothing itself."""

    def __init__(self) -> None:
        self.first_activity: asyncio.Future[Card] = asyncio.get_running_loop().create_future()

    async def messages(self, request: web.Request) -> web.Response:
        activity = await request.json()
        if not self.first_activity.done():
            self.first_activity.set_result(activity)
        return web.json_response({})


@contextlib.asynccontextmanager
async def listening(bot: Bot) -> AsyncGenerator[str]:
    app = web.Application()
    app.router.add_post("/api/messages", bot.messages)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield "http://{}:{}".format(*runner.addresses[0])
    await runner.cleanup()


async def post(session: aiohttp.ClientSession, base: str, received: Card, card: Card) -> None:
    conversation = received["conversation"]["id"]
    activity = {
        "type": "message",
        "from": received["recipient"],
        "recipient": received["from"],
        "conversation": received["conversation"],
        "attachments": [
            {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
        ],
    }
    url = f"{base}/_connector/v3/conversations/{conversation}/activities"
    async with session.post(url, json=activity) as response:
        response.raise_for_status()


async def take_pictures(card: Locator, page: Page, name: str, out: Path) -> None:
    for width in WIDTHS:
        if width == "phone":
            await card.evaluate(f"card => {{ card.style.width = '{PHONE_CARD_WIDTH}px' }}")
        await card.screenshot(path=out / f"{name}.{width}.png")
    opened = 0
    while True:  # nested cards, one after the other
        buttons = card.locator("button[aria-expanded]")
        if opened >= await buttons.count():
            return
        await buttons.nth(opened).click()
        await card.screenshot(path=out / f"{name}.opened-{opened}.png")
        opened += 1


async def main(arguments: argparse.Namespace) -> None:
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    pattern = re.compile(arguments.only)
    bot = Bot()
    async with (
        listening(bot) as bot_url,
        chat_client(bot_url, port=0) as client,
        async_playwright() as playwright,
        aiohttp.ClientSession() as session,
    ):
        browser = await playwright.chromium.launch(
            executable_path=arguments.browser,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = await browser.new_page(viewport={"width": WIDTHS["wide"], "height": 4000})
        await page.goto(client.url)
        activity = await bot.first_activity
        count = 0
        for name, card in gallery():
            if not pattern.search(name):
                continue
            await post(session, client.url, activity, card)
            rendered = page.locator(CARD).nth(count)
            await rendered.wait_for()
            await take_pictures(rendered, page, name, out)
            count += 1
        await browser.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="folder for the pictures")
    parser.add_argument("--browser", default="/usr/bin/chromium")
    parser.add_argument("--only", default="", help="regular expression for card names")
    asyncio.run(main(parser.parse_args()))
