"""Exports as links, for local chat clients that do not support files (`OFFHOOK_EXPORTS=link`)."""

from __future__ import annotations

import secrets
from collections import OrderedDict

from aiohttp import web

from bot.commands import export
from bot.commands.context import Context
from bot.lifecycle import exports
from bot.signin.request import Person
from bot.store import requests

_MAX_LINKS = 200  # the oldest ones stop working


class ExportLinks:
    """Links that cannot be guessed. They are kept in memory, so a restart invalidates them."""

    def __init__(self) -> None:
        #: Where the server listens; set once it does.
        self.base_url = ""
        #: Request ID, kind of export, and who was given the link, by token; oldest first.
        self._targets: OrderedDict[str, tuple[str, str, Person]] = OrderedDict()

    def make(self, request_id: str, what: str, person: Person) -> str:
        """Returns a new link to the export `what` of a request, for `person`."""
        token = secrets.token_urlsafe(16)
        self._targets[token] = (request_id, what, person)
        while len(self._targets) > _MAX_LINKS:
            self._targets.popitem(last=False)
        return f"{self.base_url}/exports/{token}"

    def routes(self, context: Context) -> list[web.RouteDef]:
        """The route that serves the links."""

        async def serve(http_request: web.Request) -> web.Response:
            target = self._targets.get(http_request.match_info["token"])
            if target is None:
                raise web.HTTPNotFound(text=context.words("export-link-old"))
            request_id, what, person = target
            async with context.database.read() as tx:
                request = await requests.load(tx, request_id)
            if request is None:
                raise web.HTTPNotFound(text=context.words("export-link-old"))
            name = export.file_name(request.id, what)
            # Whoever opens the link, so it names only what is this person's own.
            reader = export.Reader(person, sees_all=False)
            body = await export.content(context, request, what, reader)
            async with context.database.write() as tx:
                await exports.record_delivery(
                    tx, request.id, what, actor=person, now=context.clock()
                )
            return web.Response(
                body=body,
                content_type=export.content_type(what),
                charset="utf-8",
                headers={"Content-Disposition": f'attachment; filename="{name}"'},
            )

        return [web.get("/exports/{token}", serve)]
