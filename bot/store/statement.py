"""Statements that are built once.

To build a statement and to look up its compiled form takes SQLAlchemy twice as long as to run it. The
cards and loops of a request run the same few dozen thousands of times.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial, wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar

from sqlalchemy import Executable, Integer, bindparam

_Values = ParamSpec("_Values")
_Statement = TypeVar("_Statement", bound=Executable)

# Nothing else in the statement would tell the type of these.
_TYPES = {"limit": Integer(), "offset": Integer()}


def statement(
    build: Callable[_Values, _Statement],
) -> Callable[_Values, tuple[_Statement, dict[str, Any]]]:
    """Makes a function that builds a statement return it with its values, as `tx.execute` takes them:

        @statement
        def _phones_of(request_id: str, numbers: Collection[int]) -> Select[str]:
            return select(PhoneRow.username).where(
                PhoneRow.request_id == request_id, PhoneRow.number.in_(numbers)
            )

        rows = await tx.execute(*_phones_of("ABCD2345", [1, 2]))

    `build` runs once, and gets a bound parameter instead of each positional argument: it may compare a
    column with it (the column first, which gives it its type; `== None` is not turned into IS NULL),
    store it in one, give it to `in_`, `limit` and `offset`, and do nothing else. What the statement's
    shape depends on is a keyword-only argument, hashable, and passed as it is: one statement for each.
    """
    parameters = signature(build).parameters.values()
    names = [each.name for each in parameters if each.kind is not each.KEYWORD_ONLY]
    # The names of columns are taken by what is stored in them.
    keys = [f"{name}_" for name in names]
    bound = [bindparam(key, type_=_TYPES.get(name)) for key, name in zip(keys, names, strict=True)]
    built = cache(partial(build, *bound))  # pyright: ignore[reportCallIssue]

    @wraps(build)
    def with_values(
        *values: _Values.args, **shape: _Values.kwargs
    ) -> tuple[_Statement, dict[str, Any]]:
        return built(**shape), dict(zip(keys, values, strict=True))

    return with_values
