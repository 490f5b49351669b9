"""What cards show of the account checks, and the inputs that include accounts in spite of them."""

from __future__ import annotations

from microsoft_teams.cards.core import (
    Action,
    CardElement,
    Choice,
    ChoiceSetInput,
    TextBlock,
    ToggleInput,
)

from bot.signin.request import Hold, RequestState
from bot.signin.snapshot import MAX_NAMED, AccountChecks, RequestSnapshot, RosterSummary
from cards.context import CardContext, Headline
from cards.elements import bold, callout, text
from cards.escape import Markup
from cards.types import Verb

_TENANT, _GAPS = "tenant-", "unknown-"  # codes of notices on the tenant, and on what is not known


def checking(roster: RosterSummary) -> bool:
    """True while accounts are being checked."""
    return roster.account_checks is not None and not roster.account_checks.complete


def includable(roster: RosterSummary) -> int:
    """Accounts that were left out and that the requester may include."""
    checks = roster.account_checks
    return 0 if checks is None else checks.failed + checks.guarded - checks.included


def progress(context: CardContext) -> list[CardElement]:
    """How far the check has come."""
    checks = context.snapshot.roster.account_checks
    if checks is None:
        return []
    return [text(context.message("accounts-checking", checked=checks.checked, total=checks.total))]


def lead(context: CardContext) -> list[CardElement]:
    """The first line of a card: accounts that are not phones', then those that will fail."""
    checks = context.snapshot.roster.account_checks
    if checks is None or not checks.complete:
        return []
    lines: list[CardElement] = []
    if checks.refused + checks.guarded:
        lines.append(bold(_guarded_sentence(context, checks)))
    if checks.failed:
        lines.append(bold(context.message("accounts-failed-lead", failed=checks.failed)))
    return lines


def _guarded_sentence(context: CardContext, checks: AccountChecks) -> str:
    return context.message(
        "accounts-guarded-lead",
        refused=checks.refused,
        guarded=checks.guarded,
        included=len(checks.included_accounts),
    )


def facts_of_checks(context: CardContext) -> list[tuple[str, str]]:
    """A pair with the accounts by result. Empty if there was no check, or while it lasts."""
    checks = context.snapshot.roster.account_checks
    if checks is None or not checks.complete:
        return []
    result = context.message(
        "accounts-checked",
        total=checks.total,
        passed=checks.passed,
        warnings=checks.warnings,
        unknown=checks.unknown,
        failing=checks.refused + checks.guarded + checks.failed,
        decided=int(context.snapshot.state is not RequestState.DRAFT),
        included=checks.included,
    )
    return [(context.words("fact-accounts"), result)]


def scope_of_checks(context: CardContext) -> list[CardElement]:
    """What a check of accounts cannot tell."""
    if checking(context.snapshot.roster):
        return []
    return [text(context.words("accounts-checked-phones-not"), subtle=True)]


def notices(context: CardContext) -> list[CardElement]:
    """What holds for all accounts, and what is not known of them."""
    return [
        text(f"• {context.message(f'notice-{notice.code}', **notice.arguments)}", spacing="Small")
        for notice in context.snapshot.roster.notices
        if notice.code.startswith((_TENANT, _GAPS))
    ]


def include_inputs(context: CardContext) -> list[CardElement]:
    """The inputs of *Request approval* that take accounts along which were left out."""
    checks = context.snapshot.roster.account_checks
    if checks is None:
        return []
    inputs: list[CardElement] = []
    if checks.failed:
        inputs.append(
            ToggleInput(
                id="include_failed",
                label=context.words("label-include-failed"),
                title=context.message("toggle-include-failed", failed=checks.failed),
                value="true" if checks.included > len(checks.included_accounts) else "false",
                wrap=True,
            )
        )
    if checks.guarded:
        names = [*checks.included_accounts, *checks.guarded_accounts][:MAX_NAMED]
        inputs.append(
            ChoiceSetInput(
                id="include_guarded",
                label=context.words("label-include-guarded"),
                choices=[
                    Choice(title=context.single_line_value(account), value=account)
                    for account in names
                ],
                value=",".join(checks.included_accounts) or None,
                is_multi_select=True,
                style="expanded",
                wrap=True,
            )
        )
        if more := checks.guarded - len(names):
            sentence = context.message("include-guarded-more", more=more, limit=MAX_NAMED)
            inputs.append(text(sentence, subtle=True, spacing="Small"))
    return inputs


def export_buttons(context: CardContext) -> list[Action]:
    """The buttons for the files that help to mend accounts."""
    checks = context.snapshot.roster.account_checks
    if checks is None:
        return []
    return [
        context.execute_action(Verb.EXPORT, context.words(f"button-export-{what}"), what=what)
        for what, useful in (("script", checks.scripted), ("numbers", checks.lacks_numbers))
        if useful
    ]


def guarded_lines(context: CardContext) -> list[TextBlock]:
    """For an approver, the accounts by name that look like people's and are included."""
    checks = context.snapshot.roster.account_checks
    if checks is None:
        return []
    return [bold(context.message("approval-guarded", names=_names(context, checks)))]


def failed_lines(context: CardContext) -> list[TextBlock]:
    """For an approver, how many accounts are included although their checks failed."""
    checks = context.snapshot.roster.account_checks
    if checks is None:
        return []
    failed = checks.included - len(checks.included_accounts)
    return [text(f"• {context.message('approval-included', included=failed)}")]


def confirm_inputs(context: CardContext) -> list[CardElement]:
    """The box with which an approver confirms guarded accounts by name."""
    checks = context.snapshot.roster.account_checks
    if checks is None or not checks.included_accounts:
        return []
    return [
        ToggleInput(
            id="confirm_guarded",
            label=context.words("label-confirm-guarded"),
            title=context.message("toggle-confirm-guarded", names=_names(context, checks)),
            value="false",
            wrap=True,
            is_required=True,
            error_message=context.words("approve-confirm-guarded"),
        )
    ]


def _names(context: CardContext, checks: AccountChecks) -> Markup:
    return Markup(", ".join(map(context.markdown_value, checks.included_accounts)))


def hold_headline(snapshot: RequestSnapshot) -> Headline | None:
    """Why nothing of a running request is sent yet. None if nothing holds it."""
    hold = snapshot.hold
    if hold is None:
        return None
    if hold.state is Hold.HELD:
        return Headline("progress-held", {"accounts": hold.accounts})
    return Headline("progress-checking", {"checked": hold.checked, "total": hold.total})


def hold_lead(context: CardContext) -> list[CardElement]:
    """What a request that is held waits for. Empty if nothing holds it."""
    hold = context.snapshot.hold
    if hold is None or hold.state is not Hold.HELD:
        return []
    return [bold(context.words("progress-held-waits"))]


def new_failures(context: CardContext) -> list[CardElement]:
    """What holds a request: failures that its approver did not see, and what to decide about them."""
    hold = context.snapshot.hold
    if hold is None or hold.state is not Hold.HELD:
        return []
    sentences = [text(sentence) for sentence in _of_rechecks(context, _TENANT)]
    for each in hold.failures:
        problem = Markup(context.message(f"issue-account-{each.code}", **each.arguments))
        line = context.message("hold-account", account=each.username, problem=problem)
        sentences.append(text(line, spacing="Small"))
    if more := hold.accounts - len(hold.failures):
        sentences.append(text(context.message("hold-more", more=more), spacing="Small"))
    sentences.append(bold(context.message("hold-how", accounts=hold.accounts)))
    return [callout(sentences, "attention")]


def rechecked(context: CardContext) -> list[CardElement]:
    """What else came of checking the accounts again: what changed, and what is not known."""
    sentences = _of_rechecks(context, "rechecked", _GAPS)
    return [text(sentence, subtle=True, spacing="Small") for sentence in sentences]


def _of_rechecks(context: CardContext, *codes: str) -> list[str]:
    return [
        context.message(f"notice-{notice.code}", **notice.arguments)
        for notice in context.snapshot.rechecked
        if notice.code.startswith(codes)
    ]


def hold_buttons(context: CardContext) -> list[Action]:
    """What an approver can decide about a request that is held, besides canceling it."""
    hold = context.snapshot.hold
    if hold is None or hold.state is not Hold.HELD or not context.releases:
        return []
    buttons: list[Action] = []
    if hold.phones < context.snapshot.phones_by_status.total:
        title = context.message("button-continue-without", accounts=hold.accounts)
        buttons.append(context.execute_action(Verb.CONTINUE_WITHOUT, title, style="destructive"))
    title = context.words("button-check-accounts")
    return [*buttons, context.execute_action(Verb.CHECK_ACCOUNTS, title, style="positive")]
