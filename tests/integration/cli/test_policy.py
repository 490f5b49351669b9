"""`python -m bot policy`: check a file, and explain who may do what."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.store.database import Database
from tests.integration.cli.conftest import Run
from tests.support import jobs

GROUP = "aaaaaaaa-0000-4000-8000-00000000000a"
TEXT = f"""requesters = ["{jobs.ADMIN.object_id}"]
approvers = ["netops"]
[groups]
netops = "{GROUP}"
[[rule]]
name = "two people"
stages = [{{ of = ["netops"], need = 2 }}]
"""


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy file, and a tenant whose group has one member."""
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(f'[groups]\n{GROUP} = ["{jobs.APPROVER.object_id}"]\n')
    monkeypatch.setenv("OFFHOOK_SCENARIO", str(scenario))
    path = tmp_path / "policy.toml"
    path.write_text(TEXT)
    return path


async def test_check_says_whether_a_file_can_be_used(run: Run, policy: Path) -> None:
    code, printed = await run("policy", "check", policy)
    assert code == 0
    assert (
        "can be used: 1 rule, 0 denies, 0 freezes, 0 escalations, 0 views; break-glass is off."
        in printed
    )
    policy.write_text(TEXT.replace("need = 2", "needs = 2"))
    assert await run("policy", "check", policy) == (
        1,
        f"{policy}: line 7, rule[1].stages[1].needs: there is no such key; check its spelling\n",
    )
    code, printed = await run("policy", "check", policy.parent / "none.toml")
    assert (code, "cannot be read: No such file" in printed) == (2, True)


async def test_check_finds_groups_that_are_too_small(run: Run, policy: Path) -> None:
    assert await run("policy", "check", policy, "--directory") == (
        1,
        f"{policy}: rule 'two people': netops needs 2, and has 1\n",
    )
    policy.write_text(TEXT.replace("need = 2", "need = 1"))
    code, _ = await run("policy", "check", policy, "--directory")
    assert code == 0


async def test_explain_says_which_rule_why_and_who_can(
    run: Run, policy: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFHOOK_POLICY", str(policy))
    request = await jobs.draft(database, 2)
    assert await jobs.request_approval(database, request)
    asked = ("policy", "explain", "--action", "approve", "--request", request, "--actor")
    code, printed = await run(*asked, jobs.APPROVER.object_id)
    assert code == 0
    assert printed.splitlines()[:2] == ["Answer: yes", "Votes still wanted: 1 of netops"]
    code, printed = await run(*asked, jobs.ADMIN.object_id, "--json")
    assert code == 1
    answer = json.loads(printed)
    assert (answer["reason"], answer["who_can"]) == ("not-approver", ["netops"])
    code, printed = await run(
        "policy", "explain", "--action", "submit", "--actor", jobs.ADMIN.object_id
    )
    assert code == 0


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--action", "fly"), "'fly' is no action. These are: submit, request"),
        (("--action", "approve"), "Add --request with the ID of a request"),
        (("--action", "approve", "--request", "???"), "Add --request with the ID of a request"),
        (("--action", "approve", "--request", "ZZZZZZZZ"), "There is no request ZZZZZZZZ."),
    ],
)
async def test_explain_says_what_it_needs(
    run: Run, arguments: tuple[str, ...], expected: str
) -> None:
    code, printed = await run("policy", "explain", "--actor", GROUP, *arguments)
    assert (code, expected in printed) == (2, True)


async def test_explain_without_a_request_needs_no_database(
    run: Run, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFHOOK_POLICY", str(policy))
    monkeypatch.setenv("OFFHOOK_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    explain = ("policy", "explain", "--action", "history", "--actor")
    code, printed = await run(*explain, jobs.APPROVER.object_id)
    assert (code, printed.splitlines()[0]) == (0, "Answer: yes")
    view = f'[[view]]\nname = "EMEA"\npeople = ["{jobs.APPROVER.object_id}"]\nregions = ["EMEA"]\n'
    policy.write_text(TEXT + view)
    code, printed = await run(*explain, jobs.APPROVER.object_id)
    assert (code, printed.splitlines()[1]) == (0, "Rule: EMEA")
    code, _ = await run(*explain, jobs.ADMIN.object_id)
    assert code == 1


async def test_file_that_contradicts_a_setting_is_refused(
    run: Run, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFHOOK_POLICY", str(policy))
    monkeypatch.setenv("OFFHOOK_BREAK_GLASS", jobs.ADMIN.object_id)
    policy.write_text(f'{TEXT}[break_glass]\npeople = ["{GROUP}"]\n')
    # Read as at a start.
    code, printed = await run("policy", "explain", "--action", "submit", "--actor", GROUP)
    assert (code, "OFFHOOK_BREAK_GLASS is set, too, and says something else" in printed) == (
        2,
        True,
    )
    code, printed = await run("policy", "check", policy)
    assert (code, "line 8, break_glass: OFFHOOK_BREAK_GLASS is set" in printed) == (1, True)


async def test_wrong_file_is_named_by_its_setting(
    run: Run, policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFHOOK_POLICY", str(policy))
    policy.write_text("approvers = []")
    code, printed = await run("policy", "explain", "--action", "submit", "--actor", GROUP)
    assert code == 2
    assert printed.startswith("OFFHOOK_POLICY: line 1, requesters: this key is missing")
