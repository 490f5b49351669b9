"""The card of the command `delegate`: who stands in for whom, and the form that names a stand-in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from microsoft_teams.cards.core import (
    Action,
    AdaptiveCard,
    CardElement,
    ChoiceSetInput,
    Container,
    DateInput,
    ExecuteAction,
    QueryData,
)

from bot.words import Words
from cards.elements import heading, text, title, to_json
from cards.escape import markdown
from cards.types import RenderedCard, Verb

#: Lets the client search the organization's users; the value chosen is an Entra object ID. Microsoft,
#: "People Picker in Adaptive Cards".
_PEOPLE = "graph.microsoft.com/users"
_MAX_NAME_CHARS = 80


@dataclass(frozen=True, slots=True)
class Line:
    """One stand-in, as told to whoever asks."""

    approver: str
    person: str  #: who stands in
    until: str
    own: bool  #: the one who asks is the approver


@dataclass(frozen=True, slots=True)
class Dates:
    """The days to choose from, in the approvers' time zone."""

    first: date
    last: date


def build(words: Words, lines: Sequence[Line], dates: Dates | None) -> RenderedCard:
    """`dates`: None for those who cannot hand over their role, who get no form."""
    escaping = words.escaping(lambda value: markdown(value, _MAX_NAME_CHARS))
    body: list[CardElement] = [
        text(
            escaping(
                "stand-in-given" if line.own else "stand-in-received",
                person=line.person,
                approver=line.approver,
                until=line.until,
            )
        )
        for line in lines
    ] or [text(words("stand-in-none"))]
    actions: list[Action] = []
    if dates is not None:
        body += _form(words, dates)
        actions.append(_button(Verb.STAND_IN, words("button-stand-in"), with_inputs=True))
        if any(line.own for line in lines):
            actions.append(_button(Verb.STAND_IN_STOP, words("button-stand-in-stop")))
    headline = words("stand-in-headline")
    card = AdaptiveCard(
        version="1.5",
        lang=words.language,
        fallback_text=headline,
        body=[Container(style="emphasis", bleed=True, items=[title(headline)]), *body],
        actions=actions or None,
    )
    return RenderedCard(to_json(card), headline)


def _form(words: Words, dates: Dates) -> list[CardElement]:
    return [
        heading(words("stand-in-form")),
        text(words("stand-in-how")),
        ChoiceSetInput(
            id="to",
            label=words("label-stand-in"),
            choices=[],
            choices_data=QueryData(dataset=_PEOPLE),
            style="filtered",
            placeholder=words("placeholder-stand-in"),
            is_required=True,
            error_message=words("stand-in-who-card"),
        ),
        DateInput(
            id="until",
            label=words("label-until"),
            min=dates.first.isoformat(),
            max=dates.last.isoformat(),
            is_required=True,
            error_message=words("stand-in-when-card"),
        ),
    ]


def _button(verb: Verb, label: str, *, with_inputs: bool = False) -> ExecuteAction:
    return ExecuteAction(
        verb=verb.value,
        title=label,
        style="positive" if with_inputs else None,
        associated_inputs="auto" if with_inputs else "none",
        data={"request": "", "version": 0},  # which every button has: it is about none
    )
