"""Requests that run with the rights of whoever approves: signing in, losing that, going on."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, cast

import jwt
import pytest

from bot.simulator.client import TENANT, button, texts
from bot.simulator.connector import Posted
from bot.simulator.scenario import Call, Person
from tests.scenario.app.conftest import MakeOffice
from tests.support.office import (
    MEGAN,
    Answer,
    Office,
    chat_of,
    content,
    csv_of,
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
    first, second = await office.waiting(csv_of(1)), await office.waiting(csv_of(1, start=9))
    await approve(office, first, **sso(office, MEGAN))
    answer = await approve(office, second)
    assert answer.body["statusCode"] == 200
    assert office.gateway.entra.calls[Call.EXCHANGE] == 1
    await office.all_settled()
    assert who_submitted(office) == [MEGAN.object_id] * 2
