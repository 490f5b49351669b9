"""The request's states, its digest, and ids that people read out to each other."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.phones.region import Region
from bot.signin.request import (
    TERMINAL_REQUEST_STATES,
    TRANSITIONS,
    Phone,
    RequestState,
    digest,
    new_id,
    parse_id,
    phone_key,
)

DEVICES = st.builds(
    Phone,
    username=st.text(max_size=20),
    hardware_id=st.text(max_size=20),
    region=st.sampled_from(Region),
)
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def test_every_state_is_reached_from_a_draft_and_comes_to_an_end() -> None:
    assert set(TRANSITIONS) == set(RequestState)
    reached = {RequestState.DRAFT}
    for _ in RequestState:
        reached |= {after for before in reached for after in TRANSITIONS[before]}
    assert reached == set(RequestState)
    assert {state for state in RequestState if not TRANSITIONS[state]} == TERMINAL_REQUEST_STATES


def test_nothing_runs_without_having_waited_for_approval() -> None:
    before_running = {state for state in RequestState if RequestState.RUNNING in TRANSITIONS[state]}
    assert before_running == {RequestState.WAITING}


def test_what_runs_can_neither_be_withdrawn_nor_rejected() -> None:
    assert TRANSITIONS[RequestState.RUNNING] == {RequestState.FINISHED, RequestState.CANCELLED}


@given(st.lists(DEVICES, max_size=5), st.lists(DEVICES, max_size=5))
def test_one_digest_means_the_same_sign_ins(one: list[Phone], other: list[Phone]) -> None:
    assert (digest(one) == digest(other)) == (one == other)


@given(st.lists(DEVICES, min_size=1, max_size=5), st.data())
def test_any_change_changes_the_digest(devices: list[Phone], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(devices) - 1))
    changed = replace(devices[at], username=devices[at].username + "x")
    assert digest(devices) != digest([*devices[:at], changed, *devices[at + 1 :]])


def test_the_digest_is_the_one_that_stored_approvals_are_bound_to() -> None:
    """`printf '["EMEA", "lobby@contoso.com", "80-5E-C0-12-34-56"]' | sha256sum`"""
    device = Phone("lobby@contoso.com", "80-5E-C0-12-34-56", Region.EMEA)
    expected = "514efeec2db0a8b071cfea57acfaca1c5c779fecaa8ed3362dce8dbca2b98ee9"
    assert digest([device]) == expected


@given(st.text(max_size=20), st.text(max_size=20))
def test_results_are_matched_without_case(username: str, hardware_id: str) -> None:
    key = phone_key(username, hardware_id)
    assert key == phone_key(username.casefold(), hardware_id.upper())
    assert Phone(username, hardware_id, Region.APAC).key == key


def test_an_account_on_two_ports_is_two_devices() -> None:
    first = phone_key("fax@contoso.com", "80-5E-C0-12-34-56:001")
    assert first != phone_key("fax@contoso.com", "80-5E-C0-12-34-56:002")


def test_a_new_id_reads_back_as_itself() -> None:
    ids = {new_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(parse_id(each) == each for each in ids)


@given(st.text(ALPHABET, min_size=8, max_size=8), st.data())
def test_an_id_is_understood_however_it_is_typed(request_id: str, data: st.DataObject) -> None:
    look_alikes = {"0": "0Oo", "1": "1IiLl"}
    typed = "".join(
        data.draw(st.sampled_from(look_alikes.get(letter, letter + letter.lower())))
        for letter in request_id
    )
    dash = data.draw(st.sampled_from(("", "-", " ")))
    before = data.draw(st.sampled_from(("", " ", "#", " #")))
    assert parse_id(f"{before}{typed[:4]}{dash}{typed[4:]} ") == request_id


@given(st.text(max_size=12))
def test_what_is_no_id_is_none(text: str) -> None:
    parsed = parse_id(text)
    assert parsed is None or (len(parsed) == 8 and set(parsed) <= set(ALPHABET))
