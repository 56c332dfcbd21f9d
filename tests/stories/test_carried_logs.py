"""Logs of people who are never there together: a mutual contact keeps their mail, and it carries all that they sign."""

from functools import partial

import pytest
import trio

from features.logs import view
from lab import world
from lab.world import Person, World, befriend
from protocol import evidence
from protocol.content import Channel
from protocol.grant import Role
from store import logs, people, spaces, witnessing
from store.database import Tx
from tests.store.mail_kit import KINDS
from tests.stories import log_kit
from tests.stories.crowd_kit import HOUR_S, appoint, has_lines
from tests.stories.log_kit import notes, proofs, raws

pytestmark = pytest.mark.depth

STAY_S = 0.5 * HOUR_S


async def circle(one: World, *names: str) -> list[Person]:
    """People who are contacts of each other and of Chen, who keeps for all; then only he is there."""
    chen = await one.person("chen")
    found = [await one.person(name) for name in names]
    for at, person in enumerate(found):
        await befriend(chen, person)
        for other in found[:at]:
            await befriend(other, person)
    for person in found:
        await appoint(chen, person)
    for person in found:
        for other in found:
            if other is not person:
                await one.until(lambda person=person, other=other: has_lines(person, other, 1))  # type: ignore[misc]
    for person in found:
        await person.stop()
    return found


async def visit(person: Person) -> None:
    """Is there for a while, when no other is."""
    await person.start()
    await trio.sleep(STAY_S)
    await person.stop()


def test_notes_reach_an_anchor_and_a_reader_who_are_never_there_with_their_author() -> None:
    async def story(one: World) -> None:
        ana, bo, cy = await circle(one, "ana", "bo", "cy")
        await ana.start()
        await ana.call("logs.begin", name="trip", readers=["bo", "cy"], anchor="bo")
        await ana.call("logs.write_all", log="trip", texts=[f"note {n}" for n in range(40)])
        await trio.sleep(STAY_S)
        await ana.stop()
        for person in (bo, ana):
            await visit(person)
        await cy.start()
        await trio.sleep(STAY_S)
        assert await notes(cy, "ana/trip") == [f"note {n}" for n in range(40)]
        theirs = await raws(cy, "ana/trip")
        await cy.stop()
        await ana.start()  # the second time: nothing is asked anew, and what is written goes on from there
        await ana.call("logs.write", log="trip", text="later")
        await trio.sleep(STAY_S)
        await ana.stop()
        for person in (bo, ana):
            await visit(person)
        await cy.start()
        await trio.sleep(STAY_S)
        assert (await raws(cy, "ana/trip"))[:40] == theirs
        assert (await notes(cy, "ana/trip"))[40:] == ["later"]
        await cy.stop()
        for person in (ana, bo, cy):
            await person.start()
            await trio.sleep(STAY_S)
            found = await proofs(person)
            assert (found["proofs"], found["troubles"]) == ([], [])
            assert person.node is not None
            assert await person.node.core.database.transact(_passing) == 0  # what was carried lies there once
            await person.stop()

    world.run(story, seed=1)


def test_spines_are_cosigned_and_logs_committed_to_by_people_who_never_meet() -> None:
    async def story(one: World) -> None:
        ana, bo, cy = await circle(one, "ana", "bo", "cy")
        await ana.start()
        await ana.call("logs.begin", name="trip", readers=["cy"], anchor="cy")
        await ana.call("logs.write", log="trip", text="one")
        await ana.stop()
        for _ in range(6):
            for person in (ana, bo, cy):
                await visit(person)
                await trio.sleep(2 * HOUR_S)
        await ana.start()
        assert {*await log_kit.seen_by(ana, "spine", 0)} == {"chen", "Bo", "Cy"}
        await ana.stop()
        await cy.start()
        assert cy.node is not None
        told = await cy.node.core.database.transact(_committed, "ana/trip")
        assert told is not None
        assert told.seq == 0
        await cy.stop()

    world.run(story, seed=2)


def test_what_was_shown_on_a_stream_is_not_carried_and_what_comes_later_is() -> None:
    async def story(one: World) -> None:
        ana, bo = await circle(one, "ana", "bo")
        await ana.start()
        await bo.start()
        assert ana.node is not None
        his = (await ana.node.core.database.transact(people.find_contact, "bo")).id
        await one.until(partial(_is_here, ana, his))
        await ana.call("logs.begin", name="trip", readers=["bo"], anchor="bo")
        await ana.call("logs.write_all", log="trip", texts=["one", "two"])
        await one.until(partial(_has_notes, bo, "ana/trip", ["one", "two"]))
        await trio.sleep(60.0)  # until she knows that he has them
        await bo.stop()
        await trio.sleep(STAY_S)
        assert await ana.node.core.database.transact(_carried_by_us) == 0
        await ana.stop()
        await ana.start()  # what he has is known after a start too
        await ana.call("logs.write", log="trip", text="three")
        await trio.sleep(STAY_S)
        assert await ana.node.core.database.transact(_carried_by_us) == 1
        await ana.stop()
        await bo.start()
        await one.until(partial(_has_notes, bo, "ana/trip", ["one", "two", "three"]))

    world.run(story, seed=5)


async def _is_here(person: Person, contact_id: int) -> bool:
    return person.node is not None and person.node.core.delivery.talks.online(contact_id)


def _carried_by_us(tx: Tx) -> int:
    """How many entries of logs that are no spine were posted."""
    count = 0
    for (body,) in tx.all("SELECT body FROM message WHERE kind = 306 AND device = 0"):
        said = KINDS.hear(body, Channel.RATCHET).content
        log = logs.by_id(tx, said.log)
        assert log is not None
        count += len(said.entries) if spaces.space(tx, log.number).role is not Role.SPINE else 0
    return count


def test_two_half_logs_answer_each_other_once_a_visit() -> None:
    async def story(one: World) -> None:
        ana, bo = await circle(one, "ana", "bo")
        for person, other in ((ana, "bo"), (bo, "ana")):
            await person.start()
            await person.call("logs.begin", name="pair", readers=[other], anchor=other)
            await trio.sleep(STAY_S)
            await person.stop()
        for n in range(6):
            for person, other in ((ana, "bo"), (bo, "ana")):
                await person.start()
                before = n if person is ana else n + 1
                heard = partial(_has_notes, person, f"{other}/pair", [f"{other} {at}" for at in range(before)])
                await one.until(heard)
                await person.call("logs.write", log="pair", text=f"{person.name} {n}")
                await trio.sleep(60.0)
                await person.stop()
        await ana.start()
        await one.until(partial(_has_notes, ana, "bo/pair", [f"bo {n}" for n in range(6)]))
        assert (await log_kit.row(ana, "pair"))["published"] == 6
        found = await proofs(ana)
        assert not found["proofs"]
        assert not found["troubles"]

    world.run(story, seed=4)


def _passing(tx: Tx) -> int:
    """How many messages still have entries of logs in them."""
    sizes = [size for (size,) in tx.all("SELECT length(body) FROM message WHERE kind = 306")]
    assert sizes
    return sum(size > 0 for size in sizes)


def _committed(tx: Tx, log: str) -> evidence.Committed | None:
    """How far a spine has committed to somebody's log, as its reader was told."""
    return witnessing.commitment(tx, view.find(tx, log).log.number)


async def _has_notes(person: Person, log: str, wanted: list[str]) -> bool:
    return await notes(person, log) == wanted


def test_an_author_who_was_set_back_learns_by_mail_what_he_had_said() -> None:
    async def story(one: World) -> None:
        ana, bo, cy = await circle(one, "ana", "bo", "cy")
        await ana.start()
        await ana.call("logs.begin", name="trip", readers=["bo", "cy"], anchor="bo")
        await trio.sleep(STAY_S)
        await ana.stop()
        for person in (bo, ana):
            await visit(person)
        log_kit.keep_disk(ana, "old")
        await ana.start()
        await ana.call("logs.write", log="trip", text="said and forgotten")
        await trio.sleep(STAY_S)
        await ana.stop()
        await visit(bo)
        log_kit.put_disk_back(ana, "old")
        await ana.start()
        await ana.call("logs.write", log="trip", text="said anew")
        await trio.sleep(STAY_S)
        await ana.stop()
        for person in (bo, ana, bo, ana, cy, bo, ana, bo, ana):
            await visit(person)
            await trio.sleep(HOUR_S)
        held = []
        for person, log in ((ana, "trip"), (bo, "ana/trip"), (cy, "ana/trip")):
            await person.start()
            held.append((await notes(person, log), (await proofs(person))["proofs"]))
            await person.stop()
        assert held == [(["said and forgotten", "said anew"], [])] * 3

    world.run(story, seed=3)
