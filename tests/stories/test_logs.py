"""Logs among whole nodes: a week away, partitions, a late witness, an old disk, and who forks or rolls back on purpose.

In each, what honest people hold ends equal, who lies is named with a proof, and nobody else is.
"""

import pytest
import trio

from lab import world
from lab.world import Person, World
from node import speech
from protocol import evidence, grant, log, spine
from protocol.log import Head
from protocol.publishing import Trouble
from store import entries, people
from store.database import Tx
from tests.stories import log_kit
from tests.stories.log_kit import AWAY_S, NIGHT_S, all_hold, circle, notes, proofs, row, seen_by

READERS = ("bo", "cy", "dee", "eli")
LONG = 4_000


async def five(w: World) -> list[Person]:
    """Ana with a log that four others read, all of them contacts of each other; bo is its anchor."""
    everybody = await circle(w, "ana", *READERS)
    await everybody[0].call("logs.begin", name="trip", readers=[*READERS], anchor="bo")
    return everybody


async def write(author: Person, *texts: str, log: str = "trip") -> None:
    for text in texts:
        await author.call("logs.write", log=log, text=text)


def held_by(author: Person, readers: list[Person], name: str = "trip") -> list[tuple[Person, str]]:
    return [(author, name), *((one, f"{author.name}/{name}") for one in readers)]


async def nobody_is_accused(*everybody: Person) -> None:
    for one in everybody:
        found = await proofs(one)
        assert found["proofs"] == []
        assert found["doubts"] == []
        for contact in await one.call("contacts.list"):
            assert contact["alarm"] != "forked"


@pytest.mark.depth
@pytest.mark.parametrize("seed", [51, 52])
def test_a_week_away_two_partitions_and_a_late_witness_leave_all_equal(seed: int) -> None:
    async def story(w: World) -> None:
        ana, bo, cy, dee, eli = await five(w)
        await write(ana, "one", "two", "three")
        await w.until(all_hold(held_by(ana, [bo, cy, dee, eli]), 3))

        await eli.stop()  # he will see the next spine late
        w.network.partition(["ana", "bo"], ["cy", "dee"])
        await write(ana, "four", "five")
        await w.until(all_hold(held_by(ana, [bo]), 5))
        spine_seq = (await row(ana, "spine"))["entries"]
        await trio.sleep(120)  # the spine is written, and bo has seen it
        assert (await row(ana, "spine"))["entries"] == spine_seq + 1
        assert await seen_by(ana, "spine", spine_seq) == ("Bo",)
        assert len(await notes(cy, "ana/trip")) == 3

        await ana.stop()
        w.network.heal_all()
        w.network.partition(["bo", "cy"], ["dee"])
        await w.until(all_hold([(bo, "ana/trip"), (cy, "ana/trip")], 5))  # a mutual contact carries it
        assert len(await notes(dee, "ana/trip")) == 3
        await trio.sleep(AWAY_S)
        w.network.heal_all()
        await eli.start()
        await w.until(all_hold([(one, "ana/trip") for one in (bo, cy, dee, eli)], 5))
        assert await notes(eli, "ana/trip") == ["one", "two", "three", "four", "five"]

        await ana.start()

        async def all_have_seen() -> bool:
            """all four have cosigned the spine"""
            return {*await seen_by(ana, "spine", spine_seq)} == {"Bo", "Cy", "Dee", "Eli"}

        await w.until(all_have_seen)
        await write(ana, "six")
        await w.until(all_hold(held_by(ana, [bo, cy, dee, eli]), 6))
        await nobody_is_accused(ana, bo, cy, dee, eli)

    world.run(story, seed)


@pytest.mark.depth
def test_an_old_disk_publishes_nothing_before_its_anchor_was_asked_and_takes_its_own_back() -> None:
    async def story(w: World) -> None:
        ana, bo, cy, dee, eli = await five(w)
        await write(ana, "one", "two")
        await w.until(all_hold(held_by(ana, [bo, cy, dee, eli]), 2))
        await ana.stop()
        log_kit.keep_disk(ana, "yesterday")
        await ana.start()
        await write(ana, "three", "four")
        await w.until(all_hold(held_by(ana, [bo, cy, dee, eli]), 4))

        await ana.kill()
        log_kit.put_disk_back(ana, "yesterday")
        await bo.stop()
        await ana.start()
        await write(ana, "after the restore", "and another")
        assert (await row(ana, "trip"))["waits_for"] == "Bo"

        async def back() -> bool:
            """ana has what cy holds"""
            return "four" in await notes(ana, "trip")

        await w.until(back)  # any contact gives back what it has
        await trio.sleep(NIGHT_S)
        for one in (cy, dee, eli):
            assert await notes(one, "ana/trip") == ["one", "two", "three", "four"]
        await bo.start()
        await w.until(all_hold(held_by(ana, [bo, cy, dee, eli]), 6))
        assert await notes(dee, "ana/trip") == ["one", "two", "three", "four", "after the restore", "and another"]
        await nobody_is_accused(ana, bo, cy, dee, eli)

    world.run(story, 53)


def test_an_old_disk_is_told_so_when_its_anchor_holds_more() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        await ana.call("logs.begin", name="trip", readers=["bo", "cy"], anchor="bo")
        await write(ana, "one")
        await w.until(all_hold(held_by(ana, [bo, cy]), 1))
        await ana.stop()
        log_kit.keep_disk(ana, "yesterday")
        await ana.start()
        await write(ana, "two", "three")
        await w.until(all_hold(held_by(ana, [bo, cy]), 3))
        await ana.kill()
        log_kit.put_disk_back(ana, "yesterday")
        w.network.cut("ana", "bo")
        w.network.cut("ana", "cy")
        await ana.start()
        await write(ana, "four")
        w.network.heal("ana", "bo")

        async def told() -> bool:
            """ana is told that her disk is old"""
            return any(one["says"] == Trouble.OLD_COPY.value for one in (await proofs(ana))["troubles"])

        await w.until(told)
        w.network.heal_all()
        await w.until(all_hold(held_by(ana, [bo, cy]), 4))
        assert await notes(cy, "ana/trip") == ["one", "two", "three", "four"]
        await nobody_is_accused(ana, bo, cy)

    world.run(story, 54)


def test_who_signs_two_histories_is_named_with_the_proof_to_all_who_share_the_log() -> None:
    async def story(w: World) -> None:
        mal, bo, cy, dee = await circle(w, "mal", "bo", "cy", "dee")
        await mal.call("logs.begin", name="trip", readers=["bo", "cy", "dee"], anchor="bo")
        await write(mal, "one")
        await w.until(all_hold(held_by(mal, [bo, cy, dee]), 1))
        w.network.partition(["mal", "bo"], ["cy"], ["dee"])
        await write(mal, "I owe bo 100")
        await w.until(all_hold(held_by(mal, [bo]), 2))

        def lie(tx: Tx) -> None:
            log_kit.cut_own_log(tx, log_kit.own(tx, "trip"), 1, "cy")

        assert mal.node is not None
        await mal.node.core.database.transact(lie)
        await mal.stop()
        w.network.heal_all()
        w.network.partition(["mal", "cy"], ["bo"], ["dee"])
        await mal.start()
        await write(mal, "I owe bo nothing")
        await w.until(all_hold(held_by(mal, [cy]), 2))
        await mal.stop()

        w.network.heal_all()  # two who were told different things meet, and dee, who was told neither

        async def all_know() -> bool:
            """all three have the proof"""
            for one in (bo, cy, dee):
                if [found["kind"] for found in (await proofs(one))["proofs"]] != ["fork"]:
                    return False
            return True

        await w.until(all_know)
        for one in (bo, cy, dee):
            (found,) = (await proofs(one))["proofs"]
            name = next(contact["name"] for contact in await one.call("contacts.list") if contact["alarm"])
            accused, of = evidence.accused(evidence.decode(bytes.fromhex(found["proof"])))
            assert (accused.hex(), of.hex()) == (found["author"], found["log"])
            assert found["says"] == f"{name} has signed two entries that both claim to be number 1 of this log."
            alarms = {contact["name"]: contact["alarm"] for contact in await one.call("contacts.list")}
            assert alarms.pop(name) == "forked"
            assert "forked" not in alarms.values()
            assert (await row(one, "mal/trip"))["state"] == "frozen"
            assert (await notes(one, "mal/trip"))[0] == "one"  # what came before the fork stays readable

    world.run(story, 55)


def test_a_rollback_that_a_spine_shows_is_named_with_its_proof() -> None:
    async def story(w: World) -> None:
        mal, bo = await circle(w, "mal", "bo")
        await mal.call("logs.begin", name="debts", readers=["bo"])
        await write(mal, "I owe bo 100", log="debts")
        await w.until(all_hold(held_by(mal, [bo], "debts"), 1))

        def shown(tx: Tx) -> tuple[bytes, bytes]:
            """What mal's spine shows bo next: an earlier time of his log, in an entry that he has just signed."""
            assert mal.node is not None
            me, now_ms = mal.node.core.identity, w.now_ms()
            debts, own = log_kit.own(tx, "debts"), log_kit.own(tx, "spine")
            head = entries.head(tx, own.log.number)
            assert head is not None
            line = spine.Line(spine.leaf_key(debts.log.secret, debts.log.id), debts.log.id, Head(0, bytes(32)))
            content = spine.encode(spine.commit([line]))
            header = log_kit.sign(tx, me, own, content, head.seq + 1, head.id, now_ms)
            said = evidence.committed(header, content, line, spine.prove([line], debts.log.id))
            contact = people.find_contact(tx, "bo")
            speech.say(tx, contact.id, (grant.Committed(debts.log.id, said),), now_ms, mal.entropy("lies"))
            return debts.log.id, header.id

        async def committed() -> bool:
            """bo knows what the spine commits to"""
            assert bo.node is not None
            rows = await bo.node.core.database.transact(lambda tx: tx.all("SELECT seq FROM commitment"))
            return [*rows] == [(0,)]

        await w.until(committed)
        assert mal.node is not None
        of, _ = await mal.node.core.database.transact(shown)
        mal.node.core.delivery.stir(1)

        async def known() -> bool:
            """bo has a proof"""
            return bool((await proofs(bo))["proofs"])

        await w.until(known)
        (found,) = (await proofs(bo))["proofs"]
        proof = evidence.decode(bytes.fromhex(found["proof"]))
        assert evidence.accused(proof)[1] == of
        assert not isinstance(proof, log.Fork)
        assert found["says"].startswith("mal has")
        (contact,) = await bo.call("contacts.list")
        assert contact["alarm"] == "forked"

    world.run(story, 56)


def test_who_is_blocked_gets_nothing_more_and_the_others_read_on() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        await ana.call("logs.begin", name="trip", readers=["bo", "cy"], anchor="bo")
        await write(ana, "one")
        await w.until(all_hold(held_by(ana, [bo, cy]), 1))
        before = (await row(ana, "trip"))["id"]
        await ana.call("contacts.block", name="bo")
        await w.until(lambda: is_another(ana, before))
        await write(ana, "two")

        async def cy_reads() -> bool:
            """cy has what was written after"""
            return await notes(cy, "ana/trip") == ["two"]

        await w.until(cy_reads)
        await trio.sleep(NIGHT_S)
        assert await notes(bo, "ana/trip") == ["one"]
        first = (await cy.call("logs.show", log="ana/trip"))["entries"][0]
        assert first["acks"] == 1  # the successor names the entry that it goes on from
        await nobody_is_accused(ana, cy)

    world.run(story, 57)


def test_who_is_let_go_reads_no_more_and_the_others_read_on() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        await ana.call("logs.begin", name="trip", readers=["bo", "cy"], anchor="bo")
        await write(ana, "one")
        await w.until(all_hold(held_by(ana, [bo, cy]), 1))
        begun = await ana.call("logs.unshare", log="trip", name="bo")
        assert [name for name, _ in begun["readers"]] == ["Cy"]
        await write(ana, "two")

        async def cy_reads() -> bool:
            """cy has what was written after"""
            return await notes(cy, "ana/trip") == ["two"]

        await w.until(cy_reads)
        await trio.sleep(NIGHT_S)
        assert await notes(bo, "ana/trip") == ["one"]
        await nobody_is_accused(ana, bo, cy)

    world.run(story, 571)


async def is_another(person: Person, before: str) -> bool:
    """the log goes on in another"""
    return str((await row(person, "trip"))["id"]) != before


def test_the_successor_of_a_log_whose_anchor_never_comes_back_loses_nothing() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        await ana.call("logs.begin", name="trip", readers=["bo", "cy"], anchor="bo")
        await write(ana, "one")
        await w.until(all_hold(held_by(ana, [bo, cy]), 1))
        await bo.kill()
        await trio.sleep(NIGHT_S)
        await write(ana, "two", "three")
        await trio.sleep(NIGHT_S)
        assert await notes(cy, "ana/trip") == ["one"]
        begun = await ana.call("logs.reopen", log="trip")
        assert (begun["anchor"], begun["entries"]) == ("Cy", 2)

        async def cy_reads() -> bool:
            """cy has what waited"""
            return await notes(cy, "ana/trip") == ["two", "three"]

        await w.until(cy_reads)
        assert await notes(cy, (await row(cy, "ana/trip"))["previous"]) == ["one"]
        await nobody_is_accused(ana, cy)

    world.run(story, 58)


@pytest.mark.depth
def test_of_a_long_log_a_new_reader_has_the_newest_first_and_sees_how_far_it_is() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        await ana.call("logs.begin", name="years", readers=["bo"])
        for first in range(0, LONG, 500):
            await ana.call("logs.write_all", log="years", texts=[f"day {n}" for n in range(first, first + 500)])
        await w.until(all_hold(held_by(ana, [bo], "years"), LONG))
        w.network.delay = (0.5, 0.5)  # far away: each round trip takes a second
        await ana.call("logs.share", log="years", name="cy")
        seen: list[tuple[int, int]] = []

        async def the_newest_is_here() -> bool:
            """cy reads the newest note"""
            return f"day {LONG - 1}" in await notes(cy, "ana/years")

        await w.until(the_newest_is_here)
        assert (await row(cy, "ana/years"))["entries"] < LONG - 1000
        assert (await notes(cy, "ana/years"))[-3:] == [f"day {n}" for n in range(LONG - 3, LONG)]

        async def all_is_here() -> bool:
            """cy has all of it"""
            found = await row(cy, "ana/years")
            if found["progress"]:
                seen.append(tuple(found["progress"]))
            return bool(found["entries"] == LONG)

        await w.until(all_is_here)
        assert seen == sorted(seen)
        assert len({*seen}) > 1
        assert {total for _, total in seen} == {LONG}
        await w.until(all_hold(held_by(ana, [bo, cy], "years"), LONG))
        assert (await row(cy, "ana/years"))["progress"] is None

    world.run(story, 59)


def test_an_author_and_his_anchor_who_were_both_set_back_fork_are_told_and_go_on_in_another_log() -> None:
    """What the rule of one anchor does not prevent (spine 6.6): it is seen, said in plain words, and nothing stops."""

    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        await ana.call("logs.begin", name="trip", readers=["bo", "cy"], anchor="bo")
        await write(ana, "one")
        before = (await row(ana, "trip"))["id"]
        await w.until(all_hold(held_by(ana, [bo, cy]), 1))
        for person in (ana, bo):
            await person.stop()
            log_kit.keep_disk(person, f"yesterday of {person.name}")
            await person.start()
        await write(ana, "two", "three")
        await w.until(all_hold(held_by(ana, [bo, cy]), 3))
        await cy.stop()
        for person in (ana, bo):
            await person.kill()
            log_kit.put_disk_back(person, f"yesterday of {person.name}")
        for person in (ana, bo):
            await person.start()
        await write(ana, "two again", "three again")
        await w.until(all_hold(held_by(ana, [bo]), 3))
        await cy.start()

        async def told() -> bool:
            """ana is told that others hold something else"""
            return any(one["says"] == Trouble.FORKED.value for one in (await proofs(ana))["troubles"])

        await w.until(told)
        await w.until(lambda: is_another(ana, before))
        await write(ana, "after all this")

        async def read_on() -> bool:
            """both read what comes after"""
            return all(["after all this" in await notes(one, "ana/trip") for one in (bo, cy)])

        await w.until(read_on)
        for one in (bo, cy):
            assert [found["kind"] for found in (await proofs(one))["proofs"]] == ["fork"]

    world.run(story, 60)
