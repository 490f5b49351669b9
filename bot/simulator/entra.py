"""Simulates Entra ID's token endpoint and the Bot Framework token service, with real RS256 tokens.

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
from collections.abc import Mapping, Sequence
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
    """An Entra ID error response: AADSTS `code` and its OAuth error."""

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
    """Public attributes can be changed while it runs."""

    def __init__(self, scenario: Scenario, faults: Faults) -> None:
        self.calls: Counter[Call] = Counter()
        #: Token requests, by grant type.
        self.grants: Counter[str] = Counter()
        #: Every token and code ever issued.
        self.issued: set[str] = set()
        #: Object ID -> `wids`; all required roles if not listed.
        self.roles: dict[str, tuple[str, ...]] = {}
        #: Lifetime of issued tokens.
        self.token_seconds = 3600
        self.refresh_tokens = False
        #: Object ID -> AADSTS code with which on-behalf-of exchanges are refused.
        self.refusals: dict[str, int] = {}
        #: Object IDs whose single sign-on requires consent first.
        self.no_consent: set[str] = set()
        #: Public keys of certificates accepted in client assertions.
        self.trusted: list[Any] = []
        #: Whether Entra ID leaves out `acrs`, though it was asked for and satisfied.
        self.without_acrs = False
        self._faults = faults
        self._latency = scenario.latency
        self._enforced = {
            context
            for policy in scenario.conditional_access
            if policy.state == "enabled"
            for context in policy.contexts
        }
        self._satisfies = {each.object_id: each.satisfies for each in scenario.people}
        self._user_tokens: dict[str, str] = {}  # user ID -> token for the app
        self._codes: dict[str, tuple[str, str]] = {}  # code -> user ID, token

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def routes(self) -> web.RouteTableDef:
        routes = web.RouteTableDef()
        routes.post("/{tenant}/oauth2/v2.0/token")(self._token)
        routes.get("/msi/token")(self._managed_identity_token)
        routes.get("/api/usertoken/GetToken")(self._get_token)
        routes.post("/api/usertoken/exchange")(self._exchange)
        routes.delete("/api/usertoken/SignOut")(self._sign_out)
        routes.get("/api/botsignin/GetSignInResource")(self._resource)
        return routes

    # -- users and their clients -----------------------------------------------------------------

    def sso(self, person: Person, tenant: str, **claims: Any) -> str:
        """The token that a Teams client gets for the bot through single sign-on."""
        return self.issue(tenant, f"api://botid-{APP_ID}", person.object_id, **claims)

    def sign_in(self, person: Person, tenant: str, *satisfied: str) -> str:
        """Sign in on the sign-in page, `satisfied`: in a way that satisfies these authentication contexts.
        Returns the code shown at the end."""
        code = str(secrets.randbelow(900_000) + 100_000)
        token = self.issue(tenant, APP_ID, person.object_id, **_factors(satisfied))
        self._codes[code] = (f"29:{person.object_id}", token)
        self.no_consent.discard(person.object_id)
        self.issued.add(code)
        return code

    def issue(self, tenant: str, audience: str, object_id: str = "", **claims: Any) -> str:
        """Issue a signed token. `claims` override the defaults; None removes one."""
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

    async def _fault_response(self, request: web.Request, call: Call) -> web.StreamResponse | None:
        self.calls[call] += 1
        fault = self._faults.next(call)
        if self._latency:
            await asyncio.sleep(self._latency)
        return None if fault is None else await self._faults.play(request, fault, _error)

    async def _token(self, request: web.Request) -> web.StreamResponse:
        if (fault_response := await self._fault_response(request, Call.TOKEN)) is not None:
            return fault_response
        form = {name: str(value) for name, value in (await request.post()).items()}
        try:
            return web.json_response(self._grant(request.match_info["tenant"].lower(), form))
        except _Error as error:
            return web.json_response(error.content, status=400)

    def _grant(self, tenant: str, form: Mapping[str, str]) -> dict[str, Any]:
        grant = form.get("grant_type", "")
        self.grants[grant] += 1
        self._check_app(form)
        resource = form.get("scope", "").split()[0].removesuffix("/.default")
        if grant == "client_credentials":
            token = self.issue(tenant, resource, APP_ID, idtyp="app", wids=[])
        elif grant == _OBO:
            claims = self._verify(form.get("assertion", ""), (APP_ID, f"api://botid-{APP_ID}"))
            if claims["tid"].lower() != tenant:
                raise _Error(50020)
            token = self._on_behalf_of(tenant, resource, claims["oid"], claims, _context(form))
        elif grant == "refresh_token" and form.get("refresh_token", "").startswith("refresh-"):
            object_id = form["refresh_token"].split("-", 2)[2]
            token = self._on_behalf_of(tenant, resource, object_id, {}, _context(form))
        else:
            raise _Error(70003, "unsupported_grant_type")
        response: dict[str, Any] = {
            "token_type": "Bearer",
            "scope": form["scope"],
            "expires_in": self.token_seconds,
            "access_token": token,
        }
        if self.refresh_tokens and grant != "client_credentials":
            oid = jwt.decode(token, options={"verify_signature": False})["oid"]
            response["refresh_token"] = f"refresh-{secrets.token_hex(8)}-{oid}"
            self.issued.add(response["refresh_token"])
        return response

    def _on_behalf_of(
        self,
        tenant: str,
        resource: str,
        object_id: str,
        signed_in: Mapping[str, Any],
        context: str,
    ) -> str:
        """`signed_in`: claims of the sign-in that the token is for. `context`: that was asked for, or ""."""
        if code := self.refusals.get(object_id):
            challenge = {"access_token": {"capolids": {"essential": True, "values": ["x"]}}}
            interaction_required = code in (50076, 50079, 53003)
            raise _Error(
                code,
                "interaction_required" if interaction_required else "invalid_grant",
                **({"claims": json.dumps(challenge)} if interaction_required else {}),
            )
        wids = self.roles.get(
            object_id,
            ("69091246-20e8-4a56-aa4d-066075b2a7a8", "c4e39bd9-1100-46d3-8c65-fb160da0071f"),
        )
        satisfied = {*signed_in.get("acrs", ()), *self._satisfies.get(object_id, ())}
        if context and context in self._enforced and context not in satisfied:
            asked = {"access_token": {"acrs": {"essential": True, "value": context}}}
            raise _Error(50076, "interaction_required", claims=json.dumps(asked))
        proved = _factors((context,)) if context and not self.without_acrs else {}
        return self.issue(
            tenant, resource, object_id, wids=list(wids), scp="user_impersonation", **proved
        )

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

    def _verify(self, token: str, audiences: tuple[str, ...]) -> dict[str, Any]:
        """The verified claims of a token issued by this simulator. Raises `_Error`."""
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

    async def _managed_identity_token(self, request: web.Request) -> web.StreamResponse:
        """The managed identity endpoint of App Service and Container Apps."""
        if (fault_response := await self._fault_response(request, Call.TOKEN)) is not None:
            return fault_response
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

    async def _token_service_error(
        self, request: web.Request, call: Call
    ) -> web.StreamResponse | None:
        """The response if the call ends here: a fault, or a caller other than the bot. Else None."""
        if (fault_response := await self._fault_response(request, call)) is not None:
            return fault_response
        try:
            self._verify(request.headers.get("Authorization", "").partition(" ")[2], (BOT,))
        except _Error:
            return _error(401, "Unauthorized", "Not a bot.")
        if "userId" in request.query and request.query.get("channelId") != CHANNEL:
            return _error(400, "BadArgument", "channelId")
        return None

    async def _get_token(self, request: web.Request) -> web.StreamResponse:
        if (error := await self._token_service_error(request, Call.GET_USER_TOKEN)) is not None:
            return error
        user, code = request.query["userId"], request.query.get("code")
        if code:
            owner, token = self._codes.pop(code, ("", ""))
            if owner != user:
                return _error(404, "NotFound", "No such code.")
            self._user_tokens[user] = token
        if user not in self._user_tokens:
            return web.Response(status=404)
        return self._token_response(request, self._user_tokens[user])

    async def _exchange(self, request: web.Request) -> web.StreamResponse:
        if (error := await self._token_service_error(request, Call.EXCHANGE)) is not None:
            return error
        body = json.loads(await request.read())
        try:
            claims = self._verify(str(body.get("token", "")), (f"api://botid-{APP_ID}",))
        except _Error:
            return _error(400, "BadRequest", "The token is not valid.")
        if claims["oid"] in self.no_consent:
            return _error(412, "PreconditionFailed", "AADSTS65001: consent is needed.")
        user = request.query["userId"]
        self._user_tokens[user] = self.issue(claims["tid"], APP_ID, claims["oid"])
        return self._token_response(request, self._user_tokens[user])

    def _token_response(self, request: web.Request, token: str) -> web.Response:
        return web.json_response(
            {
                "channelId": CHANNEL,
                "connectionName": request.query["connectionName"],
                "token": token,
                "expiration": "2099-01-01T00:00:00Z",
            }
        )

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        if (error := await self._token_service_error(request, Call.SIGN_OUT)) is not None:
            return error
        self._user_tokens.pop(request.query["userId"], None)
        return web.json_response({})

    async def _resource(self, request: web.Request) -> web.StreamResponse:
        if (error := await self._token_service_error(request, Call.SIGN_IN_RESOURCE)) is not None:
            return error
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


def _context(form: Mapping[str, str]) -> str:
    """The authentication context that a claims request asks for; "" if none."""
    asked = json.loads(form.get("claims", "{}")).get("access_token", {}).get("acrs")
    return str(asked["value"]) if asked and asked["essential"] is True else ""


def _factors(satisfied: Sequence[str]) -> Mapping[str, Any]:
    """Claims of a sign-in that satisfied authentication contexts."""
    if not satisfied:
        return {}
    return {"acrs": list(satisfied), "amr": ["pwd", "mfa"], "auth_time": int(time.time())}


def _error(status: int, code: str, text: str) -> web.Response:
    return web.json_response({"error": {"code": code, "message": text}}, status=status)
