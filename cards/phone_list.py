"""The phones on the approval card: a sample, or a page of those that an approver filters for."""

from __future__ import annotations

from microsoft_teams.cards.core import (
    Action,
    CardElement,
    Choice,
    ChoiceSetInput,
    TextBlock,
    TextInput,
)

from bot.signin.listing import ALL, MAX_PREFIX, UNUSUAL
from cards import lists
from cards.context import CardContext
from cards.elements import action_row, heading, text
from cards.escape import single_line
from cards.types import Panel, Verb

_SAMPLE_SIZE = 5  # phones shown while the phone panel is closed


def section(context: CardContext) -> list[CardElement]:
    """A page of the phones if the phone panel is open, otherwise a sample of the first ones."""
    page = context.snapshot.phones
    if context.view.panel is Panel.PHONES:
        return [
            _title(context),
            *_filter_form(context),
            *([lists.phone_region_table(context, page.items)] if page.items else []),
            *lists.pager(context, Panel.PHONES, page),
        ]
    sample = page.items[:_SAMPLE_SIZE]
    if not sample:
        return []
    title = context.message("approval-sample", shown=len(sample), total=page.total)
    if len(sample) == page.total:
        title = context.message("approval-phones", total=page.total)
    return [
        heading(title),
        lists.phone_region_table(context, sample),
    ]


def _title(context: CardContext) -> TextBlock:
    total = context.snapshot.phones.total
    if context.view.phone_filter == ALL:
        return heading(context.message("approval-phones", total=total))
    of_all = context.snapshot.roster.ready
    return heading(context.message("approval-phones-filtered", total=total, all=of_all))


def _filter_form(context: CardContext) -> list[CardElement]:
    chosen = context.view.phone_filter
    regions = [region.region.value for region in context.snapshot.regions]
    choices = [
        Choice(title=context.words("filter-all"), value="all"),
        Choice(title=context.words("filter-unusual"), value=UNUSUAL),
        *(Choice(title=region, value=region) for region in regions),
    ]
    return [
        ChoiceSetInput(
            id="filter",
            label=context.words("label-filter"),
            choices=choices,
            value=chosen.which or "all",
            style="compact",
        ),
        TextInput(
            id="prefix",
            label=context.words("label-prefix"),
            value=single_line(chosen.prefix, MAX_PREFIX) or None,
            max_length=MAX_PREFIX,
        ),
        action_row(
            [
                context.execute_action(
                    Verb.PAGE,
                    context.words("button-filter"),
                    with_inputs=True,
                    panel=Panel.PHONES.value,
                    page=1,
                )
            ]
        ),
        text(context.words("filter-only-you"), subtle=True, spacing="Small"),
    ]


def buttons(context: CardContext) -> list[Action]:
    """Open or close the phone panel, and export the whole list. No panel if the sample has every phone."""
    export = context.execute_action(
        Verb.EXPORT, context.words("button-export-phones"), what="phones"
    )
    if context.view.panel is Panel.PHONES:
        close = lists.page_button(context, context.words("button-hide"), Panel.NONE, 1)
        return [close, export]
    if context.snapshot.phones.total <= _SAMPLE_SIZE:
        return [export]
    return [lists.page_button(context, context.words("button-phones"), Panel.PHONES, 1), export]
