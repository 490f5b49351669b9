"""The simulated OneDrive: downloads and upload sessions."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from bot.simulator.files import ServedFile
from bot.simulator.server import Simulator
from tests.support.waiting import PATIENCE


async def test_file_is_served_at_its_url(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        link = far.files.add("Lobby phönes.csv", b"Username,HardwareId\r\n")
        async with session.get(link) as answer:
            assert (answer.status, await answer.read()) == (200, b"Username,HardwareId\r\n")
        async with session.get(f"{far.files_url}/nothing/here.csv") as answer:
            assert answer.status == 404


async def test_file_can_be_missing_redirected_or_huge(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        missing = far.files.add("a.csv", ServedFile(b"", status=404))
        async with session.get(missing) as answer:
            assert answer.status == 404
        moved = far.files.add("a.csv", ServedFile(b"", redirect="http://example.com/a.csv"))
        async with session.get(moved, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (302, "http://example.com/a.csv")
        huge = far.files.add("a.csv", ServedFile(b"start", size=200_000))
        async with session.get(huge) as answer:
            assert "Content-Length" not in answer.headers
            content = await answer.read()
            assert (content[:6], len(content)) == (b"start ", 200_000)


async def test_file_can_be_slow(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        slow = far.files.add("a.csv", ServedFile(b"x", pause=60))
        async with session.get(slow) as answer:
            assert answer.status == 200
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await answer.read()


async def test_upload_is_stored(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        info = far.files.accept("results.csv")
        assert (info["name"], info["fileType"]) == ("results.csv", "csv")
        waiting = asyncio.create_task(far.files.uploaded(info["uniqueId"], PATIENCE))
        headers = {"Content-Range": "bytes 0-4/5"}
        async with session.put(info["uploadUrl"], data=b"hello", headers=headers) as answer:
            assert answer.status == 201
        assert await waiting == b"hello"
        async with session.get(info["contentUrl"]) as answer:
            assert await answer.read() == b"hello"


async def test_upload_is_accepted_in_ranges(session: aiohttp.ClientSession) -> None:
    part = 320 * 1024
    async with Simulator() as far:
        info = far.files.accept("results.csv")
        statuses: list[int] = []
        for first, last in ((0, part - 1), (0, part - 1), (part, part + 9)):
            headers = {"Content-Range": f"bytes {first}-{last}/{part + 10}"}
            data = b"x" * (last - first + 1)
            async with session.put(info["uploadUrl"], data=data, headers=headers) as answer:
                statuses.append(answer.status)
        assert statuses == [202, 416, 201]
        assert len(await far.files.uploaded(info["uniqueId"], PATIENCE)) == part + 10


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"Content-Range": "bytes 0-5/6"}, 400),
        ({"Content-Range": "bytes 0-4/4"}, 400),
        ({"Content-Range": "bytes 0-4/9"}, 400),
        ({"Content-Range": "bytes 1-5/6"}, 416),
        ({"Content-Range": "bytes 0-4/5", "Authorization": "Bearer local"}, 401),
    ],
)
async def test_upload_is_rejected_when_range_or_headers_are_invalid(
    session: aiohttp.ClientSession, headers: dict[str, str], status: int
) -> None:
    async with Simulator() as far:
        url = far.files.accept("results.csv")["uploadUrl"]
        async with session.put(url, data=b"hello", headers=headers) as answer:
            assert answer.status == status


async def test_upload_can_fail_with_a_configured_status(session: aiohttp.ClientSession) -> None:
    async with Simulator() as far:
        headers = {"Content-Range": "bytes 0-4/5"}
        full = far.files.accept("results.csv", status=507)["uploadUrl"]
        for url, status in ((full, 507), (f"{far.files_url}/upload/unknown", 404)):
            async with session.put(url, data=b"hello", headers=headers) as answer:
                assert answer.status == status
