"""Keepers that answer what they like: nobody loops for them, and nobody's mail goes where it was not sent."""

from dataclasses import replace
from functools import partial

import trio

from lab import world
from lab.world import Person, World, befriend
from protocol import keep, keep_note
from protocol.keep import Status
from store import inboxes, keeper_words, keepers
from store.database import Tx
from store.inboxes import Mailbox
from tests.stories.crowd_kit import HOUR_S, states
from tests.stories.false_keepers import Say, always, false_keeper, told, used
from tests.stories.stranger_kit import core_of


def test_a_keeper_without_room_is_asked_a_few_times_an_hour() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        await bo.stop()
        async with false_keeper(w, always(Status.QUOTA)) as full:
            await told(ana, "bo", [full.line("bo")])
            for n in range(3):
                await ana.call("chat.send", to="bo", text=str(n))
            await trio.sleep(HOUR_S)
            assert 0 < len(full.puts()) < 60, len(full.puts())

    world.run(story, seed=1)


def test_a_keeper_that_keeps_for_no_time_is_not_put_to_without_end() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        await bo.stop()
        async with false_keeper(w, always(Status.OK, 0)) as keeper:
            await told(ana, "bo", [keeper.line("bo")])
            await ana.call("chat.send", to="bo", text="here?")
            await trio.sleep(24 * HOUR_S)
            assert 0 < len(keeper.puts()) < 40, len(keeper.puts())

    world.run(story, seed=2)


def test_nobody_keeps_anything_for_longer_than_the_law_says() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        await bo.stop()
        async with false_keeper(w, always(Status.OK, 2**32 - 1)) as keeper:
            await told(ana, "bo", [keeper.line("bo")])
            await ana.call("chat.send", to="bo", text="for ever?")

            async def kept() -> bool:
                return await states(ana, "bo") == ["kept"]

            await w.until(kept)
            sql = "SELECT MAX(until_ms) FROM parcel"
            assert ana.node is not None
            (until_ms,) = await ana.node.core.database.transact(lambda tx: tx.one(sql) or (0,))
            assert until_ms <= ana.now_ms() + keep.TTL_S_MAX * 1000

    world.run(story, seed=3)


def test_an_owner_is_not_kept_busy_by_a_keeper_that_never_waits() -> None:
    for more in (0, 1):

        def reply(asked: keep.Request, _: int, more: int = more) -> keep.Reply | Say:
            match asked:
                case keep.Fetch():
                    return keep.Items((), more)
                case keep.Usage():
                    return keep.Used(0, 0, 2**30, 6000)
                case _:
                    return Say(Status.OK)

        async def story(w: World, reply: object = reply) -> None:
            ana = await w.person("ana")
            async with false_keeper(w, reply) as keeper:  # type: ignore[arg-type]
                await used(ana, keeper)
                await trio.sleep(HOUR_S)
                assert 0 < len(keeper.fetches()) < 60, len(keeper.fetches())

        world.run(story, seed=4)


def test_what_is_left_for_one_owner_does_not_go_where_another_says_that_the_keeper_is() -> None:
    """Who knows the secret of a keeper's record, as all its senders do, gives it out as his own."""

    async def story(w: World) -> None:
        ana, bo, mallory = [await w.person(name) for name in ("ana", "bo", "mallory")]
        await befriend(ana, bo)
        await befriend(ana, mallory)
        await bo.stop()
        await mallory.stop()
        ok = always(Status.OK, keep.DAY_S)
        async with false_keeper(w, ok, "true") as true, false_keeper(w, ok, "false") as false:
            honest = true.line("bo")
            await told(ana, "mallory", [false.line("mallory", honest.find)])
            await ana.call("chat.send", to="mallory", text="hello")
            await w.until(lambda: _is_kept(w, "mallory"))
            await told(ana, "bo", [honest])
            await ana.call("chat.send", to="bo", text="for bo alone")
            await w.until(lambda: _is_kept(w, "bo"))
            assert {one.sender for one in false.puts()} == {false.line("mallory").sender}
            assert {one.sender for one in true.puts()} == {honest.sender}

    world.run(story, seed=5)


def test_nobody_answers_in_the_place_of_a_keeper_that_was_left_mail() -> None:
    """Who has the secret of a keeper's record can say that it is at his place, and has no key of another's door."""

    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        await bo.stop()
        ok = always(Status.OK, keep.DAY_S)
        async with (
            false_keeper(w, ok, "true") as true,
            false_keeper(w, ok, "false", is_known=False) as false,
        ):
            honest = true.line("bo")
            stolen = replace(honest, peer=bytes(false.host.peer), addresses=tuple(map(str, false.host.addresses())))
            await told(ana, "bo", [stolen])
            await ana.call("chat.send", to="bo", text="is it there?")
            await trio.sleep(3 * HOUR_S)
            assert await states(ana, "bo") == ["queued"]
            assert 0 < len(false.puts()) < 6
            # the keeper is where it was again: all numbers reach it, none was left out
            await told(ana, "bo", [honest], version=2)
            await w.until(lambda: _is_kept(w, "bo"))
            assert {one.sender for one in true.puts()} == {honest.sender}

    world.run(story, seed=6)


def test_what_was_kept_is_left_elsewhere_when_somebody_says_that_it_is_gone() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        await bo.stop()
        answers = {"first": Say(Status.OK, 9 * keep.DAY_S), "others": Say(Status.OK, 9 * keep.DAY_S)}
        async with (
            false_keeper(w, lambda *_: answers["first"], "first") as first,
            false_keeper(w, lambda *_: answers["others"], "second") as second,
            false_keeper(w, lambda *_: answers["others"], "third") as third,
        ):
            await told(ana, "bo", [one.line(f"bo {n}") for n, one in enumerate((first, second, third))])
            await ana.call("chat.send", to="bo", text="one")
            await w.until(lambda: _is_kept(w, "bo"))
            assert first.puts()
            assert not third.puts()
            answers["first"] = Say(Status.GONE)
            await ana.call("chat.send", to="bo", text="two")
            await w.until(lambda: _is_kept(w, "bo"))
            await trio.sleep(HOUR_S / 2)
            rows = await core_of(ana).database.transact(_copies)
            lines = {message: {line for one, line in rows if one == message} for message, _ in rows}
            assert len(lines) >= 2
            assert len(set(map(frozenset, lines.values()))) == 1, lines  # all at the two that know of them
            assert {one.envelope for one in third.puts()}

    world.run(story, seed=7)


def test_nobody_claims_the_place_of_a_keeper_of_ones_own() -> None:
    """He would be told the keys of all doors, and contacts that they are at his place."""

    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        async with false_keeper(w, always(Status.OK), is_known=False) as false:
            await used(ana, false)
            await trio.sleep(HOUR_S)
            assert false.streams > 0
            assert all(isinstance(one, keep.Claim) for one in false.heard)
            (shown,) = (await ana.call("keepers.list"))["keepers"]
            assert shown["fault"] == "somebody else answers in its place"
            assert await core_of(bo).database.transact(inboxes.contacts) == ()

    world.run(story, seed=8)


def test_two_accounts_that_use_one_code_do_not_take_the_keeper_from_each_other_without_end() -> None:
    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        enrolled: list[bytes] = []

        def reply(asked: keep.Request, _: int) -> keep.Reply | Say:
            match asked:
                case keep.Claim():
                    if asked.permit_id is not None:
                        enrolled.append(asked.owner)
                    return Say(Status.OK if asked.owner == enrolled[-1] else Status.REFUSED)
                case keep.Fetch():  # which does not wait, so that all claim again and again
                    return keep.Items((), 0)
                case keep.Usage():
                    return keep.Used(0, 0, 2**30, 6000)
                case _:
                    return Say(Status.OK)

        async def is_told(one: Person) -> bool:
            (row,) = (await one.call("keepers.list"))["keepers"]
            return str(row["fault"]).startswith("its code was used by somebody else")

        async with false_keeper(w, reply) as keeper:
            await used(ana, keeper)
            await w.until(lambda: _is(bool(enrolled)))
            await used(bo, keeper)
            await w.until(partial(is_told, ana))
            of_ana, of_bo = enrolled[0], enrolled[-1]
            await trio.sleep(6 * HOUR_S)
            assert set(enrolled[enrolled.index(of_bo) :]) == {of_bo}
            assert not await is_told(bo)
            began = trio.current_time()
            await ana.call("keepers.use", who="cellar")  # who wants it back has it at once
            await w.until(lambda: _is(enrolled[-1] == of_ana))
            assert trio.current_time() - began < 5.0
            await w.until(partial(is_told, bo))
            assert not await is_told(ana)

    world.run(story, seed=9)


def test_one_line_that_is_gone_does_not_keep_from_the_others_what_is_for_the_same_keeper() -> None:
    """A keeper ends a stream on which it has refused too often, before it has answered all that was put there."""

    async def story(w: World) -> None:
        ana, bo, chen = [await w.person(name) for name in ("ana", "bo", "chen")]
        for other in (bo, chen):
            await befriend(ana, other)
            await other.stop()
        await trio.sleep(HOUR_S)
        for n in range(20):
            await ana.call("chat.send", to="bo", text=str(n))

        def reply(asked: keep.Request, n: int) -> Say | None:
            is_gone = isinstance(asked, keep.Put) and asked.sender == b"bo".ljust(16)
            return None if n > keep.REFUSALS_MAX else Say(Status.GONE) if is_gone else Say(Status.OK, keep.DAY_S)

        async with false_keeper(w, reply) as keeper:
            await told(ana, "bo", [keeper.line("bo", b"f" * 32)])
            await w.until(lambda: _is(len(keeper.puts()) >= keep.REFUSALS_MAX))
            await told(ana, "chen", [keeper.line("chen", b"f" * 32)])
            await ana.call("chat.send", to="chen", text="here?")
            await w.until(lambda: _is_kept(w, "chen"))
            await trio.sleep(3 * HOUR_S)
            assert len(keeper.puts()) < 20

    world.run(story, seed=10)


def test_an_honest_keeper_is_not_said_to_have_lost_what_a_disk_that_was_put_back_has_forgotten() -> None:
    """Its owner closed queues, and has forgotten it; so it has fewer of them than he thinks."""

    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        there: set[bytes] = set()
        notes = [b""]

        def reply(asked: keep.Request, _: int) -> keep.Reply | Say:
            match asked:
                case keep.Open(queues):
                    there.update(queue.reader for queue in queues)
                case keep.Usage():
                    return keep.Used(0, 0, 2**30, len(there), notes[-1])
                case keep.Fetch():  # which does not wait, so that all is asked again and again
                    return keep.Items((), 0)
                case _:
                    pass
            return Say(Status.OK)

        async def is_anew(before: set[bytes]) -> bool:
            return bool(there - before)

        async with false_keeper(w, reply) as keeper:
            keeper_id = await used(ana, keeper)
            await w.until(lambda: _is(bool(there)))
            one = await core_of(ana).database.transact(keepers.keeper, keeper_id)
            await trio.sleep(HOUR_S)
            for note, said in ((keep_note.write(one.owner_seed, 1 << 20), ""), (b"", keeper_words.LOST)):
                notes.append(note)
                before = set(there)
                there.clear()
                await w.until(partial(is_anew, before), HOUR_S)
                (shown,) = (await ana.call("keepers.list"))["keepers"]
                assert shown["fault"] == said

    world.run(story, seed=11)


def test_nothing_is_fetched_from_a_keeper_that_does_not_say_what_it_has() -> None:
    """Whether its owner's disk was put back is known by what it says, and what it gave is judged by that."""

    async def story(w: World) -> None:
        ana = await w.person("ana")
        async with false_keeper(w, always(Status.FULL)) as keeper:
            keeper.reply = lambda asked, _: Say(Status.OK if isinstance(asked, keep.Claim) else Status.FULL)
            await used(ana, keeper)
            await trio.sleep(HOUR_S)
            assert any(isinstance(one, keep.Usage) for one in keeper.heard)
            assert not keeper.fetches()

    world.run(story, seed=12)


def test_an_answer_for_a_line_that_is_over_says_nothing_of_the_one_in_its_place() -> None:
    """Else its keeper would be said to have what nobody has put there."""

    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        await bo.stop()
        heard = trio.Event()

        def reply(asked: keep.Request, _: int) -> Say:
            if isinstance(asked, keep.Put) and asked.sender == new.sender:
                return Say(Status.QUOTA)
            heard.set()
            return Say(Status.OK, keep.DAY_S)

        async with false_keeper(w, reply) as keeper:
            old, new = keeper.line("bo"), keeper.line("bo again")
            await told(ana, "bo", [old])
            await ana.call("chat.send", to="bo", text="here?")
            await heard.wait()
            (before,) = await core_of(ana).database.transact(_boxes)
            await told(ana, "bo", [new], version=2)  # while the answer is on its way
            await trio.sleep(HOUR_S / 2)
            (after,) = await core_of(ana).database.transact(_boxes)
            assert (before.id, before.kept, before.line) == (after.id, 0, old)
            assert (after.kept, after.line) == (0, new)

    world.run(story, seed=13)


def _boxes(tx: Tx) -> list[Mailbox]:
    """All lines of contacts."""
    return [box for device in inboxes.devices(tx) for box in inboxes.of(tx, device)]


def test_a_keeper_that_says_again_and_again_that_it_has_lost_everything_keeps_nobody_busy() -> None:
    """Each time other queues are made, and all contacts told."""

    async def story(w: World) -> None:
        ana, bo = await w.person("ana"), await w.person("bo")
        await befriend(ana, bo)
        opened: list[keep.Open] = []

        def reply(asked: keep.Request, n: int) -> keep.Reply | Say:
            match asked:
                case keep.Open():
                    opened.append(asked)
                    return Say(Status.OK)
                case keep.Fetch(after):  # what is fetched and deleted has its owner ask how much is left
                    return keep.Items((keep.Item(after + 1, bytes(16), bytes(1024)),), 0)
                case keep.Usage():
                    return keep.Used(0, 0, 2**30, 0)
                case _:
                    return Say(Status.OK)

        async with false_keeper(w, reply) as keeper:
            keeper.pause_s = 5.0
            await used(ana, keeper)
            await trio.sleep(2 * HOUR_S)
            assert 1 < len(opened) < 25, len(opened)

    world.run(story, seed=16)


def _copies(tx: Tx) -> list[tuple[int, int]]:
    """(message, line) of what keepers have."""
    return tx.all("SELECT message, line FROM parcel WHERE until_ms > 0")


async def _is_kept(w: World, to: str) -> bool:
    return set(await states(w.people["ana"], to)) == {"kept"}


async def _is(fact: bool) -> bool:
    return fact
