"""Background loops: submit, poll, reconcile, publish, expire, remind. People are answered by `bot.commands`."""
