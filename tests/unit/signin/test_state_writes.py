"""No state is written outside `bot.store.transitions`, where the tables rule every change."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

BOT = Path(__file__).parents[3] / "bot"
ALLOWED = BOT / "store" / "transitions.py"
#: Rows have their state in one of these columns.
STATE_TABLES = frozenset({"RequestRow", "BatchRow", "PhoneRow", "MendRow", "MendChangeRow"})
STATE_COLUMNS = frozenset({"state", "status"})
#: Functions that hand the columns they are given on to an UPDATE: no caller may give them a state.
PASS_COLUMNS_ON = frozenset(
    {"touch", "requeue", "apply", "planned_again", "_requeue", "want_reason"}
)
#: Functions that may set columns that are not written out: those of their callers, which are watched,
#: or of their own, none of which is a state.
COLUMNS_FROM_OUTSIDE = frozenset({"touch"})
_RAW_UPDATE = re.compile(r"\bUPDATE\s+(ONLY\s+)?[\w\".]+(\s+(AS\s+)?\w+)?\s+SET\b", re.IGNORECASE)


def _root(node: ast.expr) -> ast.Call | None:
    """The first call of a chain such as `update(Row).where(…).values(…)`."""
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Attribute) and not _updates_or_inserts(node):
        return _root(node.func.value)
    return node


def _table_method(node: ast.Call) -> ast.expr | None:
    """The class whose `__table__.update()` or `.insert()` is called."""
    function = node.func
    if (
        isinstance(function, ast.Attribute)
        and function.attr in ("update", "insert")
        and isinstance(function.value, ast.Attribute)
        and function.value.attr == "__table__"
    ):
        return function.value.value
    return None


def _name_of(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _updates_or_inserts(node: ast.Call) -> bool:
    if _table_method(node) is not None:
        return True
    return (
        _name_of(node.func) in ("update", "insert", "insert_into")
        and len(node.args) == 1
        and not (isinstance(node.func, ast.Attribute) and _name_of(node.func.value) not in _SQL)
    )


_SQL = frozenset({"sa", "sqlalchemy", "sqlite", "postgresql"})


def _target(node: ast.Call) -> str:
    """Name of the table's class, of an UPDATE or INSERT."""
    return _name_of(_table_method(node) or node.args[0])


def _of_state_table(root: ast.Call) -> bool:
    """Whether the statement may be about a table with states: a variable may be any table."""
    target = _target(root)
    return target in STATE_TABLES or not target.endswith("Row")


def _column_keys(call: ast.Call) -> Iterator[str | None]:
    """Names of the columns that `values(…)` sets; None for what is not written out."""
    for keyword in call.keywords:
        if keyword.arg is None:
            yield from _dict_keys(keyword.value)
        else:
            yield keyword.arg
    for argument in call.args:
        yield from _dict_keys(argument)


def _dict_keys(node: ast.expr) -> Iterator[str | None]:
    if not isinstance(node, ast.Dict):
        yield None
        return
    for key, value in zip(node.keys, node.values, strict=True):
        if key is None:  # {**more}
            yield from _dict_keys(value)
        elif isinstance(key, ast.Constant):
            yield str(key.value)
        elif isinstance(key, ast.Attribute):  # Row.state, or Row.state.key
            yield _name_of(key.value) if key.attr == "key" else key.attr
        else:
            yield None


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "x" for part in node.values
        )
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def state_writes(source: str) -> list[str]:
    """What in the source writes a state, or may, as `line: reason`."""
    tree = ast.parse(source)
    found = {*_statements(tree), *_passed_on(tree), *_raw_updates(tree)}
    return [f"{line}: {reason}" for line, reason in sorted(found)]


def _statements(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """UPDATEs of tables with states, built by SQLAlchemy."""
    with_values: set[int] = set()
    for function, node in _calls(tree):
        root = _root(node.func.value) if isinstance(node.func, ast.Attribute) else None
        if root is None or not _updates_or_inserts(root) or not _of_state_table(root):
            continue
        if _name_of(node.func) == "on_conflict_do_update":
            yield node.lineno, "updates on conflict"
        elif _name_of(node.func) == "values" and _name_of(root.func) == "update":
            with_values.add(id(root))
            for key in _column_keys(node):
                if key in STATE_COLUMNS:
                    yield node.lineno, f"sets {key}"
                elif key is None and function not in COLUMNS_FROM_OUTSIDE:
                    yield node.lineno, "sets columns that are not written out"
    for _, node in _calls(tree):
        updates = _updates_or_inserts(node) and _name_of(node.func) == "update"
        if updates and _of_state_table(node) and id(node) not in with_values:
            yield node.lineno, "updates without its values"


def _passed_on(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """States given to functions that set whatever columns they are given."""
    for _, node in _calls(tree):
        if _name_of(node.func) in PASS_COLUMNS_ON and any(
            keyword.arg in STATE_COLUMNS for keyword in node.keywords
        ):
            yield node.lineno, "passes a state on"


def _raw_updates(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.expr) and _RAW_UPDATE.search(_text(node)):
            yield node.lineno, "has a raw UPDATE"


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the name of the outermost function around it."""
    for statement in tree.body:
        name = getattr(statement, "name", "")
        for node in ast.walk(statement):
            if isinstance(node, ast.Call):
                yield name, node


def test_no_state_is_written_outside_transitions() -> None:
    found = {
        str(path.relative_to(BOT)): writes
        for path in sorted(BOT.rglob("*.py"))
        if path != ALLOWED and (writes := state_writes(path.read_text("utf-8")))
    }
    assert found == {}


def test_writes_of_transitions_are_found() -> None:
    """The one allowed place, where the table and the columns are variables."""
    found = {write.partition(": ")[2] for write in state_writes(ALLOWED.read_text("utf-8"))}
    assert found == {"sets state", "sets columns that are not written out"}


def test_functions_that_pass_columns_on_are_known() -> None:
    """Whoever takes columns as keyword arguments is either watched or keeps them from UPDATEs."""
    passing = {
        node.name
        for package in ("store", "lifecycle", "runner")
        for path in BOT.joinpath(package).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.args.kwarg is not None
    }
    # `record` inserts, `failed` logs, `mend_ended` formats, `with_values` chooses a statement,
    # and `connect` has options of a connection.
    # `_transition`, `transition`, `change` and `submitted` hand on to `apply`, which is ruled.
    audited = {"record", "record_once", "record_list", "_drafted"}  # events have no state
    ruled = {"_transition", "transition", "change", "submitted"}
    assert (
        passing - audited - ruled - {"failed", "mend_ended", "with_values", "connect"}
        == PASS_COLUMNS_ON
    )


@pytest.mark.parametrize(
    "statement",
    [
        "update(RequestRow).where(RequestRow.id == 1).values(state='running')",
        "update(BatchRow).values(version=2, state=BatchState.DONE.value)",
        "update(PhoneRow).values({'status': 'failed'})",
        "update(PhoneRow).values({PhoneRow.status: 'failed'})",
        "update(PhoneRow).values({PhoneRow.status.key: 'failed'})",
        "update(PhoneRow).values(**{'status': 'failed', **more})",
        "update(BatchRow).values(polls=1).values(state='done')",
        "update(BatchRow).values(state='done').returning(BatchRow.id)",
        "update(BatchRow).values(**columns)",
        "update(BatchRow).values(columns)",
        "update(table).values(state='done')",
        "update(models.BatchRow).values(state='done')",
        "sa.update(BatchRow).values(state='done')",
        "BatchRow.__table__.update().values(state='done')",
        "tx.execute(update(BatchRow), [{'state': 'done'}])",
        "tx.execute(update(BatchRow).where(BatchRow.id == 1), {'state': 'done'})",
        "insert(BatchRow).values(id=1).on_conflict_do_update(set_={'state': 'done'})",
        "sqlite.insert(BatchRow).on_conflict_do_update(set_=columns)",
        "requests.touch(tx, request_id, state='finished')",
        "tx.execute(text('UPDATE batches SET state = 1'))",
        "tx.execute(text('''\n  update \"phones\" set status = 'failed' '''))",
        "tx.execute(text(f'UPDATE {table} AS t SET state = :state'))",
    ],
)
def test_write_of_state_is_found(statement: str) -> None:
    source = f"async def change(tx):\n    await tx.execute({statement})\n"
    assert len(state_writes(source)) >= 1
    assert len(state_writes(f"class Store:\n    x = {statement}\n")) >= 1


@pytest.mark.parametrize(
    "statement",
    [
        "insert(BatchRow).values(state='planned')",
        "insert(BatchRow).values(**columns)",
        "update(BatchRow).values(owner='', lease_until=None)",
        "update(RequestRow).where(RequestRow.state == 'running').values(version=2)",
        "update(PostRow).values(state='x', **columns)",
        "sqlite.insert(ConversationRow).on_conflict_do_update(set_=columns)",
        "seen.update(values)",
        "log.info('batch.submitted', state='done')",
        "text('SELECT state FROM batches')",
        "'Update the card'",
    ],
)
def test_other_statement_is_not_found(statement: str) -> None:
    assert state_writes(f"async def change(tx):\n    await tx.execute({statement})\n") == []


def test_columns_from_outside_are_allowed_only_where_they_are_known() -> None:
    source = "def touch(tx, **columns):\n    update(RequestRow).values(version=2, **columns)\n"
    assert state_writes(source) == []
    assert len(state_writes(source.replace("touch", "poke"))) == 1
