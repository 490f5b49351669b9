"""The tables. Times are UTC; states are the enums of `bot.signin`, as text.

Each is imported from its own module. `Base.metadata` has all of them: they are made known here.
"""

from bot.store.models import accounts, approvals, audit, batches, chat, requests
from bot.store.models.base import Base

__all__ = ["Base", "accounts", "approvals", "audit", "batches", "chat", "requests"]
