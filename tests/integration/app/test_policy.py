"""A policy file over HTTP: stages on cards, reloading, windows, limits, and a start that is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from bot.commands import approval as approval_commands
from bot.directory.graph import GraphDirectory
from bot.signin.policy.problem import PolicyError
from bot.simulator.client import TENANT, Chat, button, texts
from bot.simulator.connector import Posted
from bot.simulator.scenario import PEOPLE, Person, Scenario
from tests.integration.app.conftest import MakeBot
from tests.integration.app.test_overlap import audited
from tests.support.running_bot import (
    ADELE,
    ALEX,
    ISAIAH,
    MEGAN,
    Answer,
    RunningBot,
    chat_of,
    has_button,
    phones_csv,
    request_id_of,
    text_of,
)
from tests.support.waiting import PATIENCE, until

YES = {"acknowledge": "true"}
NETOPS, SOC, DESK = (f"aaaaaaaa-0000-4000-8000-00000000000{n}" for n in "abc")
HEAD = f"""
requesters = ["desk"]
approvers = ["netops"]
[groups]
netops = "{NETOPS}"
soc = "{SOC}"
desk = "{DESK}"
"""
STAGES = """
[[rule]]
name = "two stages"
ticket = "^CHG[0-9]{4}$"
stages = [{ of = ["netops"], need = 2 }, { of = ["soc"] }]
"""


async def start(
    make_bot: MakeBot,
    folder: Path,
    text: str,
    groups: Mapping[str, tuple[str, ...]] | None = None,
    *,
    batch_seconds: float = 0.1,
    guests: Collection[Person] = (),
) -> RunningBot:
    path = folder / "policy.toml"
    path.write_text(text)
    members = {
        NETOPS: (MEGAN.object_id, ADELE.object_id, ALEX.object_id),
        SOC: (ISAIAH.object_id,),
        DESK: (ALEX.object_id,),
        **(groups or {}),
    }
    people = tuple(each.model_copy(update={"guest": each in guests}) for each in PEOPLE)
    scenario = Scenario(batch_seconds=batch_seconds, groups=members, people=people)
    return await make_bot(policy=path, gateway=scenario)


async def test_request_runs_after_the_votes_of_all_stages(
    make_bot: MakeBot, tmp_path: Path
) -> None:
    bot = await start(make_bot, tmp_path, HEAD + STAGES)
    validation = await bot.submit_file(phones_csv(2))
    assert "Ticket, which your organization's policy asks for" in text_of(validation)
    no_ticket = await bot.click(ALEX, validation, "request_approval", {"reason": "Lobby"})
    assert no_ticket.text.startswith("Enter a ticket that matches ^CHG[0-9]{4}$: rule")
    approval = await bot.request_approval(validation, reason="Lobby", ticket="CHG0042")
    assert "Nobody has approved yet." in text_of(approval)
    assert "Still wanted: 2 of netops, 1 of soc" in text_of(approval)

    own = await bot.approve(approval, by=ALEX)  # who is in the approvers' group
    assert own.text == "You can't decide on your own request. Ask other members of netops, soc."
    early = await bot.approve(approval, by=ISAIAH)
    assert early.text.startswith("Your approval is not needed at this point. Members of netops")
    since = bot.now
    voted = await bot.approve(approval, by=MEGAN)
    assert "Approved so far: Megan Bowen, " in texts(voted.card)
    assert "Still wanted: 1 of netops, 1 of soc" in texts(voted.card)
    assert "approve" in str(voted.card)
    message = f"Megan Bowen approved request {request_id_of(approval)}. Still wanted: 1 of netops"
    await bot.wait_for_text(message, since=since)
    await bot.wait_for_text("Still wanted: 1 of netops, 1 of soc", chat=None, since=since)
    again = await bot.approve(approval, by=MEGAN)
    assert "Still wanted: 1 of netops, 1 of soc" in texts(again.card)
    await bot.approve(approval, by=ADELE)
    assert bot.gateway.configapi.submits == []
    last = await bot.approve(approval, by=ISAIAH)
    assert "Isaiah Langer approved the sign-in of 2 phones." in texts(last.card)
    assert "Approved so far: Megan Bowen, " in texts(last.card)
    await bot.wait_for_results()
    assert len(bot.gateway.configapi.submits) == 1
    assert [actor for _, actor, _ in audited(bot, "voted")] == [MEGAN.object_id, ADELE.object_id]
    (approved,) = audited(bot, "approved")
    assert (approved[1], approved[2]["rule"]) == (ISAIAH.object_id, "two stages")


async def test_need_that_cannot_be_met_is_said_at_once(make_bot: MakeBot, tmp_path: Path) -> None:
    groups = {NETOPS: (MEGAN.object_id, ALEX.object_id)}
    bot = await start(make_bot, tmp_path, HEAD + STAGES, groups)
    await bot.submit_for_approval(phones_csv(1))
    message = await bot.wait_for_text("Nobody can complete the approval of request")
    assert "it needs 2 of netops, 1 of soc" in text_of(message)


async def test_nobody_waits_for_groups_that_take_long_to_list(
    make_bot: MakeBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def members(_: GraphDirectory, group_id: str) -> frozenset[str] | None:
        await asyncio.Event().wait()
        raise AssertionError(group_id)

    monkeypatch.setattr(GraphDirectory, "members", members)
    monkeypatch.setattr(approval_commands, "_DIRECTORY_SECONDS", 0.01)
    bot = await start(make_bot, tmp_path, HEAD + STAGES)
    await bot.submit_for_approval(phones_csv(1))


async def test_voter_who_left_the_group_does_not_count_at_the_last_vote(
    make_bot: MakeBot, tmp_path: Path
) -> None:
    pair = HEAD + '[[rule]]\nstages = [{ of = ["netops", "soc"], need = 2 }]\n'
    bot = await start(make_bot, tmp_path, pair)
    approval = await bot.submit_for_approval(phones_csv(1))
    await bot.approve(approval, by=MEGAN)
    groups = cast(dict[str, tuple[str, ...]], bot.gateway.graph.scenario.groups)
    groups[NETOPS] = (ADELE.object_id,)
    answer = await bot.approve(approval, by=ADELE)
    assert "Megan Bowen approved, but may not approve any more" in texts(answer.card)
    assert "Still wanted: 1 of netops / soc" in texts(answer.card)
    await bot.approve(approval, by=ISAIAH)
    await bot.wait_for_results()


async def test_file_is_read_again_when_it_changes(make_bot: MakeBot, tmp_path: Path) -> None:
    bot = await start(make_bot, tmp_path, HEAD)
    approval = await bot.submit_for_approval(phones_csv(1))
    since = bot.now
    path = tmp_path / "policy.toml"
    path.write_text(HEAD + STAGES)
    # The card in the channel follows by itself.
    await bot.wait_for_text("Still wanted: 2 of netops, 1 of soc", since=since)
    answer = await bot.approve(approval)
    assert "Still wanted: 1 of netops, 1 of soc" in texts(answer.card)
    loaded = [detail for _, _, detail in audited(bot, "policy loaded")]
    assert [each["content"] for each in loaded] == [HEAD, HEAD + STAGES]
    assert loaded[1]["before"] == loaded[0]["policy"]


async def test_change_freeze_stops_the_approval_with_its_end(
    make_bot: MakeBot, tmp_path: Path
) -> None:
    end = (datetime.now(UTC) + timedelta(days=30)).replace(microsecond=0)
    freeze = f"[[freeze]]\nfrom = 2020-01-01T00:00:00Z\nto = {end.isoformat()}\n"
    bot = await start(make_bot, tmp_path, HEAD + freeze)
    approval = await bot.submit_for_approval(phones_csv(1))
    assert "The policy lets this request start from" in text_of(approval)
    answer = await bot.approve(approval)
    assert f"from {end:%A, %d %B %Y, %H:%M} UTC on" in answer.text
    rejected = await bot.click(MEGAN, approval, "reject")
    assert "rejected" in texts(rejected.card)


async def test_freeze_that_begins_midway_stops_the_next_batches_until_it_is_over(
    make_bot: MakeBot, tmp_path: Path
) -> None:
    bot = await start(make_bot, tmp_path, HEAD, batch_seconds=600)
    approval = await bot.submit_for_approval(phones_csv(500))
    since = bot.now
    await bot.approve(approval)
    card = await bot.wait_for_button("cancel", since=since)
    await bot.gateway.configapi.wait_for_submits(3, PATIENCE)
    begin, end = (datetime.now(UTC) + timedelta(days=days) for days in (-1, 30))
    freeze = f"[[freeze]]\nfrom = {begin.isoformat()}\nto = {end.isoformat()}\n"
    path = tmp_path / "policy.toml"
    path.write_text(HEAD + freeze)
    await until(lambda: len(audited(bot, "policy loaded")) == 2)
    bot.gateway.configapi.finish()
    await bot.wait_for(lambda posted: posted is card and "300 of 500 phones are" in text_of(posted))
    await bot.wait_for(
        lambda posted: posted is card and "Waits for a change window." in text_of(posted)
    )
    told = await bot.wait_for_text("waits: your organization's change windows", since=since)
    assert "at the earliest" in told.text
    assert len(bot.gateway.configapi.submits) == 3

    path.write_text(HEAD)
    await bot.gateway.configapi.wait_for_submits(5, PATIENCE)
    bot.gateway.configapi.finish()
    await bot.wait_for_results(since=since)
    assert len(audited(bot, "paused")) == len(audited(bot, "resumed")) == 1


async def test_limit_of_a_day_says_what_is_left(make_bot: MakeBot, tmp_path: Path) -> None:
    bot = await start(make_bot, tmp_path, HEAD + "[limits]\naccounts_per_day = 3\n")
    await bot.submit_for_approval(phones_csv(2))
    validation = await bot.submit_file(phones_csv(2, start=10))
    answer = await bot.click(ALEX, validation, "request_approval", {"reason": "more"})
    assert "may have 3 accounts signed in within 24 hours, and you have 1 left" in answer.text


async def test_service_does_not_start_with_a_wrong_file(make_bot: MakeBot, tmp_path: Path) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(HEAD + "[[deny]]\n")
    bot = await make_bot(policy=path, started=False)
    with pytest.raises(PolicyError, match=r"line 8, deny\[1\]: this denies nothing"):
        await bot.start()


async def test_whoami_names_the_auditor(make_bot: MakeBot, tmp_path: Path) -> None:
    text = HEAD.replace("[groups]", 'auditors = ["soc"]\n[groups]')
    bot = await start(make_bot, tmp_path, text)
    request = request_id_of(await bot.submit_for_approval(phones_csv(1)))
    chat = Chat("a:isaiah")
    await bot.say("whoami", chat=chat, by=ISAIAH)
    await bot.wait_for_text("Auditor: you can see other people's requests", chat=chat)
    await bot.say("history", chat=chat, by=ISAIAH)
    await bot.wait_for_text(request, chat=chat)


async def test_last_voter_without_entra_roles_starts_what_another_signs_in_for(
    make_bot: MakeBot, tmp_path: Path
) -> None:
    """A manager may approve last, and has no right to reset passwords."""
    path = tmp_path / "policy.toml"
    path.write_text(HEAD + '[[rule]]\nstages = [{ of = ["netops"] }, { of = ["soc"] }]\n')
    groups = {
        NETOPS: (MEGAN.object_id,),
        SOC: (ISAIAH.object_id,),
        DESK: (ALEX.object_id,),
    }
    scenario = Scenario(batch_seconds=0.1, groups=groups)
    bot = await make_bot(policy=path, gateway=scenario, as_approver=True)
    bot.gateway.entra.roles[ISAIAH.object_id] = ()
    approval = await bot.submit_for_approval(phones_csv(1))

    async def click(by: Person, posted: Posted, verb: str) -> Answer:
        token = bot.gateway.entra.sso(by, TENANT)
        proof = {"id": f"{verb}-{by.name}", "connectionName": "approver", "token": token}
        data = {**button(posted.card, verb)["data"], "acknowledge": "true"}
        where = chat_of(posted)
        return Answer(
            *await bot.client.act(by, where, verb, data, posted.activity_id, authentication=proof)
        )

    since = bot.now
    voted = await bot.approve(approval, by=MEGAN)  # needs no sign-in
    assert "Still wanted: 1 of soc" in texts(voted.card)
    last = await click(ISAIAH, approval, "approve")
    assert "Isaiah Langer approved the sign-in of 1 phone." in texts(last.card)
    asks = await bot.wait_for_button("sign_in", since=since)
    await click(MEGAN, asks, "sign_in")
    await bot.wait_for_results()
    assert len(bot.gateway.configapi.submits) == 1


async def test_view_shows_a_region_and_hides_the_others(make_bot: MakeBot, tmp_path: Path) -> None:
    view = """
[[view]]
name = "EMEA only"
people = ["soc"]
regions = ["EMEA"]
"""
    text = HEAD.replace('["netops"]', '["netops", "soc"]', 1) + view
    bot = await start(make_bot, tmp_path, text)
    emea = await bot.submit_for_approval(phones_csv(1, "EMEA"))
    apac = await bot.submit_for_approval(phones_csv(1, "APAC", start=10))
    both = await bot.submit_for_approval(phones_csv(2, "APAC", "EMEA", start=20))
    seen, hidden, mixed = (request_id_of(each) for each in (emea, apac, both))
    isaiahs, megans = Chat("a:isaiah"), Chat("a:megan")
    for person, chat, expected in (
        (ISAIAH, isaiahs, {seen, mixed}),
        (MEGAN, megans, {seen, hidden, mixed}),
    ):
        for command in ("history", "status"):
            await bot.say(command, chat=chat, by=person)
        listed = [text_of(each) for each in await bot.received(chat, by=person)]
        assert len(listed) == 2
        for each in listed:
            assert {found for found in (seen, hidden, mixed) if found in each} == expected
    await bot.say(f"status {hidden}", chat=isaiahs, by=ISAIAH)
    await bot.wait_for_text(f'I can\'t find request "{hidden}"', chat=isaiahs)
    for verb in ("page", "export", "refresh", "cancel"):
        answer = await bot.send_action(ISAIAH, verb, {"request": hidden}, chat=isaiahs)
        assert "I can't find this request." in answer.text
    # What is posted where they are says why it is not for them.
    denied = await bot.approve(apac, by=ISAIAH)
    assert denied.text == (
        'The policy limits you to certain requests ("EMEA only"), and this is not one of them. '
        "Ask members of netops, soc who may see it."
    )
    for card in (emea, both):
        answer = await bot.approve(card, by=ISAIAH)
        assert "Isaiah Langer approved the sign-in of" in texts(answer.card)
    await bot.approve(apac, by=MEGAN)
    await bot.wait_for_results()


async def test_guests_are_denied_as_such_unless_the_policy_lets_them(
    make_bot: MakeBot, tmp_path: Path
) -> None:
    bot = await start(make_bot, tmp_path, HEAD, guests=(MEGAN, ADELE))
    approval = await bot.submit_for_approval(phones_csv(1))
    denied = await bot.approve(approval)
    assert denied.text == (
        "You are a guest of this organization, and its policy does not let guests do this. "
        "Ask members of netops to do it."
    )
    assert [detail["reason"] for _, _, detail in audited(bot, "denied")] == ["guest"]
    since = bot.now
    pair = '[[rule]]\nstages = [{ of = ["netops"], need = 2 }]\n'
    (tmp_path / "policy.toml").write_text('guests = ["approve"]' + HEAD + pair)
    await bot.wait_for_text("Still wanted: 2 of netops", since=since)
    await bot.approve(approval)
    answer = await bot.approve(approval, by=ADELE)
    assert "Adele Vance approved the sign-in of 1 phone." in texts(answer.card)
    await bot.wait_for_results()


async def test_members_of_a_group_break_glass_by_the_file(
    make_bot: MakeBot, tmp_path: Path
) -> None:
    """The card that is posted does not know who is in the group; whoever looks at theirs is asked for."""
    bot = await start(make_bot, tmp_path, HEAD + '[break_glass]\npeople = ["desk"]\n')
    validation = await bot.submit_file(phones_csv(2))
    await bot.request_approval(validation)
    card = await bot.wait_for(lambda posted: posted is validation and has_button(posted, "nudge"))
    assert not has_button(card, "break_glass")
    assert card.card is not None
    chat, at = chat_of(card), card.activity_id
    asked = card.card["refresh"]["action"]["data"]
    shown = await bot.send_action(ALEX, "refresh", asked, chat=chat, activity_id=at)
    assert "break_glass" in str(shown.card)
    form = {"reason": "All lobby phones are down", "ticket": "INC0042", "passwords": 2}
    data = {**button(shown.card, "break_glass")["data"], **form}
    answer = await bot.send_action(ALEX, "break_glass", data, chat=chat, activity_id=at)
    assert "approved their own request with break-glass" in texts(answer.card)
    await bot.wait_for_results()
