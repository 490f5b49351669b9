"""The tables of a policy file, as TOML has them: which keys there are, and of which types."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from bot.phones.region import Region
from bot.signin.policy.model import GuestRole, NeedsReason, Risk

MAX_NEED = 20  # votes of a stage


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


Names = list[str]
Count = Annotated[int, Field(strict=True, ge=1)]


class ConditionalTable(Table):
    name: str = ""
    regions: list[Region] = []
    accounts: list[str] = []
    min_accounts: Count | None = None
    risks: list[Risk] = []


class StageTable(Table):
    of: Names
    need: Annotated[int, Field(strict=True, ge=1, le=MAX_NEED)] = 1


class WindowTable(Table):
    days: str | list[str]
    begin: str | time = Field(alias="from")
    end: str | time = Field(alias="to")
    tz: str


class RuleTable(ConditionalTable):
    stages: list[StageTable] = []
    windows: list[WindowTable] = []
    ticket: str = ""
    ticket_example: str = ""
    reasons: list[NeedsReason] = []


class DenyTable(ConditionalTable):
    requesters: Names = []
    approvers: Names = []


class FreezeTable(ConditionalTable):
    begin: datetime = Field(alias="from")
    end: datetime = Field(alias="to")
    tz: str = ""


class ViewTable(Table):
    name: str = ""
    people: Names
    regions: list[Region] = []
    accounts: list[str] = []


class EscalationTable(ConditionalTable):
    after: str
    to: Names


class BreakGlassTable(Table):
    people: Names


class LimitsTable(Table):
    accounts_per_day: Count | None = None


class FileTable(Table):
    requesters: Names
    approvers: Names
    auditors: Names = []
    groups: dict[str, str | list[str]] = {}
    rule: list[RuleTable] = []
    deny: list[DenyTable] = []
    freeze: list[FreezeTable] = []
    guests: list[GuestRole] = []
    view: list[ViewTable] = []
    escalation: list[EscalationTable] = []
    break_glass: BreakGlassTable | None = None
    limits: LimitsTable = LimitsTable()
