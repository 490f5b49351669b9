"""Exports as links, for local chat clients that know no files (`OFFHOOK_EXPORTS=link`)."""

from __future__ import annotations

import secrets
from collections import OrderedDict

from aiohttp import web

from bot.commands import export
from bot.commands.context import Context
from bot.store import requests

_KEPT = 200


class ExportLinks:
    """Addresses that cannot be guessed, forgotten at a restart. `base_url` is where we listen."""

    def __init__(self) -> None:
        self.base_url = ""
        self._known: OrderedDict[str, tuple[str, str]] = OrderedDict()

    def make(self, request_id: str, what: str) -> str:
        token = secrets.token_urlsafe(16)
        self._known[token] = (request_id, what)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return f"{self.base_url}/exports/{token}"

    def routes(self, context: Context) -> list[web.RouteDef]:
        async def serve(request: web.Request) -> web.Response:
            known = self._known.get(request.match_info["token"])
            if known is None:
                raise web.HTTPNotFound(text=context.words("export-link-old"))
            async with context.database.read() as tx:
                found = await requests.load(tx, known[0])
            if found is None:
                raise web.HTTPNotFound(text=context.words("export-link-old"))
            name = export.file_name(found.id, known[1])
            return web.Response(
                body=await export.content(context, found, known[1]),
                content_type="text/csv",
                charset="utf-8",
                headers={"Content-Disposition": f'attachment; filename="{name}"'},
            )

        return [web.get("/exports/{token}", serve)]
