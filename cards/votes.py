"""Votes on cards: who has approved, whose approval is still wanted, and from when on it may start."""

from __future__ import annotations

from collections.abc import Sequence

from microsoft_teams.cards.core import TextBlock

from bot.signin.policy.decision import Wanted
from bot.signin.policy.vote import Standing, Void
from bot.words import Words
from cards.context import CardContext
from cards.elements import bold, text, timestamp
from cards.escape import Markup


def wanted_text(words: Words, wanted: Sequence[Wanted]) -> str:
    """Such as "2 of netops, 1 of soc"."""
    return ", ".join(
        words("votes-wanted-of", votes=each.votes, who=" / ".join(each.names))
        if each.names
        else words("votes-wanted-approvers", votes=each.votes)
        for each in wanted
    )


def not_last(context: CardContext) -> bool:
    """Whether others have to approve, too, after the one who reads the card."""
    standing = context.standing
    return standing is not None and sum(each.votes for each in standing.wanted) > 1


def closed(context: CardContext) -> bool:
    """Whether change windows and freezes refuse the last approval now."""
    standing = context.standing
    return standing is not None and (standing.opens_at is not None or standing.never_opens)


def lines(context: CardContext) -> list[TextBlock]:
    """Empty if one click is all that an approval takes."""
    standing = context.standing
    if standing is None:
        return []
    sentences = [*_given(context, standing), *_void(context, standing)]
    if standing.wanted:
        wanted = Markup(wanted_text(context.escaping_words, standing.wanted))
        sentences.append(context.message("votes-wanted", wanted=wanted))
        if not_last(context) and context.snapshot.run_at is None:
            sentences.append(context.words("votes-not-last"))
    refused: list[str] = []
    if standing.opens_at is not None:
        later = context.snapshot.run_at is not None
        when = timestamp(standing.opens_at)
        refused.append(context.message("votes-opens-start" if later else "votes-opens", when=when))
    if standing.never_opens:
        refused.append(context.words("votes-never"))
    return [*map(text, sentences), *map(bold, refused)]


def _given(context: CardContext, standing: Standing) -> list[str]:
    counting = [
        context.message(
            "votes-vote", person=context.person_name(vote.voter), when=timestamp(vote.at)
        )
        for vote in standing.votes
        if vote.void is None
    ]
    if counting:
        return [context.message("votes-given", people=Markup(", ".join(counting)))]
    return [context.words("votes-none")] if standing.wanted else []


def _void(context: CardContext, standing: Standing) -> list[str]:
    return [
        context.message(
            "votes-left" if vote.void is Void.LEFT else "votes-changed",
            person=context.person_name(vote.voter),
        )
        for vote in standing.votes
        if vote.void is not None
    ]
