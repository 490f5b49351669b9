"""Parses activities: hostile JSON in, plain values of `bot.commands.chat` out. Makes no calls.

Its own models rather than the SDK's: these check types and keep `conversation.tenantId`, which
botbuilder 4.17.1 expects under another key and loses.
"""

import html
import json
import re
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from bot.commands import chat
from bot.store.conversations import ConversationKind, ConversationReference

_MAX_ACTION_DATA = 64 * 1024  # characters of JSON; our own cards send less than 1 KB
_MAX_PROOF = 32 * 1024  # characters; tokens have some 2,000
_MAX_ENTITIES = 200  # a message mentions people, and says once which client sent it
_MAX_MEMBERS = 1000
_DOWNLOAD_INFO = "application/vnd.microsoft.teams.file.download.info"

_KINDS = {
    "personal": ConversationKind.PERSONAL,
    "groupChat": ConversationKind.GROUP,
    "channel": ConversationKind.CHANNEL,
}
_MENTION_TAG = re.compile(r"</?at(?:\s[^<>]*)?>", re.IGNORECASE)


class ActivityError(Exception):
    """The activity is refused: HTTP `status`, `code` names the sentence, `field` is at fault."""

    def __init__(
        self,
        status: int = 400,
        code: str = "request-malformed",
        field: str = "",
        *,
        retry_after: int = 0,
    ) -> None:
        """`retry_after`: seconds until another try may succeed; 0 if none will."""
        super().__init__(status, code, field)
        self.status, self.code, self.field = status, code, field
        self.retry_after = retry_after


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, value: Any) -> Any:
        """Clients send null for what they do not have; fields have defaults for that."""
        if not isinstance(value, dict):
            return value
        fields = cast(dict[str, Any], value)
        return {name: field for name, field in fields.items() if field is not None}


class _Named(_Part):
    id: str = ""
    name: str = ""
    aad_object_id: str = ""


class _Conversation(_Part):
    id: str = Field(min_length=1)
    conversation_type: str = ""
    tenant_id: str = ""


class _Entity(_Part):
    text: str = ""
    timezone: str = ""  # of an entity of the type `clientInfo`
    mentioned: _Named = _Named()


class _Attachment(_Part):
    content_type: str = ""
    name: str = ""
    content: Any = None


class _ChannelData(_Part):
    tenant: _Named = _Named()
    team: _Named = _Named()
    channel: _Named = _Named()


class Activity(_Part):
    """The part of an activity that Offhook reads, named as in the Bot Framework activity schema."""

    id: str = ""
    type: str = Field(min_length=1)
    service_url: str = Field(min_length=1)
    channel_id: str = ""
    name: str = ""
    action: str = ""
    text: str = ""
    reply_to_id: str = ""
    local_timezone: str = ""
    value: Any = None
    sender: _Named = Field(alias="from")
    recipient: _Named
    conversation: _Conversation
    channel_data: _ChannelData = _ChannelData()
    # Lists end at their first error: a description of each would take more memory than the body.
    entities: list[_Entity] = Field(default=[], max_length=_MAX_ENTITIES, fail_fast=True)
    attachments: list[_Attachment] = Field(default=[], max_length=50, fail_fast=True)
    members_removed: list[_Named] = Field(default=[], max_length=_MAX_MEMBERS, fail_fast=True)

    @property
    def tenant_id(self) -> str:
        """In lower case; "" if the activity names no tenant, or two that differ."""
        named = {self.channel_data.tenant.id.lower(), self.conversation.tenant_id.lower()} - {""}
        return named.pop() if len(named) == 1 else ""

    @property
    def zone(self) -> str:
        """The sender's time zone, as their client says; "" if it does not."""
        zones = (entity.timezone for entity in self.entities if entity.timezone)
        return self.local_timezone or next(zones, "")

    @property
    def removes_bot(self) -> bool:
        """Whether it says that the bot was removed from the conversation, and not for an upgrade."""
        if self.type == "installationUpdate":
            return self.action == "remove"
        ids = {member.id for member in self.members_removed}
        return self.type == "conversationUpdate" and self.recipient.id in ids - {""}


def read(body: bytes) -> Activity:
    """The activity in `body`; raises `ActivityError`, naming the field at fault."""
    try:
        return Activity.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise ActivityError(field=".".join(map(str, first["loc"])) or "JSON") from None


def conversation(activity: Activity, tenant_id: str) -> ConversationReference:
    """Where the activity came from, and how to reach it again."""
    conversation_id = activity.conversation.id
    channel_id, team_id = activity.channel_data.channel.id, activity.channel_data.team.id
    default = ConversationKind.CHANNEL if channel_id or team_id else ConversationKind.PERSONAL
    kind = _KINDS.get(activity.conversation.conversation_type, default)
    if kind is not ConversationKind.CHANNEL:
        channel_id = team_id = ""
    elif not channel_id:
        channel_id = conversation_id.partition(";")[0]
    return ConversationReference(
        tenant_id,
        conversation_id,
        kind,
        service_url=activity.service_url,
        bot_id=activity.recipient.id,
        bot_name=activity.recipient.name,
        channel_id=channel_id,
        team_id=team_id,
    )


def message(
    activity: Activity, sender: chat.Sender, where: ConversationReference
) -> chat.IncomingMessage:
    files, unreachable = _files(activity, where.kind)
    return chat.IncomingMessage(
        sender, where, _text(activity), files, unreachable, activity.zone, _mentions(activity)
    )


def card_action(
    activity: Activity, sender: chat.Sender, where: ConversationReference
) -> chat.CardAction:
    """The click in an `adaptiveCard/action` invoke."""
    action = _object(_object(activity.value, "value").get("action"), "value.action")
    verb = action.get("verb")
    if action.get("type") != "Action.Execute" or not isinstance(verb, str) or not verb:
        raise ActivityError(field="value.action.verb")
    data = _object(action.get("data") or {}, "value.action.data")
    if len(json.dumps(data)) > _MAX_ACTION_DATA:
        raise ActivityError(413, "request-too-big")
    clicked = activity.reply_to_id
    return chat.CardAction(sender, where, verb, data, clicked, proof(activity), activity.zone)


def proof(activity: Activity) -> chat.Proof:
    """The proof of a sign-in: in `value.authentication` and `value.state` of a click, or in the value of
    a `signin/…` invoke."""
    value = _object(activity.value, "value")
    authentication = value.get("authentication") or value
    authentication = _object(authentication, "value.authentication")
    parts = (authentication.get("id"), authentication.get("token"), value.get("state"))
    texts = [text if isinstance(text, str) else "" for text in parts]
    if any(len(text) > _MAX_PROOF for text in texts):
        raise ActivityError(413, "request-too-big")
    return chat.Proof(*texts)


def failure(activity: Activity) -> str:
    """Why a client could not sign its user in, in its own words."""
    return str(_object(activity.value, "value").get("code", ""))[:100]


def consent(
    activity: Activity, sender: chat.Sender, where: ConversationReference
) -> chat.FileConsent:
    """The answer in a `fileConsent/invoke`."""
    value = _object(activity.value, "value")
    context = _object(value.get("context") or {}, "value.context")
    accepted = value.get("action") == "accept"
    upload = _object(value.get("uploadInfo"), "value.uploadInfo") if accepted else None
    return chat.FileConsent(sender, where, context, upload, activity.reply_to_id)


def _object(value: Any, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ActivityError(field=field)
    return cast(dict[str, Any], value)


def _files(activity: Activity, kind: ConversationKind) -> tuple[list[chat.IncomingFile], int]:
    """The files that can be downloaded, and the number of those that cannot.

    In group chats and channels Teams sends bots only the HTML of the message, in which a shared file is
    at best an `<attachment>` element.
    """
    files: list[chat.IncomingFile] = []
    unreachable = 0
    for attachment in activity.attachments:
        content: Any = attachment.content
        if attachment.content_type == "text/html":
            if kind is not ConversationKind.PERSONAL and isinstance(content, str):
                unreachable += content.lower().count("<attachment")
            continue
        url = content.get("downloadUrl") if isinstance(content, dict) else None
        if attachment.content_type == _DOWNLOAD_INFO and isinstance(url, str) and url:
            files.append(chat.IncomingFile(attachment.name or "file", url))
        elif not attachment.content_type.startswith("application/vnd.microsoft.card."):
            unreachable += 1
    return files, unreachable


def _mentions(activity: Activity) -> list[chat.Mention]:
    """Those of people whom the text mentions: an entity without its place in the text counts for nothing."""
    return [
        chat.Mention(
            _plain(entity.text), entity.mentioned.id, entity.mentioned.aad_object_id.lower()
        )
        for entity in activity.entities
        if entity.text
        and entity.text in activity.text
        and entity.mentioned.id not in ("", activity.recipient.id)
    ]


def _plain(text: str) -> str:
    """Without tags, and with HTML entities resolved."""
    return html.unescape(_MENTION_TAG.sub("", text)).replace("\N{NO-BREAK SPACE}", " ").strip()


def _text(activity: Activity) -> str:
    """What the person typed, without the mention of the bot and with HTML entities resolved."""
    text = activity.text
    for entity in activity.entities:
        if entity.text and entity.mentioned.id == activity.recipient.id:
            text = text.replace(entity.text, " ")
    return _plain(text)
