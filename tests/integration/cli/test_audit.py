"""`python -m bot audit` and `python -m bot person`, on both databases."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.lifecycle import requests as lifecycle
from bot.store import audit
from bot.store.database import Database
from bot.words import Words
from tests.integration.cli.conftest import Run
from tests.support import jobs, rows
from tests.support.tampering import unprotect


async def rejected(database: Database) -> str:
    """A request that Megan rejected, with a comment that names an account."""
    request_id = await jobs.draft(database, 2)
    assert await jobs.request_approval(database, request_id)
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        assert await lifecycle.reject(
            tx,
            jobs.NOTIFY,
            request,
            comment="=lobby1@contoso.com is a person",
            actor=jobs.APPROVER,
            now=jobs.utc_now(),
        )
    return request_id


async def tamper(database: Database, statement: str) -> None:
    async with database.write() as tx:
        await unprotect(tx)
        await tx.execute(text(statement))


async def test_verify_says_that_the_chain_is_whole_and_where_its_head_is(
    run: Run, database: Database
) -> None:
    await rejected(database)
    head = (await rows.dump(database))["audit_chain"][-1]["hash"]
    code, printed = await run("audit", "verify")
    assert code == 0
    assert printed.startswith("Whole: 3 links. No anchor was compared: ")
    assert printed.endswith(f"Head: 3:{head}\n")
    code, printed = await run("audit", "verify", "--json", "--anchor", f"3:{head}")
    assert code == 0
    assert json.loads(printed) == {
        "whole": True,
        "links": 3,
        "head": {"seq": 3, "hash": head},
        "purged": 0,
        "erased": 0,
        "anchors": {"compared": 1, "passed_over": 0},
        "broken": None,
    }


async def test_verify_names_the_first_broken_link(run: Run, database: Database) -> None:
    await rejected(database)
    await tamper(database, "UPDATE events SET actor_name = 'Eve' WHERE action <> 'drafted'")
    code, printed = await run("audit", "verify")
    assert (code, printed) == (1, "Broken at link 2: its event was changed.\n")
    code, printed = await run("audit", "verify", "--json")
    assert code == 1
    broken = json.loads(printed)["broken"]
    assert (broken["seq"], broken["fault"]) == (2, "event_changed")


async def test_verify_finds_a_cut_off_end_by_the_anchors_in_a_log(
    run: Run, database: Database, tmp_path: Path
) -> None:
    await rejected(database)
    links = (await rows.dump(database))["audit_chain"]
    log = tmp_path / "offhook.log"
    lines = [{"event": "audit.asked", "seq": link["seq"], "hash": link["hash"]} for link in links]
    log.write_text("not JSON\n[]\n" + "".join(json.dumps(line) + "\n" for line in lines))
    assert (await run("audit", "verify", "--anchors", log))[0] == 0
    newest = links[-1]["event_id"]
    await tamper(database, f"DELETE FROM audit_chain WHERE event_id = {newest}")
    await tamper(database, f"DELETE FROM events WHERE id = {newest}")
    assert (await run("audit", "verify"))[0] == 0
    code, printed = await run("audit", "verify", "--anchors", log)
    assert code == 1
    assert printed.startswith("Broken at link 3: the chain ends before an anchor")


@pytest.mark.parametrize(
    "arguments",
    [("--anchor", "17"), ("--file", "missing.jsonl"), ("--anchors", "missing.log")],
)
async def test_verify_that_cannot_be_done_ends_with_two(
    run: Run, arguments: tuple[str, ...]
) -> None:
    code, _ = await run("audit", "verify", *arguments)
    assert code == 2


async def test_export_verifies_by_itself_and_shows_each_change_to_it(
    run: Run, database: Database, tmp_path: Path
) -> None:
    await rejected(database)
    file = tmp_path / "audit.jsonl"
    code, _ = await run("audit", "export", "--output", file)
    assert code == 0
    lines = file.read_text("utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["activity_name"] for event in events] == ["drafted", "asked", "rejected"]
    for event in events:
        assert event["type_uid"] == 100 * event["class_uid"] + event["activity_id"]
        # As any tool can check it.
        digest = hashlib.sha256(event["raw_data"].encode()).hexdigest()
        assert event["raw_data_hash"]["value"] == digest
    assert events[2]["actor"]["user"] == {
        "uid": jobs.APPROVER.object_id,
        "name": jobs.APPROVER.name,
    }
    assert (await run("audit", "verify", "--file", file))[0] == 0
    for change in (
        lambda: lines.__delitem__(1),
        lambda: lines.__setitem__(1, lines[1].replace("Alex", "Eve")),
        lambda: lines.reverse(),
    ):
        before = list(lines)
        change()
        file.write_text("\n".join(lines), "utf-8")
        assert (await run("audit", "verify", "--file", file))[0] == 1
        lines[:] = before
    file.write_text("\n".join(lines[1:]), "utf-8")
    assert (await run("audit", "verify", "--file", file))[0] == 0  # a part of the chain


async def test_verify_of_a_part_says_which_anchors_were_compared(
    run: Run, database: Database, tmp_path: Path
) -> None:
    await rejected(database)
    head = (await rows.dump(database))["audit_chain"][-1]["hash"]
    file = tmp_path / "audit.jsonl"
    assert (await run("audit", "export", "--output", file))[0] == 0
    file.write_text(file.read_text("utf-8").splitlines()[2], "utf-8")
    verify = ("audit", "verify", "--file", file)
    before = ("--anchor", f"1:{'0' * 64}")
    code, printed = await run(*verify, *before)
    assert code == 2
    assert "No anchor was compared" in printed
    code, printed = await run(*verify, *before, "--anchor", f"3:{head}")
    assert code == 0
    assert "1 anchor holds, 1 from before the first link not compared." in printed
    code, printed = await run(*verify, *before, "--anchor", f"3:{head}", "--json")
    assert json.loads(printed)["anchors"] == {"compared": 1, "passed_over": 1}
    assert (await run(*verify, *before, "--anchor", f"4:{head}"))[0] == 1  # cut off


async def test_verify_with_a_file_of_no_anchor_says_so(
    run: Run, database: Database, tmp_path: Path
) -> None:
    await rejected(database)
    log = tmp_path / "offhook.log"
    log.write_text('{"event": "service.started"}\n17:9f86d0\n')
    code, printed = await run("audit", "verify", "--anchors", log)
    assert code == 2
    assert "has no anchor" in " ".join(printed.split())


async def test_verify_takes_anchors_as_they_are_posted_in_the_channel(
    run: Run, database: Database, tmp_path: Path
) -> None:
    await rejected(database)
    head = (await rows.dump(database))["audit_chain"][-1]
    posted = Words()("notification-audit-anchor", anchor=f"{head['seq']}:{head['hash']}")
    copied = tmp_path / "channel.txt"
    copied.write_text(f"[29/11/2026 09:00] Offhook: {posted}\n")
    code, printed = await run("audit", "verify", "--anchors", copied)
    assert code == 0
    assert "1 anchor holds" in printed
    copied.write_text(posted.replace(head["hash"][-4:], "0000"))
    assert (await run("audit", "verify", "--anchors", copied))[0] == 1


async def test_verify_of_an_empty_file_ends_with_two(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "audit.jsonl"
    file.touch()
    code, printed = await run("audit", "verify", "--file", file)
    assert code == 2
    assert "has no event" in printed


@pytest.mark.parametrize(
    "change",
    [
        {"comment": "approved with pleasure"},
        {"status": "Failure"},
        {"status_id": 2},
        {"status_id": True},
        {"time": 0},
        {"activity_id": 1},
        {"type_uid": 300401},
        {"message": "added"},
    ],
    ids=str,
)
@pytest.mark.parametrize("purged", [False, True])
async def test_verify_finds_a_changed_field_of_an_export(
    run: Run, database: Database, tmp_path: Path, change: dict[str, object], purged: bool
) -> None:
    await rejected(database)
    if purged:
        assert (await run("purge", "--older-than", "0h", "--audit-older-than", "0h"))[0] == 0
    file = tmp_path / "audit.jsonl"
    assert (await run("audit", "export", "--output", file))[0] == 0
    events = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    events[2]["metadata"]["product"]["version"] = "0.0.1"
    file.write_text("\n".join(map(json.dumps, events)), "utf-8")
    assert (await run("audit", "verify", "--file", file))[0] == 0
    events[2] |= change
    file.write_text("\n".join(map(json.dumps, events)), "utf-8")
    code, printed = await run("audit", "verify", "--file", file)
    assert (code, printed) == (1, "Broken at link 3: its event was changed.\n")


async def test_export_since_has_what_came_later_only(run: Run, database: Database) -> None:
    await rejected(database)
    code, printed = await run("audit", "export", "--since", "2026-01-01")
    assert code == 0
    assert len(printed.splitlines()) == 3
    code, printed = await run("audit", "export", "--since", "2999-01-01T00:00+02:00")
    assert (code, printed) == (0, "")
    assert (await run("audit", "export", "--since", "yesterday"))[0] == 2


async def test_exported_table_is_safe_for_spreadsheets(
    run: Run, database: Database, tmp_path: Path
) -> None:
    await rejected(database)
    file = tmp_path / "audit.csv"
    assert (await run("audit", "export", "--csv", "--output", file))[0] == 0
    with file.open(encoding="utf-8-sig", newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["activity_name"] for row in table] == ["drafted", "asked", "rejected"]
    assert table[2]["comment"] == "'=lobby1@contoso.com is a person"
    assert table[2]["actor.user.name"] == "Megan Bowen"
    assert (await run("audit", "export", "--csv", "--output", file))[0] == 2  # never overwritten


async def test_purged_events_are_exported_without_their_people(
    run: Run, database: Database, tmp_path: Path
) -> None:
    await rejected(database)
    code, _ = await run("purge", "--older-than", "0h", "--audit-older-than", "0h")
    assert code == 0
    file = tmp_path / "audit.jsonl"
    assert (await run("audit", "export", "--output", file))[0] == 0
    events = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    assert [event["activity_name"] for event in events][:3] == ["drafted", "asked", "rejected"]
    assert "digest" in events[1]["unmapped"]["detail"]
    assert jobs.APPROVER.name not in file.read_text("utf-8")
    for arguments in ((), ("--file", file)):
        assert (await run("audit", "verify", *arguments))[0] == 0


async def test_person_is_exported_from_every_table(run: Run, database: Database) -> None:
    await rejected(database)
    code, printed = await run("person", "export", "LOBBY1@contoso.com", jobs.APPROVER.object_id)
    assert code == 0
    found = [json.loads(line) for line in printed.splitlines()]
    assert {"requests", "phones", "events"} <= {each["table"] for each in found}
    of_phones = [each["row"] for each in found if each["table"] == "phones"]
    assert [row["username"] for row in of_phones] == ["lobby1@contoso.com"]


async def test_erased_person_is_nowhere_and_the_chain_is_whole(
    run: Run, database: Database
) -> None:
    await rejected(database)
    names = (jobs.APPROVER.object_id, jobs.APPROVER.name, "lobby1@contoso.com")
    code, printed = await run("person", "erase", "--json", *names)
    assert code == 0
    assert json.loads(printed)["events"] == 1
    assert (await run("person", "export", *names)) == (0, "")
    tables = await rows.dump(database)
    for name in names:
        assert name not in str(tables)
    assert jobs.ADMIN.name in str(tables)  # nobody else is erased
    code, printed = await run("audit", "verify", "--json")
    assert code == 0
    assert json.loads(printed)["erased"] == 1


async def test_person_of_an_open_request_is_not_erased(run: Run, database: Database) -> None:
    request_id = await jobs.approved(database, 1)
    before = await rows.dump(database)
    code, printed = await run("person", "erase", jobs.APPROVER.object_id)
    assert code == 2
    assert request_id in " ".join(printed.split())
    assert await rows.dump(database) == before


async def test_identifier_that_is_in_everything_is_refused(run: Run) -> None:
    for verb in ("export", "erase"):
        assert (await run("person", verb, "a"))[0] == 2


async def test_part_of_a_name_is_nobody(run: Run, database: Database) -> None:
    await rejected(database)
    assert (await run("person", "export", "Meg")) == (0, "")
    found: Any = json.loads((await run("person", "erase", "--json", "Meg"))[1])
    assert found == {"events": 0, "rows": 0}


async def test_evidence_tells_who_asked_who_decided_and_what_came_of_it(
    run: Run, database: Database, tmp_path: Path
) -> None:
    request_id = await rejected(database)
    await jobs.draft(database, 1)  # of which it tells nothing
    file = tmp_path / "evidence.md"
    assert (await run("audit", "evidence", request_id.lower(), "--output", file))[0] == 0
    text_of = file.read_text("utf-8")
    assert "The chain of the audit is whole: 4 links" in text_of
    asked, decided = text_of.index("## Who asked"), text_of.index("## Who decided")
    assert asked < text_of.index("Alex Wilber") < decided < text_of.index("Megan Bowen")
    assert (await jobs.load(database, request_id)).digest in text_of
    for link in (await rows.dump(database))["audit_chain"][:3]:
        assert link["hash"] in text_of
    assert text_of.count("80-5E-C0-00-00-0") == 2
    assert (await run("audit", "evidence", request_id, "--output", file))[0] == 2
    assert (await run("audit", "evidence", "ZZZZZZZZ"))[0] == 2
    assert (await run("audit", "evidence", "../etc"))[0] == 2


async def test_evidence_tells_how_cards_differed_from_what_was_asked(
    run: Run, database: Database
) -> None:
    request_id = await jobs.draft(database, 1)
    now = jobs.utc_now()
    async with database.write() as tx:
        for action, shown in (
            ("asked", "checks-00000000.reason-00000000"),
            ("voted", "checks-00000000.reason-00000000"),
            ("voted", "checks-11111111.reason-00000000"),
            ("approved", ""),
        ):
            await audit.record(tx, request_id, action, now, jobs.APPROVER, shown=shown)
    _, printed = await run("audit", "evidence", request_id)
    section = printed.partition("### What each approver was shown")[2].partition("##")[0]
    told = [line.split("|")[-2].strip() for line in section.splitlines() if "Megan" in line]
    assert told == ["the same", "the checks of accounts", "not recorded"]


async def test_evidence_keeps_hostile_text_in_its_cell(run: Run, database: Database) -> None:
    request_id = await jobs.draft(database, 1)
    request = await jobs.load(database, request_id)
    async with database.write() as tx:
        await audit.record(
            tx, request.id, "rejected", jobs.utc_now(), jobs.APPROVER, comment="|a | b\n# c \\| <b>"
        )
    _, printed = await run("audit", "evidence", request_id)
    (line,) = [line for line in printed.splitlines() if "Megan" in line]
    assert line.count("|") == 8
    assert re.search(r"(?<!\\)<b>", line) is None


async def test_evidence_of_a_broken_chain_says_so_first(run: Run, database: Database) -> None:
    request_id = await rejected(database)
    await tamper(database, "UPDATE events SET actor_name = 'Eve' WHERE action = 'rejected'")
    _, printed = await run("audit", "evidence", request_id)
    assert "broken at link 3" in printed.splitlines()[2]


async def test_history_finds_who_had_a_phone_signed_in(run: Run, database: Database) -> None:
    request_id = await jobs.approved(database, 5)
    await jobs.draft(database, 1, first=9)
    code, printed = await run("history", "805ec0000001", "by", "Megan", "--json")
    assert code == 0
    (found,) = map(json.loads, printed.splitlines())
    assert found["request"] == request_id
    assert found["decided_by"] == {
        "object_id": jobs.APPROVER.object_id,
        "name": jobs.APPROVER.name,
    }
    assert [phone["account"] for phone in found["phones"]] == ["lobby1@contoso.com"]
    code, printed = await run("history", "lobby*")
    assert code == 0
    header, *lines = [line.split("\t") for line in printed.splitlines()]
    assert len(lines) == 6
    assert {len(line) for line in (header, *lines)} == {10}
    code, printed = await run("history", "since", "Friday")
    assert code == 2
    assert 'I can\'t read "Friday" as a time' in printed
