"""A request's transitions, and ids that people read out to each other."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.phones.region import Region
from bot.signin.request import (
    TERMINAL_REQUEST_STATES,
    TRANSITIONS,
    Hold,
    Phone,
    RequestState,
    new_id,
    parse_id,
    phone_key,
)

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def following(state: RequestState) -> set[RequestState]:
    """The other states that one transition leads to."""
    return {each.after for each in TRANSITIONS if state in each.before} - {state}


def before(state: RequestState) -> set[RequestState]:
    """The other states that a transition leads from."""
    starts = {start for each in TRANSITIONS if each.after is state for start in each.before}
    return starts - {state}


def test_every_state_is_reached_from_draft_and_ends() -> None:
    reached = {RequestState.DRAFT}
    for _ in RequestState:
        reached |= {after for state in reached for after in following(state)}
    assert reached == set(RequestState)
    assert {state for state in RequestState if not following(state)} == TERMINAL_REQUEST_STATES


def test_running_follows_waiting_only() -> None:
    """Nothing runs that has not waited for approval."""
    assert before(RequestState.RUNNING) == {RequestState.WAITING}
    approvals = [
        each.name
        for each in TRANSITIONS
        if each.after is RequestState.RUNNING and RequestState.RUNNING not in each.before
    ]
    assert approvals == ["approve"]


def test_running_request_is_withdrawn_only_before_it_starts_and_never_rejected() -> None:
    ends = {RequestState.FINISHED, RequestState.CANCELLED}
    assert following(RequestState.RUNNING) == ends | {RequestState.WITHDRAWN}
    withdrawals = [
        each.name
        for each in TRANSITIONS
        if each.after is RequestState.WITHDRAWN and RequestState.RUNNING in each.before
    ]
    assert withdrawals == ["withdraw_scheduled"]
    assert {hold for hold in Hold if hold.before_start} == {Hold.SCHEDULED, Hold.MISSED}


@given(st.text(max_size=20), st.text(max_size=20))
def test_phone_key_ignores_case(username: str, hardware_id: str) -> None:
    key = phone_key(username, hardware_id)
    assert key == phone_key(username.casefold(), hardware_id.upper())
    assert Phone(username, hardware_id, Region.APAC).key == key


def test_phone_key_tells_ports_of_one_account_apart() -> None:
    first = phone_key("fax@contoso.com", "80-5E-C0-12-34-56:001")
    assert first != phone_key("fax@contoso.com", "80-5E-C0-12-34-56:002")


def test_parse_id_returns_new_ids_unchanged() -> None:
    ids = {new_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(parse_id(each) == each for each in ids)


@given(st.text(ALPHABET, min_size=8, max_size=8), st.data())
def test_parse_id_tolerates_case_separators_and_look_alikes(
    request_id: str, data: st.DataObject
) -> None:
    look_alikes = {"0": "0Oo", "1": "1IiLl"}
    typed = "".join(
        data.draw(st.sampled_from(look_alikes.get(letter, letter + letter.lower())))
        for letter in request_id
    )
    dash = data.draw(st.sampled_from(("", "-", " ")))
    before = data.draw(st.sampled_from(("", " ", "#", " #")))
    assert parse_id(f"{before}{typed[:4]}{dash}{typed[4:]} ") == request_id


@given(st.text(max_size=12))
def test_parse_id_returns_none_or_id_for_any_text(text: str) -> None:
    parsed = parse_id(text)
    assert parsed is None or (len(parsed) == 8 and set(parsed) <= set(ALPHABET))
