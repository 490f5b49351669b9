"""Requests that run with an approver's delegation: granting, losing and replacing it."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Mapping
from typing import Any, cast

import jwt
import pytest

from bot.simulator.client import TENANT, Chat, acknowledgment, button, texts, verbs
from bot.simulator.connector import Posted
from bot.simulator.entra import SECRET
from bot.simulator.scenario import Call, Fault, FaultKind, Person, Scenario
from bot.words import Words
from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHANNEL,
    MEGAN,
    Answer,
    RunningBot,
    chat_of,
    has_button,
    phones_csv,
    text_of,
)
from tests.support.waiting import PATIENCE, Clock, until

LOGIN_REQUEST = "application/vnd.microsoft.activity.loginRequest"


@pytest.fixture
async def bot(make_bot: MakeBot) -> RunningBot:
    return await make_bot(as_approver=True)


async def click(
    bot: RunningBot,
    by: Person,
    posted: Posted,
    verb: str,
    inputs: Mapping[str, Any] | None = None,
    **proof: Any,
) -> Answer:
    data = {**button(posted.card, verb)["data"], **(inputs or {})}
    answer = await bot.client.act(by, chat_of(posted), verb, data, posted.activity_id, **proof)
    return Answer(*answer)


def sso(bot: RunningBot, person: Person, **claims: Any) -> dict[str, Any]:
    """What a Teams client adds to a click after single sign-on."""
    token = bot.gateway.entra.sso(person, TENANT, **claims)
    proof = {"id": uuid.uuid4().hex, "connectionName": "approver", "token": token}
    return {"authentication": proof}


async def approve(bot: RunningBot, posted: Posted, by: Person = MEGAN, **proof: Any) -> Answer:
    entered = {"acknowledge": acknowledgment(posted.card)}
    return await click(bot, by, posted, "approve", entered, **proof)


def submitters(bot: RunningBot) -> list[str]:
    """The object IDs in the tokens with which batches were submitted."""
    return [
        jwt.decode(
            submit.headers["Authorization"].removeprefix("Bearer "),
            bot.gateway.entra.key.public_key(),
            algorithms=["RS256"],
            audience="48ac35b8-9aa8-4d74-927d-1f4a14a0b239",
        )["oid"]
        for submit in bot.gateway.configapi.submits
    ]


def signing_in(answer: Answer) -> dict[str, Any]:
    assert (answer.status, answer.body["statusCode"], answer.body["type"]) == (
        200,
        401,
        LOGIN_REQUEST,
    )
    return cast(dict[str, Any], answer.body["value"])


async def assert_still_waiting(bot: RunningBot, approval: Posted) -> None:
    """The request can still be approved, and is then submitted for the first time."""
    assert not bot.gateway.configapi.submits
    since = bot.now
    await approve(bot, approval, **sso(bot, MEGAN))
    await bot.wait_for_results(since=since)
    assert len(bot.gateway.configapi.submits) == 1
    assert not bot.gateway.configapi.run_twice


async def test_job_runs_with_delegation_of_approver(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(3))
    card = signing_in(await approve(bot, approval))
    assert card["connectionName"] == "approver"
    assert card["tokenExchangeResource"]["uri"].startswith("api://botid-")
    assert card["buttons"][0]["type"] == "signin"
    assert not bot.gateway.configapi.submits

    since = bot.now
    answer = await approve(bot, approval, **sso(bot, MEGAN))
    assert "done" in texts(answer.card) or "running" in texts(answer.card).lower()
    results = await bot.wait_for_results(since=since)
    assert "3" in text_of(results)
    assert submitters(bot) == [MEGAN.object_id]


async def test_approver_is_not_asked_to_sign_in_again_for_second_job(bot: RunningBot) -> None:
    await approve(bot, await bot.submit_for_approval(phones_csv(1)), **sso(bot, MEGAN))
    await bot.wait_for_results()
    answer = await approve(bot, await bot.submit_for_approval(phones_csv(1, start=9)))
    assert answer.body["statusCode"] == 200
    assert bot.gateway.entra.calls[Call.EXCHANGE] == 1
    await bot.gateway.configapi.wait_for_submits(2, PATIENCE)
    assert submitters(bot) == [MEGAN.object_id] * 2


async def test_approver_signs_in_with_code_when_consent_is_missing(bot: RunningBot) -> None:
    """Without consent, single sign-on fails and the client opens a sign-in window that ends with a code."""
    entra = bot.gateway.entra
    entra.no_consent.add(MEGAN.object_id)
    approval = await bot.submit_for_approval(phones_csv(1))
    signing_in(await approve(bot, approval))
    answer = await approve(bot, approval, **sso(bot, MEGAN))
    assert answer.body["statusCode"] == 412
    assert answer.body["type"] == "application/vnd.microsoft.error.preconditionFailed"
    for wrong in ("CancelledByUser", "000000", entra.sign_in(ADELE, TENANT)):
        answer = await approve(bot, approval, state=wrong)
        assert answer.body["statusCode"] == 401
        assert answer.body["type"] == "application/vnd.microsoft.error.inccorectAuthCode"
    assert not bot.gateway.configapi.submits
    since = bot.now
    await approve(bot, approval, state=entra.sign_in(MEGAN, TENANT))
    await bot.wait_for_results(since=since)
    assert submitters(bot) == [MEGAN.object_id]


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"exp": 1_000_000_000, "iat": 999_999_000, "nbf": 999_999_000}, 412),
        ({"aud": "api://another"}, 412),
        ({"tid": "99999999-2222-4333-8444-555555555555"}, 200),
        ({"oid": ADELE.object_id}, 200),  # replayed: another person's token
        ({"oid": None}, 412),
    ],
    ids=["expired", "wrong audience", "wrong tenant", "wrong person", "no person"],
)
async def test_approval_is_refused_with_invalid_token_claims(
    bot: RunningBot, claims: dict[str, Any], status: int
) -> None:
    approval = await bot.submit_for_approval(phones_csv(1))
    answer = await approve(bot, approval, **sso(bot, MEGAN, **claims))
    assert answer.body["statusCode"] == status
    if status == 200:
        assert "different account" in answer.body["value"]
    await assert_still_waiting(bot, approval)


async def test_approval_is_refused_with_forged_or_unsigned_token(bot: RunningBot) -> None:
    approval = await bot.submit_for_approval(phones_csv(1))
    genuine = bot.gateway.entra.sso(MEGAN, TENANT)
    header, body, signature = genuine.split(".")
    claims = jwt.decode(genuine, options={"verify_signature": False})
    for forged in (
        f"{header}.{body}.{signature[:-4]}AAAA",
        f"{header}.{body}.",
        jwt.encode(claims, "k" * 32, algorithm="HS256"),
        jwt.encode(claims, "", algorithm="none"),
        "not a token",
    ):
        proof: dict[str, Any] = {"authentication": {"id": "1", "token": forged}}
        answer = await approve(bot, approval, **proof)
        assert answer.body["statusCode"] == 412, forged
    await assert_still_waiting(bot, approval)


@pytest.mark.parametrize(
    ("wids", "text"),
    [
        ((), "It may also need Teams Administrator"),
        (("69091246-20e8-4a56-aa4d-066075b2a7a8",), "can reset passwords"),
    ],
)
async def test_approval_names_missing_role_and_submits_nothing(
    bot: RunningBot, wids: tuple[str, ...], text: str
) -> None:
    approval = await bot.submit_for_approval(phones_csv(1))
    entra = bot.gateway.entra
    entra.roles[MEGAN.object_id] = wids
    answer = await approve(bot, approval, **sso(bot, MEGAN))
    assert answer.body["statusCode"] == 200
    assert text in answer.body["value"]
    assert not bot.gateway.configapi.submits
    del entra.roles[MEGAN.object_id]  # activated: a new token has it without another sign-in
    since = bot.now
    await approve(bot, approval)
    await bot.wait_for_results(since=since)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (65001, "has to grant consent"),
        (53003, "Conditional Access"),
        (50105, "can't use Offhook"),
        (700016, "own credentials"),
        (99999, "refused the sign-in"),
    ],
)
async def test_approval_explains_sign_in_error_of_entra_id(
    bot: RunningBot, code: int, text: str
) -> None:
    approval = await bot.submit_for_approval(phones_csv(1))
    bot.gateway.entra.refusals[MEGAN.object_id] = code
    answer = await approve(bot, approval, **sso(bot, MEGAN))
    assert text in answer.body["value"]
    assert f"AADSTS{code}" in answer.body["value"]
    bot.gateway.entra.refusals.clear()
    await assert_still_waiting(bot, approval)


@pytest.mark.parametrize("code", [50076, 50079, 500133])
async def test_approver_signs_in_interactively_when_another_factor_is_required(
    bot: RunningBot, code: int
) -> None:
    """Single sign-on is not offered: it would yield the same token again."""
    approval = await bot.submit_for_approval(phones_csv(1))
    bot.gateway.entra.refusals[MEGAN.object_id] = code
    card = signing_in(await approve(bot, approval, **sso(bot, MEGAN)))
    assert "tokenExchangeResource" not in card
    bot.gateway.entra.refusals.clear()
    signing_in(await approve(bot, approval))  # the cached sign-in is dropped
    since = bot.now
    await approve(bot, approval, state=bot.gateway.entra.sign_in(MEGAN, TENANT))
    await bot.wait_for_results(since=since)


FAULTS = [FaultKind.SERVER_ERROR, FaultKind.GARBAGE, FaultKind.DROP_LOST, FaultKind.THROTTLED]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", [Call.TOKEN, Call.EXCHANGE])
async def test_approval_can_be_repeated_when_token_service_fails(
    bot: RunningBot, call: Call, fault: FaultKind
) -> None:
    approval = await bot.submit_for_approval(phones_csv(1))
    bot.gateway.faults.add(Fault(call=call, fault=fault, times=0))
    answer = await approve(bot, approval, **sso(bot, MEGAN))
    assert "did not respond" in answer.body["value"]
    assert not bot.gateway.configapi.submits
    assert has_button(approval, "approve")


async def test_approval_is_answered_when_token_service_times_out(
    bot: RunningBot, clock: Clock
) -> None:
    approval = await bot.submit_for_approval(phones_csv(1))
    calls = bot.gateway.entra.calls[Call.TOKEN]
    bot.gateway.faults.add(Fault(call=Call.TOKEN, fault=FaultKind.TIMEOUT_LOST))
    approving = asyncio.create_task(approve(bot, approval, **sso(bot, MEGAN)))
    await until(lambda: bot.gateway.entra.calls[Call.TOKEN] > calls)
    clock.advance(6)
    answer = await approving
    assert "did not respond" in answer.body["value"]
    await assert_still_waiting(bot, approval)


async def test_job_waits_for_another_delegation_when_delegation_expires(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(as_approver=True, gateway=Scenario(batch_seconds=600))
    approval = await bot.submit_for_approval(
        phones_csv(450)
    )  # five batches, of which three run at once
    since = bot.now
    await approve(bot, approval, **sso(bot, MEGAN))
    await bot.gateway.configapi.wait_for_submits(3, PATIENCE)
    # The SIP Gateway refuses the token that it accepted before, and Entra ID issues no new one.
    bot.gateway.entra.refusals[MEGAN.object_id] = 50173
    bot.gateway.faults.add(Fault(call=Call.BATCH_STATUS, fault=FaultKind.UNAUTHORIZED))
    card = await bot.wait_for(
        lambda message: (
            has_button(message, "sign_in") and message.conversation_id.startswith(CHANNEL.id)
        ),
        since=since,
    )
    assert "Waiting for an approver to sign in" in text_of(card)
    assert len(bot.gateway.configapi.submits) == 3
    bot.gateway.configapi.finish()

    # The requester may not delegate; another approver may.
    denied = await click(bot, ALEX, card, "sign_in")
    assert "own" in denied.body["value"] or "yourself" in denied.body["value"]
    signing_in(await click(bot, ADELE, card, "sign_in"))
    bot.gateway.entra.refusals.clear()
    since = bot.now
    answer = await click(bot, ADELE, card, "sign_in", **sso(bot, ADELE))
    assert "sign_in" not in verbs(answer.card)
    results = await bot.wait_for_results(since=since)
    assert "450" in text_of(results)
    assert not bot.gateway.configapi.run_twice
    assert len(bot.gateway.configapi.submits) == 5
    assert submitters(bot) == [MEGAN.object_id] * 3 + [ADELE.object_id] * 2


@pytest.mark.parametrize("call", [Call.CREATE_BATCH, Call.BATCH_STATUS])
async def test_delegation_is_dropped_when_gateway_denies_access(
    bot: RunningBot, call: Call
) -> None:
    """A role has expired: the card quotes the denial, and the next sign-in reads the roles again."""
    approval = await bot.submit_for_approval(phones_csv(3))
    bot.gateway.faults.add(Fault(call=call, fault=FaultKind.FORBIDDEN, message="Access Denied."))
    since = bot.now
    await approve(bot, approval, **sso(bot, MEGAN))
    card = await bot.wait_for_button("sign_in", since=since)
    assert "Access Denied." in text_of(card)
    bot.gateway.entra.roles[MEGAN.object_id] = ()
    answer = await click(bot, MEGAN, card, "sign_in")
    assert "is missing a role" in answer.body["value"]
    bot.gateway.entra.roles.clear()
    since = bot.now
    await click(bot, MEGAN, card, "sign_in")
    await bot.wait_for_results(since=since)
    assert not bot.gateway.configapi.run_twice


async def test_job_waits_for_delegation_after_restart(make_bot: MakeBot) -> None:
    bot = await make_bot(as_approver=True, gateway=Scenario(batch_seconds=600))
    approval = await bot.submit_for_approval(phones_csv(250))
    await approve(bot, approval, **sso(bot, MEGAN))
    await bot.gateway.configapi.wait_for_submits(3, PATIENCE)
    await bot.stop()
    bot.gateway.configapi.finish()
    since = bot.now
    await bot.start()
    card = await bot.wait_for_button("sign_in", since=since)
    assert "Waiting for an approver to sign in" in text_of(card)
    # Megan is still signed in with the token service, so she is not asked to sign in.
    since = bot.now
    answer = await click(bot, MEGAN, card, "sign_in")
    assert answer.body["statusCode"] == 200
    await bot.wait_for_results(since=since)
    assert len(bot.gateway.configapi.submits) == 3
    assert not bot.gateway.configapi.run_twice


async def test_submitted_batches_are_polled_as_app_after_restart(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(as_approver=True, follow_as_app=True, gateway=Scenario(batch_seconds=600))
    approval = await bot.submit_for_approval(phones_csv(150))
    await approve(bot, approval, **sso(bot, MEGAN))
    await bot.gateway.configapi.wait_for_submits(2, PATIENCE)
    await bot.stop()
    bot.gateway.configapi.finish()
    since = bot.now
    await bot.start()
    results = await bot.wait_for_results(since=since)
    assert "150" in text_of(results)
    assert not any(has_button(message, "sign_in") for message in bot.teams.connector.since(since))


@pytest.mark.database_thread
async def test_sign_in_outside_a_card_is_exchanged_once(bot: RunningBot) -> None:
    """Each of a person's clients sends the token: one exchange, one message."""
    chat = Chat("a:megan-and-offhook")
    value = sso(bot, MEGAN)["authentication"]

    async def send(name: str, value: Mapping[str, Any]) -> tuple[int, Any]:
        activity = bot.client.activity(MEGAN, chat, type="invoke", name=name, value=value)
        return await bot.client.post(activity)

    answers = await asyncio.gather(*(send("signin/tokenExchange", value) for _ in range(4)))
    assert [status for status, _ in answers] == [200] * 4
    assert bot.gateway.entra.calls[Call.EXCHANGE] == 1
    messages = await bot.received(chat, by=MEGAN)
    assert [message.text for message in messages].count(Words()("sign-in-done")) == 1

    bot.gateway.entra.no_consent.add(MEGAN.object_id)
    status, body = await send("signin/tokenExchange", {**value, "id": "another"})
    assert status == 412
    assert body["id"] == "another"
    assert body["failureDetail"]
    assert (await send("signin/verifyState", {"state": "000000"}))[0] == 200
    assert (await send("signin/failure", {"code": "resourcematchfailed"}))[0] == 200
    code = bot.gateway.entra.sign_in(MEGAN, TENANT)
    assert (await send("signin/verifyState", {"state": code}))[0] == 200
    answer = await approve(bot, await bot.submit_for_approval(phones_csv(1)))
    assert answer.body["statusCode"] == 200
    await bot.wait_for_results()


async def test_tokens_are_in_no_log_message_or_database(
    bot: RunningBot, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Logs are at level DEBUG."""
    caplog.set_level(logging.DEBUG)
    entra = bot.gateway.entra
    entra.refresh_tokens = True
    entra.no_consent.add(MEGAN.object_id)
    approval = await bot.submit_for_approval(phones_csv(120))
    entra.refusals[MEGAN.object_id] = 50076
    proofs: list[dict[str, Any]] = [
        {},
        sso(bot, MEGAN),
        {"state": "123456"},
        {"state": entra.sign_in(MEGAN, TENANT)},
    ]
    answers = [(await approve(bot, approval, **proof)).body for proof in proofs]
    entra.refusals.clear()
    bot.gateway.faults.add(Fault(call=Call.BATCH_STATUS, fault=FaultKind.UNAUTHORIZED))
    bot.gateway.faults.add(Fault(call=Call.BATCH_STATUS, fault=FaultKind.DROP_LOST, nth=3))
    since = bot.now
    answers.append((await approve(bot, approval, **sso(bot, MEGAN, tid="x"))).body)
    answers.append((await approve(bot, approval, state=entra.sign_in(MEGAN, TENANT))).body)
    await bot.wait_for_results(since=since)
    await bot.stop()

    output = capfd.readouterr()
    texts_by_place = {
        "logs": output.out + output.err + caplog.text,
        "answers": json.dumps(answers),
        "messages": json.dumps([message.versions for message in bot.teams.connector.messages]),
        "database": "".join(
            path.read_bytes().decode("latin-1") for path in bot.database.parent.glob("*.db*")
        ),
    }
    assert len(entra.issued) > 8
    for secret in (*entra.issued, SECRET):
        parts = secret.split(".") if secret.count(".") == 2 else [secret]
        for place, text in texts_by_place.items():
            assert parts[-1] not in text, f"a token is in the {place}"
    assert all(place in texts_by_place for place in ("logs", "database"))
    assert "delegation.acquired" in texts_by_place["logs"]
