"""Pre-flight: what can be known about accounts and tenant before a password is reset.

Pure: facts in (`facts`, read by `bot.directory.accounts` and `bot.directory.tenant`), verdicts out
(`checks`, `guard`). A check never passes without an answer: what could not be read is `Unknown`, with
its reason.
"""
