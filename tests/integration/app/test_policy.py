"""A policy file over HTTP: stages on cards, reloading, windows, limits, and a start that is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from bot.commands import approval as approval_commands
from bot.directory.graph import GraphDirectory
from bot.signin.policy.problem import PolicyError
from bot.simulator.client import TENANT, Chat, button, texts
from bot.simulator.connector import Posted
from bot.simulator.scenario import Person, Scenario
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
    phones_csv,
    request_id_of,
    text_of,
)

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
    make_bot: MakeBot, folder: Path, text: str, groups: Mapping[str, tuple[str, ...]] | None = None
) -> RunningBot:
    path = folder / "policy.toml"
    path.write_text(text)
    members = {
        NETOPS: (MEGAN.object_id, ADELE.object_id, ALEX.object_id),
        SOC: (ISAIAH.object_id,),
        DESK: (ALEX.object_id,),
        **(groups or {}),
    }
    return await make_bot(policy=path, gateway=Scenario(batch_seconds=0.1, groups=members))


async def test_request_runs_after_the_votes_of_all_stages(
    make_bot: MakeBot, tmp_path: Path
) -> None:
    bot = await start(make_bot, tmp_path, HEAD + STAGES)
    validation = await bot.submit_file(phones_csv(2))
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
    await bot.wait_for_text("Auditor: you can see all requests", chat=chat)
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
