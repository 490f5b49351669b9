"""The button *Approve* and what it asks before: a tick, or the number of passwords."""

from __future__ import annotations

from microsoft_teams.cards.core import (
    Action,
    AdaptiveCard,
    CardElement,
    NumberInput,
    ShowCardAction,
    ToggleInput,
)

from bot.signin.acknowledgment import Acknowledgment, wanted
from bot.signin.unusual import against_checks
from cards import accounts, votes
from cards.context import CardContext
from cards.types import Verb


def approve_button(context: CardContext) -> Action:
    """Opens a card with the inputs: on the main card, a required input would block *Reject* too."""
    snapshot = context.snapshot
    passwords = snapshot.roster.accounts
    return ShowCardAction(
        title=context.words("button-approve"),
        style="positive",
        card=AdaptiveCard(
            version="1.5",
            body=[_input(context, passwords), *accounts.confirm_inputs(context)],
            actions=[
                context.execute_action(
                    Verb.APPROVE,
                    _title(context, passwords),
                    style="destructive",  # it resets passwords
                    with_inputs=True,
                    digest=snapshot.digest,
                    **({"shown": snapshot.shown} if snapshot.shown else {}),
                )
            ],
        ),
    )


def _title(context: CardContext, passwords: int) -> str:
    """What the click brings about: a vote, a start later, or the reset at once."""
    if votes.not_last(context):
        return context.words("button-approve-vote")
    if context.snapshot.run_at is not None:
        return context.words("button-approve-start")
    return context.message("button-approve-now", accounts=passwords)


def _input(context: CardContext, passwords: int) -> CardElement:
    """Has the same id, whatever it asks for."""
    asked = wanted(
        phones=context.snapshot.roster.ready,
        against_checks=against_checks(context.snapshot),
        typed_above=context.typed_above,
    )
    if asked is Acknowledgment.TYPED:
        return NumberInput(
            id="acknowledge",
            label=context.message("label-acknowledge-typed", accounts=passwords),
            is_required=True,
            error_message=context.words("error-acknowledge-typed"),
        )
    return ToggleInput(
        id="acknowledge",
        label=context.words("label-acknowledge"),
        title=context.message("toggle-acknowledge", accounts=passwords),
        value="false",
        wrap=True,
        is_required=True,
        error_message=context.words("error-acknowledge"),
    )
