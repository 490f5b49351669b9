"""The contract with people, scripts and stored rows: nothing here changes with a refactoring.

`contract.json` was written from the first release. An entry is added when something new is promised; one
that is changed or removed breaks somebody's script, card or database.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr

from bot.cli import app, validate
from bot.commands import export
from bot.commands.dispatcher import COMMANDS
from bot.mending.change import ChangeKind, ChangeState
from bot.mending.mend import MendState
from bot.phones.issue import Column, Severity
from bot.phones.region import Region
from bot.phones.vendor import DeviceKind
from bot.preflight.verdict import Result
from bot.settings import values
from bot.settings.clouds import Cloud
from bot.settings.model import Settings
from bot.signin.batch import BatchState
from bot.signin.outcome import CAUSES, PhoneStatus
from bot.signin.policy.decision import Ruling
from bot.signin.request import Hold, RequestState
from bot.signin.sighting import SightingState
from bot.store.account_checks import Preflight
from bot.store.chain import ERASED, PURGED
from bot.words import Words
from cards import stand_in
from cards.render import render
from cards.stand_in import Dates, Line
from cards.types import CardKind, Panel, Verb, View
from tests.support import mend_snapshots, snapshots

ROOT = Path(__file__).parents[2]
CONTRACT = json.loads(Path(__file__).with_name("contract.json").read_text("utf-8"))


def _values(choices: type[Enum]) -> list[str]:
    return [choice.value for choice in choices]


def _default(value: Any) -> Any:
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, Path):
        value = str(value)
    return list(cast(tuple[Any, ...], value)) if isinstance(value, tuple) else value


def _settings() -> dict[str, Any]:
    fields = Settings.model_fields.items()
    return {f"OFFHOOK_{name.upper()}": _default(field.default) for name, field in fields}


def _command_line() -> list[str]:
    commands = sorted(command.name or "" for command in app.registered_commands)
    return commands + sorted(group.name or "" for group in app.registered_groups)


def _make_targets() -> list[str]:
    (targets,) = re.findall(r"\.PHONY: (.*)", (ROOT / "Makefile").read_text("utf-8"))
    return targets.split()


def _metrics() -> list[str]:
    return sorted(re.findall(r'"(offhook_\w+)"', (ROOT / "bot/web/metrics.py").read_text("utf-8")))


def _audit_actions() -> list[str]:
    """The literal actions; an end is recorded under the name of its state."""
    return sorted(
        {PURGED, ERASED}
        | {
            call.args[2].value
            for path in (ROOT / "bot").rglob("*.py")
            for call in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(call, ast.Call)
            and ast.unparse(call.func) in ("audit.record", "audit.record_once")
            and isinstance(call.args[2], ast.Constant)
            and isinstance(call.args[2].value, str)
        }
    )


_STORED = ("phones", "preflight")  # catalogs with sentences about rows


def _stored_messages() -> list[str]:
    """Rows keep the codes of issues and notices; their sentences are looked up when they are shown."""
    words = ROOT / "bot/words/en"
    catalog = "\n".join((words / f"{name}.ftl").read_text("utf-8") for name in _STORED)
    return sorted(set(re.findall(r"^((?:issue|notice)-[\w-]+) =", catalog, re.MULTILINE)))


def _nodes(card: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(card, Mapping):
        node = cast(Mapping[str, Any], card)
        yield node
        for value in node.values():
            yield from _nodes(value)
    elif isinstance(card, list):
        for value in cast(list[Any], card):
            yield from _nodes(value)


def _cards() -> Iterator[Mapping[str, Any]]:
    for state in RequestState:
        for regions_known in (True, False):
            plain = snapshots.snapshot(state, regions_known=regions_known)
            checked = snapshots.with_account_checks(plain)
            for snapshot in (plain, checked, snapshots.with_every_problem(plain)):
                batch_id = snapshot.questions[0].batch_id if snapshot.questions else 0
                for kind in CardKind:
                    for panel in Panel:
                        view = View(panel=panel, batch_id=batch_id)
                        tenant = snapshots.TENANT
                        yield render(kind, snapshot, view, Words(), tenant_id=tenant).card
    for scheduled in (snapshots.with_repeated_start(), snapshots.with_missed_start()):
        for kind in CardKind:
            tenant = snapshots.TENANT
            yield render(kind, scheduled, View(), Words(), tenant_id=tenant).card
    request, words = snapshots.snapshot(RequestState.DRAFT), Words()
    for state in MendState:
        yield render(
            CardKind.MEND_APPROVAL,
            request,
            View(mend_id=7),
            words,
            tenant_id=snapshots.TENANT,
            of_mend=mend_snapshots.snapshot(state),
        ).card
    waiting, tenant = snapshots.snapshot(RequestState.WAITING), snapshots.TENANT
    used = replace(waiting, review=snapshots.REVIEW)
    for kind, snapshot in ((CardKind.VALIDATION, waiting), (CardKind.REVIEW, used)):
        yield render(kind, snapshot, View(), words, tenant_id=tenant, break_glass=Ruling.YES).card
    today = snapshots.NOON.date()
    yield stand_in.build(
        words, [Line("Ada", "Grace", "Friday", own=True)], Dates(today, today)
    ).card


def _card_data() -> list[str]:
    buttons = (
        node for card in _cards() for node in _nodes(card) if node.get("type") == "Action.Execute"
    )
    return sorted({key for button in buttons for key in button.get("data") or {}})


def _card_inputs() -> list[str]:
    return sorted(
        {
            node["id"]
            for card in _cards()
            for node in _nodes(card)
            if str(node.get("type", "")).startswith("Input.")
        }
    )


PRESENT = {
    "settings": _settings,
    "commands": lambda: list(COMMANDS),
    "verbs": lambda: _values(Verb),
    "card_kinds": lambda: _values(CardKind),
    "panels": lambda: _values(Panel),
    "states": lambda: {
        "request": _values(RequestState),
        "batch": _values(BatchState),
        "phone": _values(PhoneStatus),
        "mend": _values(MendState),
        "change": _values(ChangeState),
        "hold": _values(Hold),
        "account_checks": _values(Preflight),
        "account_check": _values(Result),
        "sighting": _values(SightingState),
    },
    "change_kinds": lambda: _values(ChangeKind),
    "causes": lambda: list(CAUSES),
    "results_header": lambda: list(export.HEADER),
    "issues_header": lambda: list(export.ISSUES_HEADER),
    "validate_exit_codes": lambda: {
        "ready": validate.READY,
        "not_ready": validate.NOT_READY,
        "unreadable": validate.UNREADABLE,
    },
    "regions": lambda: _values(Region),
    "severities": lambda: _values(Severity),
    "columns": lambda: _values(Column),
    "device_kinds": lambda: _values(DeviceKind),
    "choices": lambda: (
        {
            name: _values(getattr(values, name))
            for name in (
                "Environment",
                "Gateway",
                "AppType",
                "DatabaseAuth",
                "RunAs",
                "Exports",
                "Preflight",
            )
        }
        | {"Cloud": _values(Cloud)}
    ),
    "command_line": _command_line,
    "make_targets": _make_targets,
    "metrics": _metrics,
    "audit_actions": _audit_actions,
    "stored_messages": _stored_messages,
    "card_data": _card_data,
    "card_inputs": _card_inputs,
}


@pytest.mark.parametrize("part", sorted(CONTRACT))
def test_contract_is_kept(part: str) -> None:
    assert PRESENT[part]() == CONTRACT[part]


def test_contract_has_every_part() -> None:
    assert set(PRESENT) == set(CONTRACT)
