"""A whole job, as a SIEM receives it from the service."""

from __future__ import annotations

import re

from tests.integration.app.conftest import MakeBot
from tests.support.receiver import KEY_TEXT, receiving
from tests.support.running_bot import PATIENCE, phones_csv, request_id_of


async def test_siem_receives_every_event_of_a_job(make_bot: MakeBot) -> None:
    async with receiving() as receiver:
        bot = await make_bot(audit_webhook=receiver.url, audit_webhook_key=KEY_TEXT)
        request = request_id_of(await bot.run_job(phones_csv(2)))
        await receiver.until("finished", PATIENCE)
        events = receiver.events
        assert [event["metadata"]["sequence"] for event in events] == [*range(1, len(events) + 1)]
        actions = [
            event["activity_name"] for event in events if event["entity"].get("uid") == request
        ]
        assert [
            actions.index(each) for each in ("drafted", "asked", "approved", "finished")
        ] == sorted(actions.index(each) for each in ("drafted", "asked", "approved", "finished"))
        (started,) = [event for event in events if event["activity_name"] == "started"]
        assert "hunter2" not in str(started)
        async with bot.session.get(f"{bot.url}/metrics") as response:
            text = await response.text()
        assert re.search(r"^offhook_audit_webhook_behind(_seconds)? \d", text, re.MULTILINE)
        await bot.stop()
