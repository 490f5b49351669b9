"""What every card is made from: a snapshot, a view, words, and how much room there is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from microsoft_teams.cards.core import (
    Action,
    ActionStyle,
    CardElement,
    ContainerStyle,
    ExecuteAction,
)

from bot.signin.request import Person
from bot.signin.snapshot import RequestSnapshot
from bot.words import Argument, Words
from cards.elements import EMPTY
from cards.escape import Markup, markdown, plain
from cards.types import Verb, View


@dataclass(frozen=True, slots=True)
class Budget:
    """How long a card may get. Lengths are in characters."""

    value: int  # a value of a row, a name
    prose: int  # what a person or the service wrote: a reason, a comment, an error
    causes: int  # kinds of failure told apart


# From what suits a reader to what fits below the limit whatever the values are.
BUDGETS = (Budget(80, 300, 8), Budget(40, 160, 6), Budget(24, 80, 4), Budget(16, 40, 3))


@dataclass(frozen=True, slots=True)
class Verdict:
    """The sentence that a card opens with; notifications carry it too."""

    message: str
    arguments: Mapping[str, Argument] = field(default_factory=dict[str, Argument])


@dataclass(frozen=True, slots=True)
class Sheet:
    """What one kind of card says; the frame around it is the same for all."""

    verdict: Verdict
    tone: ContainerStyle
    lead: Sequence[CardElement]  # stays with the verdict
    body: Sequence[CardElement] = ()
    actions: Sequence[Action] = ()


@dataclass(frozen=True, slots=True)
class CardContext:
    snapshot: RequestSnapshot
    view: View
    words: Words
    home_tenant: str
    budget: Budget

    def say(self, message: str, /, **arguments: Argument) -> str:
        """A sentence for a TextBlock or a fact."""
        escape = partial(markdown, longest=self.budget.value)
        return self.words.escaping(escape)(message, **arguments)

    def label(self, message: str, /, **arguments: Argument) -> str:
        """A sentence for what knows no Markdown: buttons, labels, notifications."""
        escape = partial(plain, longest=self.budget.value)
        return self.words.escaping(escape)(message, **arguments)

    def part(self, message: str, attribute: str, /, **arguments: Argument) -> str:
        escape = partial(markdown, longest=self.budget.value)
        return self.words.escaping(escape).part(message, attribute, **arguments)

    def given(self, text: str) -> str:
        """A value by itself in a TextBlock or a fact."""
        return markdown(text, self.budget.value) or EMPTY

    def value(self, text: str) -> str:
        """A value for a text run."""
        return plain(text, self.budget.value)

    def prose(self, text: str) -> Markup:
        """What somebody wrote, as an argument of `say`."""
        return Markup(markdown(text, self.budget.prose))

    def name(self, person: Person | None) -> str:
        """Whom to name. Chat clients do not always say."""
        return (person.name.strip() if person else "") or self.words("somebody")

    def execute(
        self,
        verb: Verb,
        title: str,
        *,
        style: ActionStyle | None = None,
        with_inputs: bool = False,
        **extra: str | int,
    ) -> ExecuteAction:
        """A button. Only what needs the inputs waits for them to be filled in."""
        return ExecuteAction(
            verb=verb.value,
            title=title,
            style=style,
            associated_inputs="auto" if with_inputs else "none",
            data={"request": self.snapshot.id, "version": self.snapshot.version, **extra},
        )
