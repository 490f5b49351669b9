"""Entra ID's token endpoint and the Bot Framework's token service, with real RS256 tokens.

Requests and errors: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow and
`botframework.connector.token_api`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from functools import cached_property
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.simulator.faults import Faults
from bot.simulator.scenario import Call, Person, Scenario

APP_ID = "99999999-0000-0000-0000-000000000009"
SECRET = "the secret of nobody"  # noqa: S105
BOT = "https://api.botframework.com"
EXCHANGE = "api://AzureADTokenExchange"
CHANNEL = "msteams"

_OBO = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ISSUER = "https://login.example/{tenant}/v2.0"


class _Error(Exception):
    """An answer of Entra ID's: AADSTS `code`, and the OAuth error that goes with it."""

    def __init__(self, code: int, error: str = "invalid_grant", **more: str) -> None:
        super().__init__(code)
        self.content = {
            "error": error,
            "error_description": f"AADSTS{code}: simulated.",
            "error_codes": [code],
            "trace_id": secrets.token_hex(8),
            **more,
        }


class Entra:
    """What it knows of people can be changed as one goes. `issued` holds every secret that it gave out."""

    def __init__(self, scenario: Scenario, faults: Faults) -> None:
        self.calls: Counter[Call] = Counter()
        self.grants: Counter[str] = Counter()
        self.issued: set[str] = set()
        self.roles: dict[str, tuple[str, ...]] = {}  # object id -> `wids`; else all that is needed
        self.token_seconds = 3600
        self.refresh_tokens = False
        self.refusals: dict[str, int] = {}  # object id -> AADSTS code of an exchange for a resource
        self.no_consent: set[str] = set()  # object ids whose single sign-on needs consent first
        self.trusted: list[Any] = []  # public keys of certificates
        self._faults = faults
        self._latency = scenario.latency
        self._kept: dict[str, str] = {}  # user id -> token for the app
        self._codes: dict[str, tuple[str, str]] = {}  # code -> user id, token

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def routes(self) -> web.RouteTableDef:
        routes = web.RouteTableDef()
        routes.post("/{tenant}/oauth2/v2.0/token")(self._token)
        routes.get("/msi/token")(self._identity)
        routes.get("/api/usertoken/GetToken")(self._get_token)
        routes.post("/api/usertoken/exchange")(self._exchange)
        routes.delete("/api/usertoken/SignOut")(self._sign_out)
        routes.get("/api/botsignin/GetSignInResource")(self._resource)
        return routes

    # -- what people and their clients do --------------------------------------------------------

    def sso(self, person: Person, tenant: str, **claims: Any) -> str:
        """The token that a Teams client gets for the bot by single sign-on."""
        return self.issue(tenant, f"api://botid-{APP_ID}", person.object_id, **claims)

    def sign_in(self, person: Person, tenant: str) -> str:
        """Sign in by the link; returns the code that the window ends with."""
        code = str(secrets.randbelow(900_000) + 100_000)
        token = self.issue(tenant, APP_ID, person.object_id)
        self._codes[code] = (f"29:{person.object_id}", token)
        self.no_consent.discard(person.object_id)
        self.issued.add(code)
        return code

    def issue(self, tenant: str, audience: str, object_id: str = "", **claims: Any) -> str:
        now = int(time.time())
        content = {
            "iss": _ISSUER.format(tenant=tenant),
            "aud": audience,
            "tid": tenant,
            "oid": object_id,
            "iat": now,
            "nbf": now,
            "exp": now + self.token_seconds,
            "jti": secrets.token_hex(8),
            **claims,
        }
        present = {name: value for name, value in content.items() if value is not None}
        token = jwt.encode(present, self.key, algorithm="RS256", headers={"kid": "entra"})
        self.issued.add(token)
        return token

    # -- Entra ID --------------------------------------------------------------------------------

    async def _struck(self, request: web.Request, call: Call) -> web.StreamResponse | None:
        self.calls[call] += 1
        fault = self._faults.next(call)
        if self._latency:
            await asyncio.sleep(self._latency)
        return None if fault is None else await self._faults.play(request, fault, _error)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        if (struck := await self._struck(request, Call.TOKEN)) is not None:
            return struck
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            return web.json_response(self._granted(request.match_info["tenant"].lower(), form))
        except _Error as error:
            return web.json_response(error.content, status=400)

    def _granted(self, tenant: str, form: Mapping[str, str]) -> dict[str, Any]:
        grant = form.get("grant_type", "")
        self.grants[grant] += 1
        self._check_app(form)
        resource = form.get("scope", "").split()[0].removesuffix("/.default")
        if grant == "client_credentials":
            token = self.issue(tenant, resource, APP_ID, idtyp="app", wids=[])
        elif grant == _OBO:
            said = self._checked(form.get("assertion", ""), (APP_ID, f"api://botid-{APP_ID}"))
            if said["tid"].lower() != tenant:
                raise _Error(50020)
            token = self._on_behalf(tenant, resource, said["oid"])
        elif grant == "refresh_token" and form.get("refresh_token", "").startswith("refresh-"):
            token = self._on_behalf(tenant, resource, form["refresh_token"].split("-", 2)[2])
        else:
            raise _Error(70003, "unsupported_grant_type")
        granted: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": form["scope"],
            "expires_in": self.token_seconds,
            "access_token": token,
        }
        if self.refresh_tokens and grant != "client_credentials":
            oid = jwt.decode(token, options={"verify_signature": False})["oid"]
            granted["refresh_token"] = f"refresh-{secrets.token_hex(8)}-{oid}"
            self.issued.add(granted["refresh_token"])
        return granted

    def _on_behalf(self, tenant: str, resource: str, object_id: str) -> str:
        if code := self.refusals.get(object_id):
            challenge = {"access_token": {"capolids": {"essential": True, "values": ["x"]}}}
            asks = code in (50076, 50079, 53003)
            raise _Error(
                code,
                "interaction_required" if asks else "invalid_grant",
                **({"claims": json.dumps(challenge)} if asks else {}),
            )
        wids = self.roles.get(
            object_id,
            ("69091246-20e8-4a56-aa4d-066075b2a7a8", "c4e39bd9-1100-46d3-8c65-fb160da0071f"),
        )
        return self.issue(tenant, resource, object_id, wids=list(wids), scp="user_impersonation")

    def _check_app(self, form: Mapping[str, str]) -> None:
        if form.get("client_id") != APP_ID:
            raise _Error(700016, "unauthorized_client")
        if "client_assertion" not in form:
            if form.get("client_secret") != SECRET:
                raise _Error(7000215, "invalid_client")
            return
        assertion = form["client_assertion"]
        for key in (self.key.public_key(), *self.trusted):
            try:
                jwt.decode(
                    assertion, key, algorithms=["RS256", "PS256"], options={"verify_aud": False}
                )
            except jwt.InvalidTokenError:
                continue
            return
        raise _Error(700027, "invalid_client")

    def _checked(self, token: str, audiences: tuple[str, ...]) -> dict[str, Any]:
        """The claims of a token of ours."""
        try:
            return jwt.decode(
                token,
                self.key.public_key(),
                algorithms=["RS256"],
                audience=audiences,
                options={"require": ["exp", "tid", "oid"]},
            )
        except jwt.ExpiredSignatureError:
            raise _Error(500133) from None
        except jwt.InvalidAudienceError:
            raise _Error(500131) from None
        except jwt.InvalidTokenError:
            raise _Error(50013) from None

    async def _identity(self, request: web.Request) -> web.StreamResponse:
        """The token endpoint that App Service and Container Apps give to a managed identity."""
        if (struck := await self._struck(request, Call.TOKEN)) is not None:
            return struck
        resource = request.query.get("resource", "")
        self.grants["managed_identity"] += 1
        token = self.issue("home", resource, request.query.get("client_id", ""))
        expires_on = str(int(time.time()) + self.token_seconds)
        return web.json_response(
            {
                "access_token": token,
                "expires_on": expires_on,
                "resource": resource,
                "token_type": "Bearer",
            }
        )

    # -- the token service -----------------------------------------------------------------------

    async def _asked(self, request: web.Request, call: Call) -> web.StreamResponse | None:
        """The answer if the call ends here: a fault, or somebody who is not the bot."""
        if (struck := await self._struck(request, call)) is not None:
            return struck
        try:
            self._checked(request.headers.get("Authorization", "").partition(" ")[2], (BOT,))
        except _Error:
            return _error(401, "Unauthorized", "Not a bot.")
        if "userId" in request.query and request.query.get("channelId") != CHANNEL:
            return _error(400, "BadArgument", "channelId")
        return None

    async def _get_token(self, request: web.Request) -> web.StreamResponse:
        if (ended := await self._asked(request, Call.GET_USER_TOKEN)) is not None:
            return ended
        user, code = request.query["userId"], request.query.get("code")
        if code:
            owner, token = self._codes.pop(code, ("", ""))
            if owner != user:
                return _error(404, "NotFound", "No such code.")
            self._kept[user] = token
        if user not in self._kept:
            return web.Response(status=404)
        return self._given(request, self._kept[user])

    async def _exchange(self, request: web.Request) -> web.StreamResponse:
        if (ended := await self._asked(request, Call.EXCHANGE)) is not None:
            return ended
        body = json.loads(await request.read())
        try:
            said = self._checked(str(body.get("token", "")), (f"api://botid-{APP_ID}",))
        except _Error:
            return _error(400, "BadRequest", "The token is not valid.")
        if said["oid"] in self.no_consent:
            return _error(412, "PreconditionFailed", "AADSTS65001: consent is needed.")
        user = request.query["userId"]
        self._kept[user] = self.issue(said["tid"], APP_ID, said["oid"])
        return self._given(request, self._kept[user])

    def _given(self, request: web.Request, token: str) -> web.Response:
        return web.json_response(
            {
                "channelId": CHANNEL,
                "connectionName": request.query["connectionName"],
                "token": token,
                "expiration": "2099-01-01T00:00:00Z",
            }
        )

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        if (ended := await self._asked(request, Call.SIGN_OUT)) is not None:
            return ended
        self._kept.pop(request.query["userId"], None)
        return web.json_response({})

    async def _resource(self, request: web.Request) -> web.StreamResponse:
        if (ended := await self._asked(request, Call.SIGN_IN_RESOURCE)) is not None:
            return ended
        state = json.loads(base64.b64decode(request.query["state"]))
        if state["MsAppId"] != APP_ID or not state["Conversation"]["user"]["id"]:
            return _error(400, "BadArgument", "state")
        return web.json_response(
            {
                "signInLink": f"https://token.example/signin?id={secrets.token_hex(8)}",
                "tokenExchangeResource": {
                    "id": secrets.token_hex(8),
                    "uri": f"api://botid-{APP_ID}",
                    "providerId": "30dd229c-58e3-4a48-bdfd-91ec48eb906c",
                },
            }
        )


def _error(status: int, code: str, text: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": text}}, status=status)
