"""Requests that run with the rights of whoever approves: signing in, losing that, going on."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Mapping
from typing import Any, cast

import jwt
import pytest

from bot.identity import delegations
from bot.simulator.client import TENANT, Chat, button, texts, verbs
from bot.simulator.connector import Posted
from bot.simulator.entra import SECRET
from bot.simulator.scenario import Call, Fault, FaultKind, Person, Scenario
from bot.words import Words
from tests.integration.app.conftest import MakeOffice
from tests.support.running_bot import (
    ADELE,
    ALEX,
    CHANNEL,
    MEGAN,
    Answer,
    Office,
    chat_of,
    content,
    csv_of,
    offers,
)

YES = {"acknowledge": "true"}
LOGIN = "application/vnd.microsoft.activity.loginRequest"


@pytest.fixture
async def office(make_office: MakeOffice) -> Office:
    return await make_office(as_approver=True)


async def click(
    office: Office,
    by: Person,
    posted: Posted,
    verb: str,
    inputs: Mapping[str, Any] | None = None,
    **proof: Any,
) -> Answer:
    data = {**button(posted.card, verb)["data"], **(inputs or {})}
    answer = await office.client.act(by, chat_of(posted), verb, data, posted.activity_id, **proof)
    return Answer(*answer)


def sso(office: Office, person: Person, **claims: Any) -> dict[str, Any]:
    """What a Teams client adds to a click when it signs the person in by itself."""
    token = office.gateway.entra.sso(person, TENANT, **claims)
    proof = {"id": uuid.uuid4().hex, "connectionName": "approver", "token": token}
    return {"authentication": proof}


async def approve(office: Office, posted: Posted, by: Person = MEGAN, **proof: Any) -> Answer:
    return await click(office, by, posted, "approve", YES, **proof)


def who_submitted(office: Office) -> list[str]:
    """The object ids in the tokens with which batches were sent."""
    return [
        jwt.decode(
            each.headers["Authorization"].removeprefix("Bearer "),
            office.gateway.entra.key.public_key(),
            algorithms=["RS256"],
            audience="48ac35b8-9aa8-4d74-927d-1f4a14a0b239",
        )["oid"]
        for each in office.gateway.configapi.submits
    ]


def signing_in(answer: Answer) -> dict[str, Any]:
    assert (answer.status, answer.body["statusCode"], answer.body["type"]) == (200, 401, LOGIN)
    return cast(dict[str, Any], answer.body["value"])


async def nothing_was_sent(office: Office, approval: Posted) -> None:
    """The request still waits: it can be approved, and that is the one time it is sent."""
    assert not office.gateway.configapi.submits
    since = office.now
    await approve(office, approval, **sso(office, MEGAN))
    await office.results(since=since)
    assert len(office.gateway.configapi.submits) == 1
    assert not office.gateway.configapi.run_twice


async def test_an_approver_signs_in_and_the_job_runs_with_their_rights(office: Office) -> None:
    approval = await office.waiting(csv_of(3))
    card = signing_in(await approve(office, approval))
    assert card["connectionName"] == "approver"
    assert card["tokenExchangeResource"]["uri"].startswith("api://botid-")
    assert card["buttons"][0]["type"] == "signin"
    assert not office.gateway.configapi.submits

    since = office.now
    answer = await approve(office, approval, **sso(office, MEGAN))
    assert "done" in texts(answer.card) or "running" in texts(answer.card).lower()
    results = await office.results(since=since)
    assert "3" in content(results)
    assert who_submitted(office) == [MEGAN.object_id]


async def test_who_is_signed_in_is_not_asked_again(office: Office) -> None:
    await approve(office, await office.waiting(csv_of(1)), **sso(office, MEGAN))
    await office.all_settled()
    answer = await approve(office, await office.waiting(csv_of(1, start=9)))
    assert answer.body["statusCode"] == 200
    assert office.gateway.entra.calls[Call.EXCHANGE] == 1
    await office.all_settled()
    assert who_submitted(office) == [MEGAN.object_id] * 2


async def test_consent_and_the_code_of_a_sign_in_window(office: Office) -> None:
    """Single sign-on needs consent first: the client opens the window, which ends with a code."""
    entra = office.gateway.entra
    entra.no_consent.add(MEGAN.object_id)
    approval = await office.waiting(csv_of(1))
    signing_in(await approve(office, approval))
    answer = await approve(office, approval, **sso(office, MEGAN))
    assert answer.body["statusCode"] == 412
    assert answer.body["type"] == "application/vnd.microsoft.error.preconditionFailed"
    for wrong in ("CancelledByUser", "000000", entra.sign_in(ADELE, TENANT)):
        answer = await approve(office, approval, state=wrong)
        assert answer.body["statusCode"] == 401
        assert answer.body["type"] == "application/vnd.microsoft.error.inccorectAuthCode"
    assert not office.gateway.configapi.submits
    since = office.now
    await approve(office, approval, state=entra.sign_in(MEGAN, TENANT))
    await office.results(since=since)
    assert who_submitted(office) == [MEGAN.object_id]


@pytest.mark.parametrize(
    ("claims", "status"),
    [
        ({"exp": 1_000_000_000, "iat": 999_999_000, "nbf": 999_999_000}, 412),
        ({"aud": "api://another"}, 412),
        ({"tid": "99999999-2222-4333-8444-555555555555"}, 200),
        ({"oid": ADELE.object_id}, 200),  # replayed: somebody else's token
        ({"oid": None}, 412),
    ],
    ids=["expired", "wrong audience", "wrong tenant", "somebody else", "nobody"],
)
async def test_tokens_that_are_no_proof(
    office: Office, claims: dict[str, Any], status: int
) -> None:
    approval = await office.waiting(csv_of(1))
    answer = await approve(office, approval, **sso(office, MEGAN, **claims))
    assert answer.body["statusCode"] == status
    if status == 200:
        assert "different account" in answer.body["value"]
    await nothing_was_sent(office, approval)


async def test_forged_and_unsigned_tokens(office: Office) -> None:
    approval = await office.waiting(csv_of(1))
    genuine = office.gateway.entra.sso(MEGAN, TENANT)
    head, body, signature = genuine.split(".")
    claims = jwt.decode(genuine, options={"verify_signature": False})
    for forged in (
        f"{head}.{body}.{signature[:-4]}AAAA",
        f"{head}.{body}.",
        jwt.encode(claims, "k" * 32, algorithm="HS256"),
        jwt.encode(claims, "", algorithm="none"),
        "not a token",
    ):
        proof: dict[str, Any] = {"authentication": {"id": "1", "token": forged}}
        answer = await approve(office, approval, **proof)
        assert answer.body["statusCode"] == 412, forged
    await nothing_was_sent(office, approval)


@pytest.mark.parametrize(
    ("wids", "text"),
    [
        ((), "is missing two roles"),
        (("69091246-20e8-4a56-aa4d-066075b2a7a8",), "can reset passwords"),
        (("62e90394-69f5-4237-9190-012177145e10",), "is missing the Teams Administrator role"),
    ],
)
async def test_a_missing_role_is_named_and_nothing_is_sent(
    office: Office, wids: tuple[str, ...], text: str
) -> None:
    approval = await office.waiting(csv_of(1))
    entra = office.gateway.entra
    entra.roles[MEGAN.object_id] = wids
    answer = await approve(office, approval, **sso(office, MEGAN))
    assert answer.body["statusCode"] == 200
    assert text in answer.body["value"]
    assert not office.gateway.configapi.submits
    del entra.roles[MEGAN.object_id]  # activated: a new token has it, and no sign-in is needed
    since = office.now
    await approve(office, approval)
    await office.results(since=since)


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
async def test_what_entra_refuses_is_a_sentence(office: Office, code: int, text: str) -> None:
    approval = await office.waiting(csv_of(1))
    office.gateway.entra.refusals[MEGAN.object_id] = code
    answer = await approve(office, approval, **sso(office, MEGAN))
    assert text in answer.body["value"]
    assert f"AADSTS{code}" in answer.body["value"]
    office.gateway.entra.refusals.clear()
    await nothing_was_sent(office, approval)


@pytest.mark.parametrize("code", [50076, 50079, 500133])
async def test_another_factor_is_asked_for_with_a_real_sign_in(office: Office, code: int) -> None:
    """Single sign-on would give the same token again, so it is not offered."""
    approval = await office.waiting(csv_of(1))
    office.gateway.entra.refusals[MEGAN.object_id] = code
    card = signing_in(await approve(office, approval, **sso(office, MEGAN)))
    assert "tokenExchangeResource" not in card
    office.gateway.entra.refusals.clear()
    signing_in(await approve(office, approval))  # what was kept is forgotten
    since = office.now
    await approve(office, approval, state=office.gateway.entra.sign_in(MEGAN, TENANT))
    await office.results(since=since)


TROUBLE = [FaultKind.SERVER_ERROR, FaultKind.GARBAGE, FaultKind.DROP_LOST, FaultKind.THROTTLED]


@pytest.mark.parametrize("fault", TROUBLE)
@pytest.mark.parametrize("call", [Call.TOKEN, Call.EXCHANGE])
async def test_a_sign_in_service_in_trouble(office: Office, call: Call, fault: FaultKind) -> None:
    approval = await office.waiting(csv_of(1))
    office.gateway.faults.add(Fault(call=call, fault=fault, times=0))
    answer = await approve(office, approval, **sso(office, MEGAN))
    assert "did not respond" in answer.body["value"]
    assert not office.gateway.configapi.submits
    assert offers(approval, "approve")


async def test_a_sign_in_service_that_is_silent(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delegations, "_SECONDS", 0.2)
    approval = await office.waiting(csv_of(1))
    office.gateway.faults.add(Fault(call=Call.TOKEN, fault=FaultKind.TIMEOUT_LOST))
    answer = await approve(office, approval, **sso(office, MEGAN))
    assert "did not respond" in answer.body["value"]
    await nothing_was_sent(office, approval)


async def test_a_job_that_outlives_its_sign_in_waits_and_goes_on_with_anothers(
    make_office: MakeOffice,
) -> None:
    office = await make_office(as_approver=True, gateway=Scenario(batch_seconds=0.3))
    approval = await office.waiting(csv_of(450))  # five batches, of which three run at once
    since = office.now
    await approve(office, approval, **sso(office, MEGAN))
    # The service refuses the token that it took before, and Entra ID gives no newer one.
    office.gateway.entra.refusals[MEGAN.object_id] = 50173
    office.gateway.faults.add(Fault(call=Call.BATCH_STATUS, fault=FaultKind.UNAUTHORIZED))
    asking = await office.until(
        lambda each: offers(each, "sign_in") and each.conversation_id.startswith(CHANNEL.id),
        since=since,
    )
    assert "Waiting for an approver to sign in" in content(asking)
    before = len(office.gateway.configapi.submits)
    assert before < 5

    # Whoever asked may not; another approver may.
    denied = await click(office, ALEX, asking, "sign_in")
    assert "own" in denied.body["value"] or "yourself" in denied.body["value"]
    signing_in(await click(office, ADELE, asking, "sign_in"))
    office.gateway.entra.refusals.clear()
    since = office.now
    answer = await click(office, ADELE, asking, "sign_in", **sso(office, ADELE))
    assert "sign_in" not in verbs(answer.card)
    results = await office.results(since=since)
    assert "450" in content(results)
    assert not office.gateway.configapi.run_twice
    assert len(office.gateway.configapi.submits) == 5
    assert set(who_submitted(office)[before:]) == {ADELE.object_id}


@pytest.mark.parametrize("call", [Call.CREATE_BATCH, Call.BATCH_STATUS])
async def test_rights_that_the_service_refuses_are_used_no_more(office: Office, call: Call) -> None:
    """A role has run out midway: it is said, and the next sign-in reads the roles anew."""
    approval = await office.waiting(csv_of(3))
    office.gateway.faults.add(Fault(call=call, fault=FaultKind.FORBIDDEN, message="Access Denied."))
    since = office.now
    await approve(office, approval, **sso(office, MEGAN))
    asking = await office.until_offers("sign_in", since=since)
    assert "Access Denied." in content(asking)
    office.gateway.entra.roles[MEGAN.object_id] = ()
    answer = await click(office, MEGAN, asking, "sign_in")
    assert "is missing two roles" in answer.body["value"]
    office.gateway.entra.roles.clear()
    since = office.now
    await click(office, MEGAN, asking, "sign_in")
    await office.results(since=since)
    assert not office.gateway.configapi.run_twice


async def test_after_a_restart_somebody_has_to_sign_in_again(make_office: MakeOffice) -> None:
    office = await make_office(as_approver=True, gateway=Scenario(batch_seconds=2.0))
    approval = await office.waiting(csv_of(250))
    await approve(office, approval, **sso(office, MEGAN))
    await office.gateway.configapi.wait_for_submits(3, 10)
    await office.stop()
    since = office.now
    await office.start()
    asking = await office.until_offers("sign_in", since=since)
    assert "Waiting for an approver to sign in" in content(asking)
    # Megan is still signed in with the token service, so that she is not asked for anything.
    since = office.now
    answer = await click(office, MEGAN, asking, "sign_in")
    assert answer.body["statusCode"] == 200
    await office.results(since=since)
    assert len(office.gateway.configapi.submits) == 3
    assert not office.gateway.configapi.run_twice


async def test_what_was_sent_is_followed_as_the_app_where_that_is_allowed(
    make_office: MakeOffice,
) -> None:
    office = await make_office(
        as_approver=True, follow_as_app=True, gateway=Scenario(batch_seconds=1.0)
    )
    approval = await office.waiting(csv_of(150))
    await approve(office, approval, **sso(office, MEGAN))
    await office.gateway.configapi.wait_for_submits(2, 10)
    await office.stop()
    since = office.now
    await office.start()
    results = await office.results(since=since)
    assert "150" in content(results)
    assert not any(offers(each, "sign_in") for each in office.teams.connector.since(since))


async def test_a_sign_in_apart_from_a_card(office: Office) -> None:
    """Every client of a person sends the token: one exchange, one message."""
    chat = Chat("a:megan-and-offhook")
    value = sso(office, MEGAN)["authentication"]

    async def send(name: str, value: Mapping[str, Any]) -> tuple[int, Any]:
        activity = office.client.activity(MEGAN, chat, type="invoke", name=name, value=value)
        return await office.client.post(activity)

    answers = await asyncio.gather(*(send("signin/tokenExchange", value) for _ in range(4)))
    assert [status for status, _ in answers] == [200] * 4
    assert office.gateway.entra.calls[Call.EXCHANGE] == 1
    heard = await office.heard(chat, by=MEGAN)
    assert [each.text for each in heard].count(Words()("sign-in-done")) == 1

    office.gateway.entra.no_consent.add(MEGAN.object_id)
    status, body = await send("signin/tokenExchange", {**value, "id": "another"})
    assert status == 412
    assert body["id"] == "another"
    assert body["failureDetail"]
    assert (await send("signin/verifyState", {"state": "000000"}))[0] == 200
    assert (await send("signin/failure", {"code": "resourcematchfailed"}))[0] == 200
    code = office.gateway.entra.sign_in(MEGAN, TENANT)
    assert (await send("signin/verifyState", {"state": code}))[0] == 200
    answer = await approve(office, await office.waiting(csv_of(1)))
    assert answer.body["statusCode"] == 200
    await office.all_settled()


async def test_no_token_is_anywhere(
    office: Office, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Not in logs at their loudest, not in messages and answers, not in the database."""
    caplog.set_level(logging.DEBUG)
    entra = office.gateway.entra
    entra.refresh_tokens = True
    entra.no_consent.add(MEGAN.object_id)
    approval = await office.waiting(csv_of(120))
    entra.refusals[MEGAN.object_id] = 50076
    proofs: list[dict[str, Any]] = [
        {},
        sso(office, MEGAN),
        {"state": "123456"},
        {"state": entra.sign_in(MEGAN, TENANT)},
    ]
    said = [(await approve(office, approval, **proof)).body for proof in proofs]
    entra.refusals.clear()
    office.gateway.faults.add(Fault(call=Call.BATCH_STATUS, fault=FaultKind.UNAUTHORIZED))
    office.gateway.faults.add(Fault(call=Call.BATCH_STATUS, fault=FaultKind.DROP_LOST, nth=3))
    since = office.now
    said.append((await approve(office, approval, **sso(office, MEGAN, tid="x"))).body)
    said.append((await approve(office, approval, state=entra.sign_in(MEGAN, TENANT))).body)
    await office.results(since=since)
    await office.stop()

    logged = capfd.readouterr()
    seen = {
        "logs": logged.out + logged.err + caplog.text,
        "answers": json.dumps(said),
        "messages": json.dumps([each.versions for each in office.teams.connector.messages]),
        "database": "".join(
            path.read_bytes().decode("latin-1") for path in office.database.parent.glob("*.db*")
        ),
    }
    assert len(entra.issued) > 8
    for secret in (*entra.issued, SECRET):
        parts = secret.split(".") if secret.count(".") == 2 else [secret]
        for place, text in seen.items():
            assert parts[-1] not in text, f"a token is in the {place}"
    assert all(place in seen for place in ("logs", "database"))
    assert "delegation.acquired" in seen["logs"]
