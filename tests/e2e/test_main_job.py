"""The main job as one person runs it under `make run`: real client, real bot, real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, expect

from bot.app import Service, running
from bot.cli import playground
from bot.signin.timing import Timing
from tests.e2e.chat_client import ChatClient

pytestmark = pytest.mark.e2e

PHONES = "\n".join(
    [
        "Username;MAC address",
        "lobby.oslo@contoso.com;805ec0aabb01",
        "lobby.bergen@contoso.com;80:5E:C0:AA:BB:02",
        "O'Neil+fax@contoso.com;00-90-8F-AA-BB-03:001",
        "bad user@contoso.com;80-5E-C0-AA-BB-04",
        "[click](https://evil.example)@contoso.com;80-5E-C0-AA-BB-05",
    ]
)


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(
        'batch_seconds = 1.5\n[outcomes]\n"lobby.bergen@contoso.com" = "no-tenant-tag"\n'
    )
    settings = playground.settings().model_copy(update={"data_dir": tmp_path, "scenario": scenario})
    async with running(settings, timing=Timing().scaled(0.1)) as service:
        yield service


@pytest.fixture
async def chat(
    service: Service, browser: Browser, client_url: Callable[[str], Awaitable[str]]
) -> ChatClient:
    return await ChatClient.open(browser, await client_url(service.url))


async def _approve(chat: ChatClient, approval: Locator, button: str) -> None:
    """Approves in two steps: the first button only opens the confirmation."""
    await chat.click("Approve…", approval)
    await approval.get_by_role("checkbox").click(force=True)
    await chat.click(button, approval)


async def test_pasted_table_is_signed_in_after_approval_and_exported(chat: ChatClient) -> None:
    await chat.wait_for_text("help")  # the welcome
    await chat.send_text("whoami")  # the client's people exist in the directory
    await chat.wait_for_card(f"You are {chat.me.name}")
    await chat.send_text(PHONES)
    validation = await chat.wait_for_card("3 of 5 rows are ready")
    await expect(validation).to_contain_text("The username contains a space")
    # Pasted Markdown is shown and has no effect.
    await expect(validation).to_contain_text("[click](https://evil.example)")
    assert await validation.get_by_role("link").count() == 0

    # Reason, region and check box are required before anything is sent.
    await chat.click("Request approval", validation)
    await expect(validation).to_contain_text("region", ignore_case=True)
    await chat.fill("Reason, for the approver", "New lobby in Oslo", validation)
    await chat.choose("Region for the 3 rows without one", "EMEA", validation)
    await chat.tick("Leave out the 2 rows that are not ready", validation)
    await chat.click("Request approval", validation)

    approval = await chat.wait_for_card("Resets 3 passwords")
    await expect(approval).to_contain_text(
        "Signs in 3 phones. Anyone using the accounts is locked out."
    )
    await expect(approval).to_contain_text("New lobby in Oslo")
    await _approve(chat, approval, "Approve and reset 3 passwords")

    results = await chat.wait_for_card("2 of 3 phones are signed in")
    await expect(results).to_contain_text("no tenant ID, or the wrong one")
    await expect(results).to_contain_text(
        f"http://emea.ipp.sdg.teams.microsoft.com/tenantid/{playground.TENANT}"
    )
    await expect(results).to_contain_text("These numbers are final")
    # The approval card is read-only for everyone once decided.
    decided = chat.card("approved")
    await expect(decided.get_by_role("button", name="Approve…", exact=True)).to_have_count(0)

    await results.get_by_role("button", name="Export as CSV").click()
    download = await chat.wait_for_card("offhook-")
    async with chat.page.context.expect_event(
        "request", lambda request: "/exports/" in request.url
    ) as opened:
        await download.get_by_role("link").first.click()
    response = await chat.page.request.get((await opened.value).url)
    assert response.ok
    body = (await response.body()).decode("utf-8-sig").splitlines()
    assert body[0] == (
        "Username,HardwareId,Region,Status,Error,Cause,Fix,BatchId,ProvisioningUrl,"
        "Provisioned,Deadline,AccountCheck,SeenSignedIn"
    )
    assert body[1].startswith("lobby.oslo@contoso.com,80-5E-C0-AA-BB-01,EMEA,signed_in,")
