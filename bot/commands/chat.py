"""The door between the chat edge and the commands: what comes in, what goes back, as plain values.

`bot.teams` makes these from activities after it has checked tenant and sender; `Chat` is what it calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from bot.identity.delegations import NO_PROOF, Proof

Json = Mapping[str, Any]


class ConversationKind(StrEnum):
    PERSONAL = "personal"
    GROUP = "group"
    CHANNEL = "channel"


@dataclass(frozen=True, slots=True)
class Place:
    """A conversation. `reference` lets the chat edge reach it again: JSON-safe, opaque elsewhere."""

    tenant_id: str
    conversation_id: str
    kind: ConversationKind
    reference: Json


@dataclass(frozen=True, slots=True)
class Sender:
    """From the activity (`from.aadObjectId`, `from.name`), never from card data. `account_id` is who
    they are to the chat (`from.id`)."""

    object_id: str
    name: str
    account_id: str = ""


@dataclass(frozen=True, slots=True)
class IncomingFile:
    """A file that can be fetched from `url`: hostile until checked, never logged."""

    name: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IncomingMessage:
    """`text` is plain, without the mention of the bot. `unreachable_files` counts files that were
    shared in a place where Teams gives the bot no access to them (group chats, channels)."""

    sender: Sender
    place: Place
    text: str
    files: Sequence[IncomingFile] = ()
    unreachable_files: int = 0


@dataclass(frozen=True, slots=True)
class CardAction:
    """A click. `data` is what the client sent, merged with the inputs: hostile until checked.
    `activity_id` is the message that holds the card, "" if the client did not say; `proof` is there if
    the click comes again after a sign-in."""

    sender: Sender
    place: Place
    verb: str
    data: Json
    activity_id: str
    proof: Proof = NO_PROOF


@dataclass(frozen=True, slots=True)
class FileConsent:
    """The answer to a file consent card. `upload` is None if declined; both are hostile."""

    sender: Sender
    place: Place
    context: Json
    upload: Json | None
    activity_id: str


@dataclass(frozen=True, slots=True)
class CardAnswer:
    """Replaces the card for the one who clicked."""

    card: Json


@dataclass(frozen=True, slots=True)
class TextAnswer:
    """Shown under the card to the one who clicked; the card stays."""

    text: str


@dataclass(frozen=True, slots=True)
class SignInAnswer:
    """Asks the one who clicked to sign in; the client then clicks again, with the proof.

    `exchange` lets the client do so without asking (single sign-on); `link` opens a sign-in.
    """

    text: str
    button: str
    connection: str
    link: str
    exchange: Json | None


@dataclass(frozen=True, slots=True)
class SignInFailed:
    """The proof was none: a code was wrong, or the client has to let the person sign in themselves."""

    text: str
    wrong_code: bool = False


Answer = CardAnswer | TextAnswer | SignInAnswer | SignInFailed


class Files(Protocol):
    """Moving files over the chat's own storage. Raises `FileTrouble`."""

    async def download(self, file: IncomingFile) -> bytes: ...

    async def upload(self, upload: Json, content: bytes) -> None:
        """PUT `content` where a file consent said (`uploadInfo`)."""
        ...


class FileTransferError(Exception):
    """A file could not be moved; `code` names the sentence `file-<code>` in the catalogue."""

    def __init__(self, code: str, **arguments: str | int) -> None:
        super().__init__(code)
        self.code = code
        self.arguments = arguments


class Chat(Protocol):
    """Answers people. Messages are answered through the outbox, clicks by the return value."""

    async def installed(self, place: Place, sender: Sender) -> None: ...

    async def message(self, message: IncomingMessage) -> None: ...

    async def action(self, action: CardAction) -> Answer: ...

    async def consent(self, consent: FileConsent) -> None: ...

    async def signed_in(self, sender: Sender, place: Place, proof: Proof) -> Answer | None:
        """A sign-in apart from a click on a card. None if it is one; else what is wrong."""
        ...

    async def seen(self, place: Place) -> None:
        """Note where a conversation can be reached; every inbound activity refreshes it."""
        ...

    async def fault(self, place: Place, reference: str) -> None:
        """Tell a conversation that something unforeseen went wrong, with its reference id."""
        ...

    def fault_text(self, reference: str) -> str:
        """The same sentence, for the one who clicked."""
        ...
