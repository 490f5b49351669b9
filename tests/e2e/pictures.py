"""Takes the README's pictures: `python -m tests.e2e.pictures docs/pictures`.

Sends the example file to the real bot through the real chat client. The pictures show what a requester
and an approver see: the upper part of a long card.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Locator, async_playwright, expect

from bot.app import running
from bot.cli import playground
from bot.cli.playground import chat_client
from bot.signin.timing import Timing
from bot.simulator.server import Simulator
from tests.e2e.chat_client import ChatClient

EXAMPLE = Path(__file__).parents[2] / "examples" / "lobby-phones.csv"
SCENARIO = """
batch_seconds = 14.0
[shares]
device-offline = 0.02
ip-not-trusted = 0.012
no-phone-number = 0.012
"""
_MAX_HEIGHT = 880.0  # pixels: the README's first screen


async def take_pictures(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        scenario = Path(data, "scenario.toml")
        scenario.write_text(SCENARIO)
        settings = playground.settings().model_copy(
            update={"data_dir": Path(data), "scenario": scenario}
        )
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        async with (
            Simulator() as files,
            running(settings, timing=Timing().scaled(0.2)) as service,
            chat_client(service.url, port=0) as client,
            async_playwright() as playwright,
        ):
            browser = await playwright.chromium.launch(
                executable_path=os.environ.get("OFFHOOK_TEST_BROWSER") or shutil.which("chromium"),
                args=arguments,
            )
            chat = await ChatClient.open(browser, client.url)
            await chat.page.set_viewport_size({"width": 1300, "height": 3000})
            link = files.files.add(EXAMPLE.name, EXAMPLE.read_bytes())
            await _run_request(chat, link, folder)
            await browser.close()


async def _run_request(chat: ChatClient, link: str, folder: Path) -> None:
    await chat.inject_file(EXAMPLE.name, link)
    validation = await chat.wait_for_card("The accounts were checked")
    await _take_picture(validation, folder / "validation.png")
    await chat.fill("Reason, for the approver", "New lobby phones", validation)
    await chat.fill("Ticket, if there is one", "CHG0042", validation)
    await chat.tick("Leave out the 15 rows that are not ready", validation)
    await chat.click("Request approval", validation)
    approval = await chat.wait_for_card("Resets 243 passwords")
    await chat.click("Approve…", approval)
    await approval.get_by_role("spinbutton").fill("243")
    await _take_picture(approval, folder / "approval.png")
    await approval.get_by_role("button", name="Approve and reset").click()
    progress = await chat.wait_for_card("phones are done")
    await expect(progress).to_contain_text("Failed")
    await expect(progress).to_contain_text("offline")
    await _take_picture(progress, folder / "progress.png")
    results = await chat.wait_for_card("These numbers are final")
    await expect(results).to_contain_text("Export as CSV")
    await _take_picture(results, folder / "results.png")


async def _take_picture(card: Locator, path: Path) -> None:
    """Takes a picture of the upper part of a card."""
    await card.page.mouse.move(0, 0)
    box = await card.bounding_box()
    if box is None:
        raise LookupError(f"no card for {path.name}")
    await card.page.screenshot(
        path=path,
        animations="disabled",
        clip={
            "x": box["x"],
            "y": box["y"],
            "width": box["width"],
            "height": min(box["height"], _MAX_HEIGHT),
        },
    )


if __name__ == "__main__":
    asyncio.run(take_pictures(Path(sys.argv[1])))
