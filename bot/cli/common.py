"""What several commands share: usage errors and the settings."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bot.settings.model import Settings


class UsageError(Exception):
    """Ends the program with exit code 2 and this message."""


def load_settings(*, strict: bool = True) -> Settings:
    """Returns the settings from the environment and `.env`.

    Raises UsageError when a value is invalid and, if `strict`, when no setting has a variable's name.
    """
    from pydantic import ValidationError

    from bot.settings.model import Settings

    if strict:
        _reject_unknown_settings()
    try:
        return Settings()  # pyright: ignore[reportCallIssue]  # fields come from the environment
    except ValidationError as error:
        lines: list[str] = []
        for problem in error.errors():
            name = "".join(f"OFFHOOK_{part}".upper() for part in map(str, problem["loc"][:1]))
            message = problem["msg"].removeprefix("Value error, ")
            lines.append(f"{name}: {message} (it is {problem['input']!r})" if name else message)
        raise UsageError("\n".join(lines)) from None


def _reject_unknown_settings() -> None:
    from bot.settings.unknown import unknown_settings, variable_names

    lines = [
        f"{name}: no setting has this name." + (f" Did you mean {nearest}?" if nearest else "")
        for name, nearest in unknown_settings(variable_names()).items()
    ]
    if lines:
        raise UsageError("\n".join(lines))


@contextmanager
def usage_errors() -> Generator[None]:
    """Raises UsageError in place of the startup errors that a different setting can fix."""
    from bot.identity.credentials import CredentialError
    from bot.signin.policy.problem import PolicyError
    from bot.simulator.scenario import ScenarioError
    from bot.store.database import DatabaseError
    from bot.web.server import ListenError

    try:
        yield
    except (DatabaseError, CredentialError, ListenError) as error:
        raise UsageError(str(error)) from error
    except PolicyError as error:
        raise UsageError(f"OFFHOOK_POLICY: {error}") from error
    except ScenarioError as error:
        raise UsageError(f"OFFHOOK_SCENARIO: {error}") from error
