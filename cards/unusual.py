"""What is unusual about a request, before what is usual; and what changed since the clicked card."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

from microsoft_teams.cards.core import CardElement, TextBlock

from bot.phones.issue import RETRY_NOTICES, SIGN_OUT_NOTICES
from bot.signin.evidence import RECENT_RESET
from bot.signin.unusual import Unusual, against_checks, unusual
from cards import accounts, overlaps, windows
from cards.context import CardContext
from cards.elements import bold, callout, text, timestamp
from cards.escape import Markup


def changed(context: CardContext) -> list[CardElement]:
    """Why a click had no effect: what the clicked card did not show as it is now. Empty if there is none."""
    if not context.view.changed:
        return []
    what = [text(f"• {context.words(f'approval-changed-{each}')}") for each in context.view.changed]
    lines = [bold(context.words("approval-changed")), *what]
    return [callout([*lines, text(context.words("approval-changed-how"))], "attention")]


def section(context: CardContext) -> list[CardElement]:
    """Everything unusual, the gravest first; or one line that there is nothing."""
    found = unusual(context.snapshot)
    if not found:
        return _nothing(context)
    lines = [line for each in found if each in _LINES for line in _LINES[each](context)]
    style = "attention" if against_checks(context.snapshot) else "warning"
    box = [callout([bold(context.words("unusual-heading")), *lines], style)] if lines else []
    return [*box, *_overlaps(context)]


def _nothing(context: CardContext) -> list[CardElement]:
    if not context.snapshot.evidence.gathered:
        return []
    checked = context.snapshot.roster.account_checks is not None
    days = RECENT_RESET.days
    return [text(context.message("unusual-nothing", checked=int(checked), days=days))]


def _overlaps(context: CardContext) -> list[CardElement]:
    """What is in common with other requests. The reason, further down, explains it, unless it is new."""
    wanted = context.snapshot.reason_wanted_since
    what_next = "overlap-held-up" if wanted else "overlap-explained"
    return overlaps.box(context, what_next, sees_all=context.view.names_all)


def _notices(*codes: str) -> Callable[[CardContext], list[TextBlock]]:
    def lines(context: CardContext) -> list[TextBlock]:
        """What the requester was told."""
        return [
            text(f"• {context.message(f'notice-{notice.code}', **notice.arguments)}")
            for notice in context.snapshot.roster.notices
            if notice.code in codes
        ]

    return lines


def _sign_out(context: CardContext) -> list[TextBlock]:
    """With the first accounts that are on several phones."""
    lines = _notices(*SIGN_OUT_NOTICES)(context)
    shared = context.snapshot.roster.shared_accounts
    if shared:
        on_several = context.message("approval-shared-accounts", names=_names(context, shared))
        lines.append(text(on_several, spacing="Small"))
    return lines


def _reset(context: CardContext) -> list[TextBlock]:
    evidence = context.snapshot.evidence
    assert evidence.reset_at is not None  # noqa: S101  # there are resets
    line = context.message(
        "unusual-reset",
        accounts=evidence.reset_accounts,
        days=RECENT_RESET.days,
        when=timestamp(evidence.reset_at),
        names=_names(context, evidence.reset_examples),
        more=evidence.reset_accounts - len(evidence.reset_examples),
    )
    return [text(f"• {line}")]


def _compared(context: CardContext) -> list[TextBlock]:
    compared = context.snapshot.evidence.compared
    assert compared is not None  # noqa: S101  # something has changed
    line = context.message(
        "unusual-changed",
        named=int(not context.view.limited),
        request="" if context.view.limited else compared.request_id,
        when=timestamp(compared.approved_at),
        added=compared.added,
        gone=compared.gone,
        changed=compared.changed,
    )
    lines = [text(f"• {line}")]
    if compared.examples:
        names = _names(context, compared.examples)
        examples = context.message("unusual-changed-examples", names=names)
        lines.append(text(examples, subtle=True, spacing="None"))
    return lines


def _first_request(context: CardContext) -> list[TextBlock]:
    person = context.person_name(context.snapshot.requester)
    return [text(f"• {context.message('unusual-first-request', person=person)}")]


def _large(context: CardContext) -> list[TextBlock]:
    line = context.message(
        "unusual-large",
        phones=context.snapshot.roster.ready,
        usual=context.snapshot.evidence.usual_phones,
    )
    return [text(f"• {line}")]


def _names(context: CardContext, names: Sequence[str]) -> Markup:
    return Markup(", ".join(map(context.markdown_value, names)))


#: The lines of each; overlaps have a box of their own.
_LINES: Mapping[Unusual, Callable[[CardContext], list[TextBlock]]] = MappingProxyType(
    {
        Unusual.GUARDED: accounts.guarded_lines,
        Unusual.FAILED: accounts.failed_lines,
        Unusual.WINDOWS: partial(windows.lead, approver=True),
        Unusual.RESET: _reset,
        Unusual.SIGN_OUT: _sign_out,
        Unusual.RETRY: _notices(*RETRY_NOTICES),
        Unusual.CHANGED: _compared,
        Unusual.FIRST_REQUEST: _first_request,
        Unusual.LARGE: _large,
    }
)
