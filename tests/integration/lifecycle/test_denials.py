"""Denied actions in the audit, on both databases: who, what, why not; bounded per person and minute."""

from __future__ import annotations

from datetime import timedelta

from bot.lifecycle import denials, looks
from bot.signin.policy.facts import Actor
from bot.signin.request import Person
from bot.store.database import Database
from bot.store.purge import purge
from tests.support import jobs, rows


def actor(person: Person, tenant: str = jobs.TENANT) -> Actor:
    return Actor(person, tenant)


async def test_denials_are_recorded_up_to_the_limit_for_each_person_and_minute(
    database: Database,
) -> None:
    request = await jobs.load(database, await jobs.draft(database, 1))
    mallory, now = actor(Person("mallory", "Mallory")), jobs.utc_now()
    for tried in range(3 * denials.MAX_A_MINUTE):
        async with database.write() as tx:
            recorded = await denials.record(
                tx, request, "approve", "not-approver", actor=mallory, now=now
            )
            over = await denials.over_limit(tx, mallory, now)
        assert recorded is (tried < denials.MAX_A_MINUTE)
        assert over is (tried >= denials.MAX_A_MINUTE - 1)
    async with database.write() as tx:
        other = actor(jobs.ADMIN, tenant="another-tenant")
        assert await denials.record(tx, request, "cancel", "no-such-request", actor=other, now=now)
        later = now + timedelta(seconds=61)
        assert await denials.record(tx, None, "file", "not-requester", actor=mallory, now=later)
    denied = [e for e in (await rows.dump(database))["events"] if e["action"] == "denied"]
    assert len(denied) == denials.MAX_A_MINUTE + 2
    first, last, elsewhere, file = (denied[at] for at in (0, denials.MAX_A_MINUTE - 1, -2, -1))
    assert (first["request_id"], first["actor_id"]) == (request.id, "mallory")
    assert first["detail"] == {"what": "approve", "reason": "not-approver"}
    assert last["detail"] == {**first["detail"], "last_this_minute": True}
    assert elsewhere["detail"]["tenant"] == "another-tenant"
    assert (file["request_id"], file["detail"]["what"]) == (None, "file")


async def test_only_lists_of_ones_own_requests_are_left_out_over_the_limit(
    database: Database,
) -> None:
    """Anybody can read those, as often as they like; who may see others' requests leaves no gap."""
    mallory, now = Person("mallory", "Mallory"), jobs.utc_now()
    for own_only, actor in ((True, mallory), (False, jobs.ADMIN)):
        for _ in range(looks.MAX_A_MINUTE + 5):
            async with database.write() as tx:
                await looks.record_list(tx, actor=actor, now=now, own_only=own_only, what="status")
    found = [event["actor_id"] for event in (await rows.dump(database))["events"]]
    assert found.count("mallory") == looks.MAX_A_MINUTE
    assert found.count(jobs.ADMIN.object_id) == looks.MAX_A_MINUTE + 5
    async with database.write() as tx:
        later = now + timedelta(seconds=61)
        await looks.record_list(tx, actor=mallory, now=later, own_only=True, what="status")
    *_, last, again = [
        e for e in (await rows.dump(database))["events"] if e["actor_id"] == "mallory"
    ]
    assert last["detail"] == {"what": "status", "last_this_minute": True}
    assert again["detail"] == {"what": "status"}


async def test_purge_keeps_denials_as_long_as_the_audit(database: Database) -> None:
    now = jobs.utc_now()
    async with database.write() as tx:
        mallory = actor(Person("mallory", "Mallory"))
        assert await denials.record(tx, None, "file", "not-requester", actor=mallory, now=now)
        await purge(tx, now + timedelta(seconds=1), audit_before=now)
    assert rows.column((await rows.dump(database))["events"], "action") == ["denied"]
    async with database.write() as tx:
        await purge(tx, now, audit_before=now + timedelta(days=1))
    assert rows.column((await rows.dump(database))["events"], "action") == ["audit purged"]
