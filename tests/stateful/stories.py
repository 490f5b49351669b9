"""Short fixed sequences, each the likeliest way in which one fault would do harm."""

from __future__ import annotations

from bot.phones.region import Region
from bot.signin.batch import BatchState
from tests.stateful.ledger import Call, Fate
from tests.stateful.tables import BatchImage
from tests.stateful.world import World

TWO_PHONES = [Region.EMEA] * 2
TWO_BATCHES = [Region.EMEA] * 4


async def answer_of_an_older_attempt(world: World) -> None:
    """A paused worker learns that its submit was throttled when the batch was sent again already."""
    await world.ask(TWO_PHONES)
    first = world.start(sole=False)
    old = await _sent(world)
    world.ledger.arrive(old, Fate.THROTTLED)
    first.process.paused = True
    world.start(sole=False)
    for _ in range(7):
        await world.work(91)
    (question,) = await world.people.questions()
    await world.people.answer_rightly(question)
    new = await _sent(world)
    world.ledger.arrive(new, Fate.ACKNOWLEDGED)
    first.process.paused = False
    await world.answer(old, Fate.THROTTLED)
    await world.work(31)
    await world.answer(new, Fate.ACKNOWLEDGED)


async def crash_after_a_submit(world: World) -> None:
    """A worker dies before it can record that the batch runs."""
    await world.ask(TWO_PHONES)
    first = world.start(sole=False)
    world.ledger.arrive(await _sent(world), Fate.ACKNOWLEDGED)
    await world.kill(first)
    world.start(sole=False)
    for _ in range(5):
        await world.work(61)


async def paused_before_the_mark(world: World) -> None:
    """A worker sleeps with everything ready to send, and another one releases the batch and sends it."""
    await world.ask(TWO_PHONES)
    first = world.start(sole=False)
    await first.begin_round()
    while not _intents(world):
        await first.process.release(first.process.ready[0])
    while reads := first.process.stopped_at("read"):
        await first.process.release(reads[0])
    (_mark,) = first.process.stopped_at("write")
    first.process.paused = True
    world.start(sole=False)
    await world.work(121)
    world.ledger.arrive(await _sent(world), Fate.ACKNOWLEDGED)
    first.process.paused = False
    await world.work(0)
    (call,) = world.ledger.calls
    await world.answer(call, Fate.ACKNOWLEDGED)
    assert world.did["intent ended unsent"] == 1
    assert not await world.people.questions()


async def lost_answer(world: World) -> None:
    """The batch runs, and the connection breaks before the answer comes."""
    await world.ask(TWO_PHONES)
    world.start(sole=False)
    await world.answer(await _sent(world), Fate.ANSWER_LOST)
    for _ in range(5):
        await world.work(31)


async def two_batches_in_doubt(world: World) -> None:
    """Of two batches of one size and region, only the second was accepted."""
    await world.ask(TWO_BATCHES)
    world.start(sole=False)
    await world.work(0)
    lost, accepted = list(world.ledger.calls)
    await world.answer(lost, Fate.LOST)
    await world.answer(accepted, Fate.ANSWER_LOST)
    for _ in range(4):
        await world.work(91)


async def sign_in_of_two_phones(world: World) -> None:
    """Nothing goes wrong."""
    await world.ask(TWO_PHONES)
    world.start(sole=False)
    await world.answer(await _sent(world), Fate.ACKNOWLEDGED)
    (remote,) = world.ledger.accepted
    remote.results |= dict.fromkeys((phone.key for phone in remote.phones), "")
    await world.work(31)
    await world.check_chat()


async def list_behind_the_submit(world: World) -> None:
    """The answer is lost, and the list does not show the batch yet."""
    await world.ask(TWO_PHONES)
    world.start(sole=False)
    world.ledger.lag_seconds = 60
    await world.answer(await _sent(world), Fate.ANSWER_LOST)
    for _ in range(4):
        await world.work(6)
    await world.work(91)
    assert not await world.people.questions()


async def _sent(world: World) -> Call:
    """The submit that the workers send next."""
    before = list(world.ledger.calls)
    await world.work(0)
    (call,) = [call for call in world.ledger.calls if call not in before]
    return call


def _intents(world: World) -> list[BatchImage]:
    images = world.observer.committed.batches.values()
    return [image for image in images if image.state is BatchState.INTENT]
