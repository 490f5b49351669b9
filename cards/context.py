"""What card builders share: the inputs of one rendering, and what a builder returns."""

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

from bot.mending.snapshot import MendOffer, MendSnapshot
from bot.signin.acknowledgment import TYPED_ABOVE
from bot.signin.policy.decision import Ruling
from bot.signin.policy.model import Rule
from bot.signin.policy.vote import Standing
from bot.signin.request import Person
from bot.signin.snapshot import RequestSnapshot
from bot.signin.windows import CutShort
from bot.words import Argument, Words
from cards.elements import EMPTY
from cards.escape import Markup, markdown, single_line
from cards.types import Verb, View


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits on the variable parts of a card."""

    value_chars: int  #: length of a value in a row, or of a name
    free_text_chars: int  #: length of a reason, a comment, or an error of the SIP Gateway
    cause_groups: int  #: number of cause groups shown


# From comfortable to read, down to what fits the size limit whatever the values are.
BUDGETS = (Budget(80, 300, 8), Budget(40, 160, 6), Budget(24, 80, 4), Budget(16, 40, 3))


@dataclass(frozen=True, slots=True)
class Headline:
    """The sentence at the top of a card, repeated in its summary."""

    message_id: str  #: in the message catalogue
    arguments: Mapping[str, Argument] = field(default_factory=dict[str, Argument])


@dataclass(frozen=True, slots=True)
class CardParts:
    """What a builder contributes to a card. `render` adds the frame, the same for all kinds."""

    headline: Headline
    style: ContainerStyle  #: of the header
    header: Sequence[CardElement]  #: below the headline, in the same container
    body: Sequence[CardElement] = ()
    actions: Sequence[Action] = ()
    badge: CardElement | None = None  #: None for that of the request's state


@dataclass(frozen=True, slots=True)
class CardContext:
    """Everything one card is rendered from."""

    snapshot: RequestSnapshot
    view: View
    words: Words  #: does not escape; for messages without arguments from outside
    tenant_id: str  #: tenant id for provisioning URLs
    budget: Budget
    runs_as_approver: bool = False  #: sign-ins use the permissions of the approver
    mend: MendSnapshot | None = None  #: that a mend's card is about
    offer: MendOffer | None = None  #: on the validation card: what can be mended
    typed_above: int = TYPED_ABOVE  #: phones up to which an approver ticks a box, without more
    standing: Standing | None = None  #: of its approval; None if one click is all it takes
    #: whether the requester may approve it in an emergency; not known for members of groups
    break_glass: Ruling = Ruling.NO
    cut_short: CutShort | None = None  #: None unless its window will close before it is over
    ticket_rule: Rule | None = None  #: by which a draft needs a ticket; None if it needs none

    @property
    def sees(self) -> bool:
        """Whether the one who is shown the card may see the request."""
        return self.view.viewer is None or self.view.viewer.sees

    @property
    def releases(self) -> bool:
        """Whether to show what only people can use who could have approved the request."""
        if self.view.viewer is not None:
            return self.view.viewer.releases
        return not (self.view.for_requester and self.snapshot.four_eyes)

    @property
    def escaping_words(self) -> Words:
        """Messages as Markdown, for functions that are given `Words`."""
        return self.words.escaping(partial(markdown, max_length=self.budget.value_chars))

    def message(self, message_id: str, /, **arguments: Argument) -> str:
        """Returns a message as Markdown, for a TextBlock or a fact."""
        return self.escaping_words(message_id, **arguments)

    def single_line_message(self, message_id: str, /, **arguments: Argument) -> str:
        """Returns a message without Markdown, for summaries."""
        escape = partial(single_line, max_length=self.budget.value_chars)
        return self.words.escaping(escape)(message_id, **arguments)

    def part(self, message_id: str, attribute: str, /, **arguments: Argument) -> str:
        """Returns an attribute of a message as Markdown, such as `fix`."""
        return self.escaping_words.part(message_id, attribute, **arguments)

    def markdown_value(self, text: str) -> str:
        """Escapes a value that fills a TextBlock or a fact by itself."""
        return markdown(text, self.budget.value_chars) or EMPTY

    def single_line_value(self, text: str) -> str:
        """Sanitizes a value for a text run."""
        return single_line(text, self.budget.value_chars)

    def free_text(self, text: str) -> Markup:
        """Escapes text written by a person or the SIP Gateway, as an argument of `message`."""
        return Markup(markdown(text, self.budget.free_text_chars))

    def person_name(self, person: Person | None) -> str:
        """Returns "someone" when the name is unknown: chat clients do not always send one."""
        return (person.name.strip() if person else "") or self.words("someone")

    def execute_action(
        self,
        verb: Verb,
        title: str,
        *,
        style: ActionStyle | None = None,
        with_inputs: bool = False,
        **extra: str | int,
    ) -> ExecuteAction:
        """Builds a button that invokes `verb`, with `extra` added to its data.

        Required inputs block the button only if `with_inputs` is true.
        """
        return ExecuteAction(
            verb=verb.value,
            title=title,
            style=style,
            associated_inputs="auto" if with_inputs else "none",
            data={"request": self.snapshot.id, "version": self.snapshot.version, **extra},
        )
