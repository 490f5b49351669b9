"""Snapshots of one request in every state, built from a real file the way the store builds them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.phones import roster
from bot.phones.region import Region
from bot.phones.roster import Roster, RosterRow
from bot.phones.vendor import kind_of
from bot.signin.batch import MAX_PHONES_PER_BATCH, BatchState
from bot.signin.evidence import Comparison, Evidence
from bot.signin.listing import Mark
from bot.signin.outcome import NO_RESULT, NOT_RUN, PhoneStatus, explain
from bot.signin.overlap import Overlap
from bot.signin.request import Person, RequestState
from bot.signin.schedule import Due
from bot.signin.sighting import Sighting, Sightings, SightingState
from bot.signin.snapshot import (
    AccountChecks,
    CauseGroup,
    MissedStart,
    Page,
    PhoneSnapshot,
    ProvisioningWindows,
    ReconciliationQuestion,
    RegionProgress,
    RequestSnapshot,
    Review,
    RosterSummary,
    StalledBatch,
    Tally,
)

EXAMPLE = Path(__file__).parents[2] / "examples" / "lobby-phones.csv"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
ALEX = Person("00000000-0000-0000-0000-000000000020", "Alex Wilber")
ALEX_IN_CHAT = "29:1alex"
MEGAN = Person("00000000-0000-0000-0000-000000000021", "Megan Bowen")
NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
REVIEW = Review(ALEX, NOON, "All lobby phones are down", "INC0012345")
PAGE_SIZE = 10
MESSAGES = (
    "Device is offline.",
    "BulkSignIn Tag missing for the device",
    "User missing phone number assignment.",
    "Public IP IPv4 - 203.0.113.7, IPv6 - ::1 for the device is not trusted. "
    "Please whitelist the public IP in TAC",
    "Device is offline.",
    "Something new (0x80070005) [see](https://example.com)",
)


def example_roster() -> Roster:
    return roster.read(EXAMPLE.read_bytes(), EXAMPLE.name)


def page_of(items: Sequence[PhoneSnapshot], number: int) -> Page[PhoneSnapshot]:
    return Page(items[(number - 1) * PAGE_SIZE : number * PAGE_SIZE], number, PAGE_SIZE, len(items))


def roster_summary(source: Roster, *, page: int = 1, regions_known: bool = True) -> RosterSummary:
    ready = [row for row in source.rows if row.ready]
    accounts = Counter(row.username.casefold() for row in ready)
    return RosterSummary(
        file_name=source.name,
        total=len(source.rows),
        ready=len(ready),
        accounts=len(accounts),
        not_ready=source.not_ready,
        warnings=source.warnings,
        notes=source.notes,
        without_region=0 if regions_known else len(ready),
        notices=source.notices,
        issues=Page(
            source.issues[(page - 1) * PAGE_SIZE : page * PAGE_SIZE],
            page,
            PAGE_SIZE,
            len(source.issues),
        ),
        shared_accounts=[name for name, count in accounts.items() if count > 1][:3],
    )


def _status(at: int, of: int, state: RequestState) -> PhoneStatus:
    """The status of the phone at index `at` of `of`."""
    if state is RequestState.FINISHED or (state is RequestState.CANCELLED and at < of * 0.6):
        if at == of // 2:
            return PhoneStatus.UNCONFIRMED
        return PhoneStatus.FAILED if at % 19 == 7 else PhoneStatus.SIGNED_IN
    if state is RequestState.CANCELLED:
        return PhoneStatus.NOT_RUN
    if state is not RequestState.RUNNING or at >= of * 0.8:
        return PhoneStatus.PENDING
    if at >= of * 0.4:
        return PhoneStatus.IN_PROGRESS
    return PhoneStatus.FAILED if at % 19 == 7 else PhoneStatus.SIGNED_IN


def phone_snapshot(row: RosterRow, status: PhoneStatus) -> PhoneSnapshot:
    message = MESSAGES[row.number // 19 % len(MESSAGES)] if status is PhoneStatus.FAILED else ""
    cause = {
        PhoneStatus.FAILED: explain(message).cause,
        PhoneStatus.NOT_RUN: NOT_RUN,
        PhoneStatus.UNCONFIRMED: NO_RESULT,
    }.get(status)
    return PhoneSnapshot(
        row=row.number,
        username=row.username,
        hardware_id=row.hardware_id,
        region=row.region,
        status=status,
        message=message,
        cause=cause,
        remote_batch_id="",
    )


def cause_groups(phones: Sequence[PhoneSnapshot]) -> list[CauseGroup]:
    by_cause: dict[str, list[PhoneSnapshot]] = defaultdict(list)
    for phone in phones:
        if phone.cause:
            by_cause[phone.cause.code].append(phone)
    groups: list[CauseGroup] = []
    for members in by_cause.values():
        cause = members[0].cause
        assert cause is not None
        groups.append(
            CauseGroup(
                cause=cause,
                count=len(members),
                message=members[0].message,
                examples=[member.username for member in members[:3]],
                vendors=Counter(kind_of(member.hardware_id).value for member in members),
            )
        )
    return sorted(groups, key=lambda group: -group.count)


def _progress(phones: Sequence[PhoneSnapshot], state: RequestState) -> list[RegionProgress]:
    regions: list[RegionProgress] = []
    for region in Region:
        counts = Counter(phone.status.value for phone in phones if phone.region is region)
        if not counts:
            continue
        tally = Tally(**counts)
        batches = -(-tally.total // MAX_PHONES_PER_BATCH)
        states = {BatchState.PLANNED: batches}
        if state is RequestState.RUNNING:
            phones_by_state = {
                BatchState.DONE: tally.ended,
                BatchState.SUBMITTED: tally.in_progress,
                BatchState.PLANNED: tally.pending,
            }
            states = {
                batch_state: -(-count // MAX_PHONES_PER_BATCH)
                for batch_state, count in phones_by_state.items()
                if count
            }
        if state in (RequestState.FINISHED, RequestState.CANCELLED):
            states = {BatchState.DONE: batches}
        regions.append(RegionProgress(region, tally, states))
    return regions


def snapshot(
    state: RequestState,
    source: Roster | None = None,
    *,
    page: int = 1,
    only_failed: bool = False,
    issues: bool = False,
    regions_known: bool = True,
) -> RequestSnapshot:
    """The request for `source` (default: the example file) in `state`.

    `page` is a page of the issues if `issues` is true, otherwise of the phones.
    """
    source = source or example_roster()
    ready = [row for row in source.rows if row.ready]
    phones = [phone_snapshot(row, _status(at, len(ready), state)) for at, row in enumerate(ready)]
    shown = [phone for phone in phones if phone.cause] if only_failed else phones
    draft = RequestSnapshot(
        id="K7QF2M9X",
        version=3,
        state=state,
        tenant_id=TENANT,
        requester=ALEX,
        roster=roster_summary(source, page=page if issues else 1, regions_known=regions_known),
        regions=_progress(phones, state) if regions_known else (),
        causes=cause_groups(phones),
        questions=(),
        stalled=(),
        phones=page_of(shown, 1 if issues else page),
        four_eyes=True,
        created_at=NOON,
    )
    return _with_history(draft)


def _with_history(draft: RequestSnapshot) -> RequestSnapshot:
    """Adds the people and times of everything that happened before a request reached its state."""
    state = draft.state
    if state is RequestState.DRAFT:
        return draft
    ended = NOON + timedelta(minutes=48)
    if state is RequestState.WITHDRAWN:
        return replace(draft, finished_at=ended)
    snapshot = replace(
        draft,
        digest="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        reason="New lobby phones in Berlin and Boston, CHG0042",
        asked_at=NOON + timedelta(minutes=4),
        expires_at=NOON + timedelta(days=1, minutes=4),
        requester_upn="alex@contoso.com",
        requester_account=ALEX_IN_CHAT,
        evidence=Evidence(gathered=True, usual_phones=120, expected_seconds=720),
        shown="checks-01234567.overlap-01234567.reason-01234567.windows-01234567",
    )
    if state is RequestState.WAITING:
        return snapshot
    if state is RequestState.EXPIRED:
        return replace(snapshot, finished_at=snapshot.expires_at)
    snapshot = replace(snapshot, decided_by=MEGAN, decided_at=NOON + timedelta(minutes=21))
    if state is RequestState.REJECTED:
        comment = "Wait until the reception has closed"
        return replace(snapshot, comment=comment, finished_at=snapshot.decided_at)
    snapshot = replace(snapshot, comment="Go ahead, the lobby is empty")
    if state is RequestState.CANCELLED:
        snapshot = replace(
            snapshot, cancelled_by=ALEX, cancel_asked_at=NOON + timedelta(minutes=30)
        )
    return snapshot if state is RequestState.RUNNING else replace(snapshot, finished_at=ended)


def with_everything_unusual(waiting: RequestSnapshot) -> RequestSnapshot:
    """The same with all that may be unusual about a request."""
    checks = AccountChecks(
        complete=True,
        total=243,
        guarded=2,
        failed=4,
        passed=237,
        included=5,
        included_accounts=["adele.vance@contoso.com", "reception.boss@contoso.com"],
        checked_at=NOON,
    )
    windows = ProvisioningWindows(
        NOON, 0, 231, 9, 4, 0, NOON + timedelta(hours=1), (), ["lobby.berlin.01@contoso.com"],
        ["lobby.berlin.02@contoso.com", "lobby.berlin.03@contoso.com"],
    )  # fmt: skip
    evidence = Evidence(
        gathered=True,
        first_request=True,
        usual_phones=20,
        reset_accounts=18,
        reset_at=NOON - timedelta(days=3),
        reset_examples=["lobby.berlin.04@contoso.com", "lobby.berlin.05@contoso.com"],
        compared=Comparison(
            "7QD2M4XA", NOON - timedelta(days=9), 12, 3, 5, ["lobby.boston.01@contoso.com"]
        ),
        expected_seconds=3 * 3600,
    )
    others = [
        Overlap("7QD2M4XA", MEGAN.object_id, RequestState.RUNNING, NOON, 18, 18,
                ["lobby.berlin.04@contoso.com"]),
        Overlap("M3X9T2PV", ALEX.object_id, RequestState.WAITING, NOON, 2, 2),
    ]  # fmt: skip
    marks = (list(Mark), [Mark.GUARDED], [], [Mark.OVERLAP, Mark.ADDED], [])
    phones = [
        replace(phone, marks=marks[at % len(marks)])
        for at, phone in enumerate(waiting.phones.items)
    ]
    roster = replace(waiting.roster, account_checks=checks, windows=windows)
    return replace(
        waiting,
        roster=roster,
        ticket="CHG0042",
        evidence=evidence,
        overlaps=others,
        phones=replace(waiting.phones, items=phones),
    )


def with_checks_passed(snapshot: RequestSnapshot) -> RequestSnapshot:
    """The same with accounts that are all right."""
    accounts = snapshot.roster.accounts
    checks = AccountChecks(complete=True, total=accounts, passed=accounts, checked_at=NOON)
    return replace(snapshot, roster=replace(snapshot.roster, account_checks=checks))


def with_account_checks(snapshot: RequestSnapshot) -> RequestSnapshot:
    """The same with accounts of every verdict; those of people are included, but for one."""
    checks = AccountChecks(
        complete=True,
        total=9,
        refused=1,
        guarded=2,
        failed=2,
        warnings=1,
        unknown=1,
        passed=2,
        included=1,
        guarded_accounts=["lobby.01@contoso.com"],
        included_accounts=["lobby.02@contoso.com"],
        checked_at=NOON,
    )
    return replace(snapshot, roster=replace(snapshot.roster, account_checks=checks))


def with_sightings(finished: RequestSnapshot, **changes: object) -> RequestSnapshot:
    """The same with phones of every kind in the sign-in log."""
    failing = Sighting(SightingState.FAILING, NOON, 53003, "blocked")
    each = [
        Sighting(SightingState.SEEN, NOON),
        failing,
        Sighting(SightingState.PENDING),
        Sighting(SightingState.NOT_SEEN),
        Sighting(SightingState.CANNOT_BE_SEEN),
        None,
    ]
    phones = [
        replace(phone, sighting=each[at % len(each)])
        for at, phone in enumerate(finished.phones.items)
    ]
    counted = Sightings(243, 231, 2, pending=True, newest_failure=failing)
    return replace(
        finished,
        phones=replace(finished.phones, items=phones),
        sightings=replace(counted, **changes),
    )


START = datetime(2026, 12, 1, 17, 0, tzinfo=UTC)


def with_start(
    state: RequestState,
    at: datetime | None = START,
    typed: str = "2026-12-01T18:00",
    **changes: Any,
) -> RequestSnapshot:
    """A request that is to start on 1 December at 18:00 in Berlin."""
    started = replace(snapshot(state), run_at=at, run_zone="Europe/Berlin", run_typed=typed)
    return replace(started, **changes)


def with_repeated_start() -> RequestSnapshot:
    """A draft whose requester is asked which of two times is meant."""
    return with_start(RequestState.DRAFT, None, "2026-10-25T02:30")


def scheduled(**changes: Any) -> RequestSnapshot:
    """An approved request that waits for its time."""
    running = with_start(RequestState.RUNNING, scheduled=True, run_by=START + timedelta(hours=1))
    pending = [
        replace(each, phones=Tally(pending=each.phones.total), batches={BatchState.PLANNED: 2})
        for each in running.regions
    ]
    return replace(running, regions=pending, causes=(), **changes)


def with_missed_start(reason: Due = Due.LATE) -> RequestSnapshot:
    """An approved request that did not start at its time."""
    missed = MissedStart(reason)
    if reason is Due.CLOSED:
        opens_at = START + timedelta(hours=13)
        missed = replace(missed, why="Changes are frozen.", opens_at=opens_at)
    return replace(scheduled(), scheduled=False, missed=missed)


def with_every_problem(running: RequestSnapshot) -> RequestSnapshot:
    """A running request with every problem at once, being canceled."""
    return replace(
        running,
        regions=[_canceling(region) for region in running.regions],
        cancelled_by=ALEX,
        cancel_asked_at=NOON + timedelta(minutes=30),
        refused="Access Denied.",
        unreachable_since=NOON + timedelta(minutes=33),
        questions=[question()],
        stalled=[
            StalledBatch(Region.EMEA, "0e1b7f0a-5d3c-4a52-9a53-3f5f5e1d2c11", 12, NOON),
            StalledBatch(Region.NOAM, "6a0f9a52-1e1c-4d5e-8a44-0a6a2a1f9b7d", 44, NOON),
        ],
    )


def _canceling(progress: RegionProgress) -> RegionProgress:
    """Batches not sent yet are canceled. Those of EMEA include the one of `question`."""
    phones = progress.phones
    batches = dict(progress.batches)
    if planned := batches.pop(BatchState.PLANNED, 0):
        batches[BatchState.CANCELLED] = planned
    if progress.region is Region.EMEA:
        batches[BatchState.NEEDS_PERSON] = 1
    return replace(
        progress,
        phones=replace(phones, pending=0, not_run=phones.not_run + phones.pending),
        batches=batches,
    )


def question() -> ReconciliationQuestion:
    return ReconciliationQuestion(
        batch_id=2,
        region=Region.EMEA,
        phones=42,
        sent_at=NOON + timedelta(minutes=22),
        first_row=104,
        last_row=146,
        examples=[f"lobby.berlin.{number}@contoso.com" for number in (97, 98, 99)],
    )
