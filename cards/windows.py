"""How much time the phones have left, counted from their provisioning: now, or at a set start."""

from __future__ import annotations

from collections.abc import Sequence

from microsoft_teams.cards.core import TextBlock

from cards.context import CardContext
from cards.elements import bold, text, timestamp
from cards.escape import Markup


def facts_of_windows(context: CardContext) -> list[tuple[str, str]]:
    """Pairs with the phones by window and with the nearest deadline. Empty if no time is known."""
    windows = context.snapshot.roster.windows
    if windows is None:
        return []
    counts = context.message(
        "windows",
        in_time=windows.in_time,
        too_early=windows.too_early,
        nearly_too_late=windows.nearly_too_late,
        too_late=windows.too_late,
        without_time=windows.without_time,
        when=timestamp(windows.at),
    )
    pairs = [(context.words("fact-windows"), counts)]
    if windows.next_deadline is not None:
        pairs.append((context.words("fact-deadline"), timestamp(windows.next_deadline)))
    return pairs


def lead(context: CardContext, *, approver: bool = False) -> list[TextBlock]:
    """A line for each window in which a sign-in fails or may fail, the worst first.

    `approver`: whether an approver reads what to do about phones that are too late.
    """
    windows = context.snapshot.roster.windows
    if windows is None:
        return []
    lines: list[TextBlock] = []
    if windows.too_late:
        line = _line(context, "too-late", windows.too_late, windows.late_examples)
        what_next = "windows-too-late-approver" if approver else "windows-too-late-requester"
        lines += [bold(line), text(context.message(what_next, phones=windows.too_late))]
    if windows.nearly_too_late:
        examples = windows.nearly_late_examples
        line = _line(context, "nearly-too-late", windows.nearly_too_late, examples)
        lines.append(bold(line))
    if windows.too_early:
        line = _line(context, "too-early", windows.too_early, windows.early_examples)
        lines.append(text(line))
    return lines


def _line(context: CardContext, window: str, phones: int, examples: Sequence[str]) -> str:
    names = Markup(", ".join(map(context.markdown_value, examples)))
    more = phones - len(examples)
    later = context.snapshot.run_at is not None
    return context.message(
        f"windows-start-{window}" if later else f"windows-{window}",
        phones=phones,
        names=names,
        more=more,
    )
