"""Every verb by every kind of person who has no right to it, on a request of each kind: none is let in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bot.simulator.client import Chat, TeamsClient, button
from bot.simulator.connector import Posted
from bot.simulator.scenario import PEOPLE, Person, Scenario
from bot.store.database import Database
from cards.types import Verb
from tests.integration.app.conftest import MakeBot
from tests.support import rows
from tests.support.running_bot import (
    ADELE,
    ALEX,
    ISAIAH,
    MEGAN,
    Answer,
    RunningBot,
    chat_of,
    phones_csv,
    request_id_of,
)

PATTI, LYNNE = PEOPLE[4:6]
#: An approver and an auditor whom the policy limits to another region, and an approver who is a guest.
HUGO, IDA, GUEST = (
    Person(object_id=f"00000000-0000-0000-0000-0000000000{n}", name=name, principal=f"{name}@x.com")
    for n, name in ((40, "Hugo"), (41, "Ida"), (42, "Gus"))
)
NETOPS, LEAVERS = (f"aaaaaaaa-0000-4000-8000-00000000000{n}" for n in "ab")
POLICY = f"""
requesters = ["{ALEX.object_id}", "{ADELE.object_id}"]
approvers = ["netops"]
auditors = ["{PATTI.object_id}", "{IDA.object_id}"]
[groups]
netops = "{NETOPS}"
leavers = "{LEAVERS}"
[[deny]]
approvers = ["leavers"]
[[view]]
people = ["{HUGO.object_id}", "{IDA.object_id}"]
regions = ["APAC"]
"""
#: What decides or changes something, beside posts and what is said about it.
_DECIDED = ("requests", "votes", "batches", "phones", "mends", "asked_retries")
_READING = frozenset({Verb.PAGE, Verb.REFRESH})
_OWN = frozenset({Verb.REQUEST_APPROVAL, Verb.WITHDRAW, Verb.MEND, Verb.RETRY_FAILED})
_DECIDING = frozenset(
    {
        Verb.APPROVE,
        Verb.REJECT,
        Verb.RECONCILE,
        Verb.SIGN_IN,
        Verb.CONTINUE_WITHOUT,
        Verb.CHECK_ACCOUNTS,
        Verb.MEND_APPROVE,
        Verb.MEND_REJECT,
        Verb.MEND_SIGN_IN,
        Verb.MEND_UNDO,
    }
)


#: The posted card of a request that waits, for those who may not see it.
NOTHING_SHOWN = "Only its requester, approvers, and auditors can see it."


class Stranger(NamedTuple):
    """Somebody, and the verbs that are theirs."""

    person: Person
    may: frozenset[Verb]
    tenant: str = ""  #: "" for the home tenant
    sees: bool = False  #: cards, so that an answer may be one


STRANGERS: Mapping[str, Stranger] = {
    "no role": Stranger(ISAIAH, frozenset()),
    "no object ID": Stranger(Person(object_id="", name="Guest", principal=""), frozenset()),
    "another tenant": Stranger(MEGAN, frozenset(), "99999999-2222-4333-8444-555555555555"),
    "removed approver": Stranger(LYNNE, frozenset()),
    "another requester": Stranger(ADELE, frozenset()),
    "approver of another region": Stranger(HUGO, frozenset()),
    "auditor of another region": Stranger(IDA, frozenset()),
    "approver who is a guest": Stranger(GUEST, frozenset()),
    "auditor": Stranger(PATTI, _READING | {Verb.EXPORT}, sees=True),
    "requester": Stranger(ALEX, frozenset(Verb) - _DECIDING, sees=True),
}


@pytest.fixture
async def cards(make_bot: MakeBot, tmp_path: Path) -> tuple[RunningBot, list[Posted]]:
    """A bot with a draft, a waiting, and a finished request of Alex, and their cards."""
    path = tmp_path / "policy.toml"
    path.write_text(POLICY)
    groups = {
        NETOPS: tuple(each.object_id for each in (MEGAN, ALEX, LYNNE, HUGO, GUEST)),
        LEAVERS: (LYNNE.object_id,),
    }
    people = (*PEOPLE, HUGO, IDA, GUEST.model_copy(update={"guest": True}))
    scenario = Scenario(batch_seconds=0.1, groups=groups, people=people)
    bot = await make_bot(policy=path, gateway=scenario)
    finished = await bot.run_job(phones_csv(1))
    waiting = await bot.submit_for_approval(phones_csv(1, start=10))
    draft = await bot.submit_file(phones_csv(1, start=20))
    return bot, [finished, waiting, draft]


async def decided(bot: RunningBot) -> dict[str, Any]:
    database = Database(f"sqlite:///{bot.database}")
    try:
        tables = await rows.dump(database)
    finally:
        await database.close()
    return {name: tables[name] for name in _DECIDED}


async def test_nobody_is_let_in_without_a_right(cards: tuple[RunningBot, list[Posted]]) -> None:
    bot, posted = cards
    before = await decided(bot)
    let_in: list[tuple[str, str, str]] = []
    tried = 0
    for name, stranger in STRANGERS.items():
        client = bot.client
        if stranger.tenant:
            client = TeamsClient(bot.session, bot.url, bot.teams, tenant_id=stranger.tenant)
        for card in posted:
            for verb in sorted(set(Verb) - stranger.may):
                data = {
                    "request": request_id_of(card),
                    "version": 999,
                    "acknowledge": "true",
                    "confirm_guarded": "true",
                    "reason": "because",
                    "comment": "because",
                    "what": "results",
                    "answer": "not_run",
                }
                where = chat_of(card)
                answer = Answer(
                    *await client.act(stranger.person, where, verb.value, data, card.activity_id)
                )
                tried += 1
                shown = "adaptive" in str(answer.body) and not stranger.sees
                shown &= NOTHING_SHOWN not in str(answer.body)
                if answer.status >= 500 or shown:
                    let_in.append((name, verb.value, request_id_of(card)))
    assert let_in == []
    assert await decided(bot) == before
    assert tried == sum(len(set(Verb) - each.may) for each in STRANGERS.values()) * len(posted)


async def test_approver_with_an_old_digest_starts_nothing(
    cards: tuple[RunningBot, list[Posted]],
) -> None:
    bot, (_, waiting, _) = cards
    before = await decided(bot)
    data = dict(button(waiting.card, "approve")["data"])
    for digest in ("0" * 64, "é" * 64, data["digest"][:-1]):
        forged = {**data, "digest": digest, "acknowledge": "true"}
        answer = await bot.send_action(
            MEGAN, "approve", forged, chat=chat_of(waiting), activity_id=waiting.activity_id
        )
        assert answer.text.startswith("The rows don't match")
    assert await decided(bot) == before


async def test_commands_of_strangers_find_nothing(
    cards: tuple[RunningBot, list[Posted]],
) -> None:
    bot, posted = cards
    before = await decided(bot)
    for person in (ISAIAH, LYNNE, ADELE, HUGO, IDA, GUEST):
        chat = Chat(f"a:{person.object_id}")
        for card in posted:
            for command in ("status", "cancel", "retry"):
                await bot.say(f"{command} {request_id_of(card)}", chat=chat, by=person)
        texts = [message.text for message in await bot.received(chat, by=person)]
        assert len(texts) == 9
        assert all(text.startswith("I can't find request") for text in texts)
    assert await decided(bot) == before
