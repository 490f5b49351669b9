"""Mending: changing what the checks found wrong with accounts, with approval and an undo.

Pure: verdicts in (`plan`), changes with their states out (`change`, `mend`); `step` decides what to do
about a change from what is read of it. `bot.runner.mending` does it.
"""
