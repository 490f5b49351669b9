"""The interface between Teams and the commands: what comes in and what goes back, as plain values.

`bot.teams` makes these from activities after checking tenant and sender; `Chat` is what it calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from bot.identity.delegations import NO_PROOF, Proof
from bot.store.conversations import ConversationReference

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sent an activity, from the activity itself and never from card data."""

    object_id: str  #: `from.aadObjectId`
    name: str  #: `from.name`
    account_id: str = ""  #: `from.id`: who they are to the chat


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """A file to download: hostile until checked."""

    name: str
    url: str = field(repr=False)  #: grants access by itself, so it is never logged


@dataclass(frozen=True, slots=True)
class Mention:
    """Somebody mentioned in a message, from the activity's entities and never from its text."""

    name: str  #: as the text has it
    account_id: str  #: who they are to the chat
    object_id: str = ""  #: "" if the client did not send it


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    sender: Sender
    conversation: ConversationReference
    text: str  #: plain, without the mention of the bot
    files: Sequence[IncomingFile] = ()
    #: number of files shared where Teams gives the bot no access to them (group chats, channels)
    unreachable_files: int = 0
    #: IANA name of the sender's time zone, as the client says; "" if it does not. Hostile.
    timezone: str = ""
    mentions: Sequence[Mention] = ()  #: without that of the bot


@dataclass(frozen=True, slots=True)
class CardAction:
    """A click on a card."""

    sender: Sender
    conversation: ConversationReference
    verb: str
    data: Json  #: as the client sent it, merged with the inputs: hostile until checked
    activity_id: str  #: of the message that holds the card, "" if the client did not say
    proof: Proof = NO_PROOF  #: of a sign-in, if the click is repeated after one
    timezone: str = ""  #: as in `IncomingMessage`


@dataclass(frozen=True, slots=True)
class FileConsent:
    """The answer to a file consent card; hostile until checked."""

    sender: Sender
    conversation: ConversationReference
    context: Json  #: what the card carried
    upload: Json | None  #: `uploadInfo`; None if declined
    activity_id: str


@dataclass(frozen=True, slots=True)
class CardAnswer:
    """Replaces the card for the person who clicked."""

    card: Json


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """Shown under the card to the person who clicked; the card stays."""

    text: str


@dataclass(frozen=True, slots=True)
class SignInAnswer:
    """Asks the person who clicked to sign in; the client then repeats the click with the proof."""

    text: str
    button: str
    connection: str
    link: str  #: opens a sign-in
    exchange: Json | None  #: lets the client sign in silently (single sign-on); None if it may not


@dataclass(frozen=True, slots=True)
class SignInFailed:
    """The proof was not valid: a code was wrong, or the person has to sign in interactively."""

    text: str
    wrong_code: bool = False


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """There is nothing to show to whoever sent the activity."""


NO_ANSWER = NoAnswer()
Answer = CardAnswer | TextAnswer | SignInAnswer | SignInFailed | NoAnswer


class Members(Protocol):
    """Who is in a conversation."""

    async def object_id(self, conversation: ConversationReference, account_id: str) -> str:
        """The Entra object ID of a member; "" if there is no such member. Raises `RosterError`."""
        ...


class RosterError(Exception):
    """Teams does not say who is in a conversation."""


class Files(Protocol):
    """File transfer over the chat's own storage. Raises `FileTransferError`."""

    async def download(self, file: IncomingFile) -> bytes: ...

    def allows(self, url: object) -> bool:
        """Whether `url`, which a client sent, is of a storage that the settings allow."""
        ...

    async def upload(self, upload: Json, content: bytes) -> None:
        """PUT `content` to where a file consent said (`uploadInfo`)."""
        ...


class FileTransferError(Exception):
    """A file could not be transferred; `code` names the message `file-<code>`."""

    def __init__(self, code: str, **arguments: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.arguments = arguments


class Chat(Protocol):
    """Answers people: messages through the outbox, clicks by the return value."""

    async def installed(self, conversation: ConversationReference, sender: Sender) -> None: ...

    async def message(self, message: IncomingMessage) -> None: ...

    async def action(self, action: CardAction, *, repeated: bool = False) -> Answer:
        """`repeated`: the click was received before; show the card as it is now, and do nothing."""
        ...

    async def consent(self, consent: FileConsent) -> None: ...

    async def signed_in(
        self, sender: Sender, conversation: ConversationReference, proof: Proof
    ) -> Answer:
        """A sign-in apart from a click on a card. Returns what is wrong with it, or `NO_ANSWER`."""
        ...

    def receiving(
        self, conversation: ConversationReference, activity_id: str
    ) -> AbstractAsyncContextManager[bool]:
        """Everything that an activity does happens inside. Stores how to reach the conversation.

        Gives False if the activity was received before, by any replica: then it must have no effect.
        An activity without an ID is always taken for the first. One that fails before it has any effect
        may be delivered again.
        """
        ...

    async def removed(self, conversation: ConversationReference, activity_id: str) -> None:
        """The bot was removed from a conversation: send nothing there."""
        ...

    async def fault(self, conversation: ConversationReference, reference: str) -> None:
        """Tell a conversation that something unexpected failed, with its reference id."""
        ...

    def fault_text(self, reference: str) -> str:
        """The same sentence, for the person who clicked."""
        ...
