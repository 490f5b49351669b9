"""A process of its own that submits one phone through the given `pwsh`, for tests that kill it."""

from __future__ import annotations

import asyncio
import sys

from bot.gateway.powershell import PowerShellGateway
from bot.identity.tokens import FixedToken
from bot.phones.region import Region
from bot.signin.request import Phone


async def main(pwsh: str) -> None:
    phone = Phone("lobby@contoso.com", "00-04-F2-00-00-01", Region.EMEA)
    await PowerShellGateway(FixedToken(), pwsh=pwsh).submit(Region.EMEA, [phone])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
