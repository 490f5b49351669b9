"""Clouds where bots get no files: people are told what works instead, in both directions."""

from __future__ import annotations

import pytest

from tests.integration.app.conftest import MakeBot
from tests.support.running_bot import ALEX, CHAT, phones_csv, text_of


@pytest.mark.parametrize("cloud", ["gcch", "dod", "21vianet"])
async def test_export_says_what_works_when_the_cloud_gives_bots_no_files(
    make_bot: MakeBot, cloud: str
) -> None:
    bot = await make_bot(cloud=cloud)
    await bot.say(phones_csv(2).decode() + "\r\nlobby,80-5E-C0-00-00-99,EMEA")
    validation = await bot.wait_for_button("request_approval")
    answer = await bot.click(ALEX, validation, "export")
    assert "Teams doesn't let bots send files in this cloud." in answer.text
    assert "The card lists every issue" in answer.text
    await bot.approve(await bot.request_approval(validation))
    answer = await bot.click(ALEX, await bot.wait_for_results(), "export")
    assert "Show phones on the card lists every phone" in answer.text
    assert not any("attachment" in str(m.activity) for m in await bot.received() if not m.card)


async def test_file_is_answered_with_paste_when_the_cloud_gives_bots_no_files(
    make_bot: MakeBot,
) -> None:
    bot = await make_bot(cloud="gcch")
    # What arrives instead of a file: an attachment without a download address.
    attachment = {"contentType": "text/csv", "name": "phones.csv"}
    activity = bot.client.activity(ALEX, CHAT, type="message", text="", attachments=[attachment])
    status, _ = await bot.client.post(activity)
    assert status == 200
    answer = await bot.wait_for_text("access to files in this cloud", chat=CHAT)
    assert "Paste the rows here instead." in text_of(answer)
