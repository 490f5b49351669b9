"""POST /api/messages: authenticate, read, hand over to `Chat`, answer in Bot Framework's shapes.

The SDK's `CloudAdapter.process` is not used: 4.17.1 turns every answer to a card action, and every
malformed request, into HTTP 500.
"""

import asyncio
import secrets
from contextlib import ExitStack, suppress

import structlog
from aiohttp import web

from bot.commands.chat import (
    NO_ANSWER,
    Answer,
    CardAnswer,
    Chat,
    NoAnswer,
    Sender,
    SignInAnswer,
    SignInFailed,
    TextAnswer,
)
from bot.runner.messages import DeliveryError, Message, Messenger
from bot.store.conversations import ConversationReference
from bot.teams import activities
from bot.teams.activities import Activity, ActivityError
from bot.teams.admission import Admission, check_headers, read_body
from bot.teams.auth import RequestAuth
from bot.teams.refusals import RefusalLog
from bot.words import Words

_ANSWER_SECONDS = 8.0  # Bot Service gives up after 10 to 15 s
_TURN_SECONDS = 120.0
_CLOSE_SECONDS = 5.0
_SIGN_INS = frozenset({"signin/tokenExchange", "signin/verifyState", "signin/failure"})

log = structlog.get_logger(__name__)


class Endpoint:
    """One turn per activity. A slow turn continues after its HTTP request was answered."""

    def __init__(self, auth: RequestAuth, chat: Chat, messenger: Messenger, words: Words) -> None:
        self._auth = auth
        self._chat = chat
        self._messenger = messenger
        self._words = words
        self._admission = Admission()
        self._turns: set[asyncio.Task[Answer]] = set()
        self._refusals = RefusalLog()

    def add_to(self, app: web.Application) -> None:
        app.router.add_post("/api/messages", self.messages)
        app.on_shutdown.append(self._finish)

    async def messages(self, request: web.Request) -> web.Response:
        """Every log line of the turn carries the reference id that people are shown if it fails."""
        reference = secrets.token_hex(4)
        with structlog.contextvars.bound_contextvars(reference=reference):
            try:
                with ExitStack() as under_way:
                    under_way.enter_context(self._admission.request(request.remote or ""))
                    activity = await self._received(request)
                    under_way.enter_context(self._admission.sender(_person(activity)))
                    turn = asyncio.create_task(self._turn(activity, reference))
                    self._turns.add(turn)
                    turn.add_done_callback(self._turns.discard)
                    ended = under_way.pop_all()
                    turn.add_done_callback(lambda _: ended.close())
                return await self._answer(activity, turn)
            except ActivityError as error:
                return self._refusal(request, error, reference)

    async def _received(self, request: web.Request) -> Activity:
        """The activity, from a caller that may send it. Reads nothing of anybody else's body."""
        self._auth.check_host(request.host)
        caller = await self._auth.authenticate(request.headers.get("Authorization", ""))
        check_headers(request)
        activity = activities.read(await read_body(request))
        self._auth.check(caller, activity)
        return activity

    def _refusal(self, request: web.Request, error: ActivityError, reference: str) -> web.Response:
        self._refusals.refused(error)
        message = self._words(error.code, field=error.field, reference=reference)
        body = {"error": {"code": error.code, "message": message}}
        response = web.json_response(body, status=error.status)
        if error.retry_after:
            response.headers["Retry-After"] = str(error.retry_after)
        if not request.content.is_eof():
            response.force_close()
        return response

    async def _answer(self, activity: Activity, turn: asyncio.Task[Answer]) -> web.Response:
        done, _ = await asyncio.wait({turn}, timeout=_ANSWER_SECONDS)
        answer = turn.result() if done else TextAnswer(self._words("chat-slow"))
        if activity.type != "invoke" or activity.name == "fileConsent/invoke":
            return web.Response()
        if activity.name == "adaptiveCard/action" and not isinstance(answer, NoAnswer):
            return web.json_response(_invoke_body(answer))
        if activity.name in _SIGN_INS:
            return _sign_in_response(activity, answer)
        return web.Response(status=501)

    async def _turn(self, activity: Activity, reference: str) -> Answer:
        """Do the turn's work; any fault becomes a sentence with the reference id."""
        conversation = activities.conversation(activity, self._auth.tenant_of(activity))
        loop = asyncio.get_running_loop()
        answered_at = loop.time() + _ANSWER_SECONDS
        try:
            async with asyncio.timeout(_TURN_SECONDS):
                return await self._work(activity, conversation)
        except ActivityError:
            raise
        except Exception:
            log.exception("turn.failed")
            shown = activity.type == "invoke" and loop.time() <= answered_at
            if not shown and not activity.removes_bot:
                await self._tell(conversation, reference)
            return TextAnswer(self._chat.fault_text(reference))

    async def _work(self, activity: Activity, conversation: ConversationReference) -> Answer:
        if not self._auth.allows(conversation.tenant_id):
            # Nothing is sent to conversations of other tenants; only the click itself is answered.
            log.warning("turn.tenant_refused", tenant=conversation.tenant_id)
            return TextAnswer(self._words("chat-wrong-tenant"))
        if activity.removes_bot:
            await self._chat.removed(conversation, activity.id)
            return NO_ANSWER
        sender = self._auth.sender_of(activity)
        if sender is None:
            log.warning("turn.identity_missing")
            text = self._words("chat-no-identity")
            if activity.type == "message":
                await self._say(conversation, text)
            return TextAnswer(text)
        async with self._chat.receiving(conversation, activity.id) as first:
            if first:
                return await self._handle(activity, sender, conversation)
            log.info("activity.repeated", type=activity.type, name=activity.name)
            if activity.name != "adaptiveCard/action":
                return NO_ANSWER
            click = activities.card_action(activity, sender, conversation)
            return await self._chat.action(click, repeated=True)

    async def _handle(
        self, activity: Activity, sender: Sender, conversation: ConversationReference
    ) -> Answer:
        match activity.type, activity.name:
            case "message", _:
                await self._chat.message(activities.message(activity, sender, conversation))
            case "installationUpdate", _ if activity.action.startswith("add"):
                await self._chat.installed(conversation, sender)
            case "invoke", "adaptiveCard/action":
                return await self._chat.action(
                    activities.card_action(activity, sender, conversation)
                )
            case "invoke", "fileConsent/invoke":
                await self._chat.consent(activities.consent(activity, sender, conversation))
            case "invoke", "signin/tokenExchange" | "signin/verifyState":
                return await self._chat.signed_in(sender, conversation, activities.proof(activity))
            case "invoke", "signin/failure":
                log.warning("turn.sign_in_failed", reason=activities.failure(activity))
            case _:
                log.info("turn.ignored", type=activity.type, name=activity.name)
        return NO_ANSWER

    async def _tell(self, conversation: ConversationReference, reference: str) -> None:
        try:
            await self._chat.fault(conversation, reference)
        except Exception:  # the outbox is what fails: send it directly
            log.exception("turn.fault_not_recorded")
            await self._say(conversation, self._chat.fault_text(reference))

    async def _say(self, conversation: ConversationReference, text: str) -> None:
        with suppress(DeliveryError):
            await self._messenger.send(conversation, Message(text=text))

    async def _finish(self, _: web.Application) -> None:
        self._refusals.close()
        late = (await asyncio.wait(self._turns, timeout=_CLOSE_SECONDS))[1] if self._turns else ()
        for turn in late:
            turn.cancel()


def _person(activity: Activity) -> str:
    """Who sent it, as far as Teams says."""
    return f"{activity.tenant_id}/{activity.sender.aad_object_id or activity.sender.id}"


def _invoke_body(
    answer: CardAnswer | TextAnswer | SignInAnswer | SignInFailed,
) -> dict[str, object]:
    """https://learn.microsoft.com/adaptive-cards/authoring-cards/universal-action-model#response-format"""
    match answer:
        case CardAnswer(card):
            status, kind, value = 200, "card.adaptive", card
        case TextAnswer(text):
            status, kind, value = 200, "activity.message", text
        case SignInAnswer():
            status, kind, value = 401, "activity.loginRequest", _oauth_card(answer)
        case SignInFailed(_, wrong_code=True):
            status, kind, value = 401, "error.inccorectAuthCode", None  # Microsoft's spelling
        case SignInFailed(text):
            status, kind, value = 412, "error.preconditionFailed", {"code": "412", "message": text}
    return {"statusCode": status, "type": f"application/vnd.microsoft.{kind}", "value": value}


def _oauth_card(answer: SignInAnswer) -> dict[str, object]:
    button = {"type": "signin", "title": answer.button, "text": answer.button, "value": answer.link}
    exchange = {} if answer.exchange is None else {"tokenExchangeResource": answer.exchange}
    return {
        "text": answer.text,
        "connectionName": answer.connection,
        "buttons": [button],
        **exchange,
    }


def _sign_in_response(activity: Activity, answer: Answer) -> web.Response:
    """412 makes the client ask its user to sign in; anything else that is wrong was sent as a message."""
    if activity.name != "signin/tokenExchange" or isinstance(answer, NoAnswer):
        return web.json_response({})
    body = {"id": activities.proof(activity).id, "failureDetail": getattr(answer, "text", "")}
    return web.json_response(body, status=412)
