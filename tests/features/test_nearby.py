"""The room nearby in a simulated world: every fault of its calls, blocking, reporting, and what is left afterwards."""

from dataclasses import replace
from typing import Any

import trio
from nacl.bindings import crypto_sign_seed_keypair

from features.nearby import content, view
from features.nearby.view import Greeting
from lab import world
from lab.world import Person, World, has_active
from node.network import PeerId
from protocol import nearby
from protocol.nearby import Verdict
from store import invitations
from store.database import Tx
from tests.features.kit import Faults, only
from tests.stories.strangers_nearby import stranger
from tests.stories.test_nearby import accept_the_only, cafe, greet, greeted, seen_by, sees, visible

WAITING = Greeting(0, False, b"p" * 32, b"b" * 32, b"", b"t" * 16, "", "hi", (), "", 1, content.State.WAITING)


async def all_visible(w: World, *names: str, **how: Any) -> list[Person]:
    """People in one place who see each other."""
    people = await cafe(w, *names)
    for person in people:
        await visible(person, **how)
    for person in people:
        for other in people:
            if other is not person:
                await w.until(lambda p=person, o=other: sees(p, o.name.title()), patience_s=5)  # type: ignore[misc]
    return people


def alike() -> tuple[int, int]:
    """Numbers of two strangers whose short ids begin with the same four letters."""
    known: dict[str, int] = {}
    number = 0
    while True:
        number += 1
        peer = crypto_sign_seed_keypair(number.to_bytes(4, "big") * 8)[0]
        begins = content.short(peer)[:4]
        if begins in known:
            return known[begins], number
        known[begins] = number


def test_every_fault_that_a_call_names_is_met() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await cafe(w, "ana", "bo", "chen")
        faults = Faults(ana)
        for verb in ("list", "greetings"):
            off = await faults.of(f"nearby.{verb}")
            assert (off.code, off.next) == ("nearby.off", "weft nearby on")
        assert await faults.code("nearby.greet", id="abcd", text="hi") == "nearby.off"
        for verb in ("accept", "block", "report"):
            assert await faults.code(f"nearby.{verb}", id="abcd") == "nearby.off"
        for far_s in (0, 59, -1, 4 * 3600 + 1, 10**12):
            assert await faults.code("nearby.on", for_s=far_s) == "limit"
        for name in ("x" * 65, "two\nlines", " ", "\x1b[31m"):
            assert await faults.code("nearby.on", name=name) == "limit"
        assert await faults.code("nearby.on", place="Berlin") == "nearby.place"
        assert (await ana.call("nearby.status"))["on"] is False
        for person in (ana, bo, chen):
            await visible(person)
        await w.until(lambda: sees(ana, "Bo"), patience_s=5)
        await met_while_visible(w, faults, bo, chen)
        await ana.kill()
        ana.port = 65_535
        await ana.start()
        assert await faults.code("nearby.on") == "nearby.listen"
        assert (await ana.call("nearby.status"))["on"] is False
        assert faults.missing("nearby") == set()

    world.run(story, 501)


async def met_while_visible(w: World, faults: Faults, bo: Person, chen: Person) -> None:
    """The faults of a person who is visible, sees two others, and greets them."""
    ana = faults.person
    for verb in ("accept", "block", "report"):
        assert (await faults.of(f"nearby.{verb}", id="zzzz")).exit == 5
    known = await seen_by(ana)
    one, other = known["Bo"]["id"], known["Chen"]["id"]
    assert await faults.code("nearby.accept", id=one) == "nearby.not_greeted"
    assert await faults.code("nearby.greet", id=one[:3], text="hi") == "nearby.unknown"
    for text in ("", "  ", "x" * 501):
        assert await faults.code("nearby.greet", id=one, text=text) == "limit"
    assert await faults.code("nearby.report", id=one, reason="x" * 501) == "limit"
    await chen.kill()
    assert await faults.code("nearby.greet", id=other, text="hi") == "nearby.gone"
    assert set(await seen_by(ana)) == {"Bo"}
    assert bo.node is not None
    full = [replace(WAITING, peer=bytes((n,)) * 32, ticket=bytes((n,)) * 16, place=str(n)) for n in range(64)]
    made = [await bo.node.core.database.transact(view.add, row) for row in full]
    assert (await faults.of("nearby.greet", id=one, text="hi")).exit == 7
    await bo.node.core.database.transact(view.drop, made[0])
    await ana.call("nearby.greet", id=one[:4], text="hi")
    assert await faults.code("nearby.greet", id=one, text="hi again") == "nearby.greeted"
    for number in alike():
        async with stranger(w, number=number) as somebody:
            assert await somebody.greet(ana) is Verdict.TAKEN
            begins = content.short(somebody.host.peer)[:4]
    for verb in ("accept", "block", "report"):
        assert await faults.code(f"nearby.{verb}", id=begins) == "nearby.ambiguous"
    assert ana.node is not None
    sightings = ana.node.core.services["nearby"].visibility.session.sightings
    for number in alike():
        peer = PeerId(crypto_sign_seed_keypair(number.to_bytes(4, "big") * 8)[0])
        sightings.forget(peer)
    assert await faults.code("nearby.greet", id=begins, text="hi") == "nearby.ambiguous"


def test_who_is_blocked_is_not_told_and_neither_seen_nor_heard() -> None:
    async def story(w: World) -> None:
        ana, bo = await all_visible(w, "ana", "bo")
        await greet(bo, "Ana", "you there")
        one = (await seen_by(ana))["Bo"]["id"]
        assert await ana.call("nearby.block", id=one) == {"id": one, "contact": ""}
        assert await greeted(ana) == []
        assert await seen_by(ana) == {}
        assert await seen_by(bo) == {}, "no card is shown to him"
        assert await Faults(ana).code("nearby.greet", id=one, text="hi") == "nearby.unknown"
        await trio.sleep(300)
        assert [row["state"] for row in await bo.call("nearby.greetings")] == ["waiting"]
        assert await seen_by(ana) == {}, "his packets are of nobody"
        await ana.kill()
        await ana.start()
        await trio.sleep(5)
        assert await seen_by(ana) == {}

    world.run(story, 502)


def test_blocking_holds_for_the_account_once_it_is_known() -> None:
    async def story(w: World) -> None:
        ana, bo = await all_visible(w, "ana", "bo")
        await greet(bo, "Ana")
        await accept_the_only(ana)
        await w.until(lambda: has_active(ana, "bo"), patience_s=60)
        one = (await greeted(ana))[0]["id"]
        assert (await ana.call("nearby.block", id=one))["contact"].lower() == "bo"
        assert (await only(ana))["state"] == "blocked"

    world.run(story, 503)


def test_the_greeter_can_block_whom_he_became_a_contact_of() -> None:
    async def story(w: World) -> None:
        ana, bo = await all_visible(w, "ana", "bo")
        await greet(bo, "Ana")
        await accept_the_only(ana)
        await w.until(lambda: has_active(bo, "ana"), patience_s=60)
        one = (await bo.call("nearby.greetings"))[0]["id"]
        assert (await bo.call("nearby.block", id=one))["contact"].lower() == "ana"
        assert (await only(bo))["state"] == "blocked"

    world.run(story, 504)


def test_who_is_blocked_after_the_acceptance_and_before_he_asked_becomes_no_contact() -> None:
    async def story(w: World) -> None:
        ana, bo = await all_visible(w, "ana", "bo")
        await greet(bo, "Ana")
        accepted = await accept_the_only(ana)
        await ana.call("nearby.block", id=accepted["id"])
        assert await living(ana) == ()
        await trio.sleep(200)
        assert await ana.call("contacts.list") == await bo.call("contacts.list") == []

    world.run(story, 505)


async def living(person: Person) -> tuple[invitations.Invitation, ...]:
    """The invitations of a person that can still be used."""
    assert person.node is not None
    core = person.node.core
    return await core.database.transact(invitations.open_invitations, core.ground.now_ms())


def test_an_acceptance_that_nobody_fetched_ends_with_nearby_mode() -> None:
    async def story(w: World) -> None:
        ana, bo = await all_visible(w, "ana", "bo")
        await greet(bo, "Ana")
        await bo.kill()
        await accept_the_only(ana)
        assert len(await living(ana)) == 1
        await ana.call("nearby.off")
        assert await living(ana) == ()

    world.run(story, 506)


def test_a_report_keeps_what_was_said_also_when_all_else_is_forgotten() -> None:
    async def story(w: World) -> None:
        ana, bo = await all_visible(w, "ana", "bo")
        await greet(bo, "Ana", "give me your money")
        key = w.network.machine("bo")[-1].peer.hex()
        told = await ana.call("nearby.report", id=(await greeted(ana))[0]["id"], reason="a threat")
        assert told["kept"] == 1
        assert await greeted(ana) == []
        for _ in range(2):
            (row,) = await ana.call("nearby.reports")
            assert (row["name"], row["text"], row["reason"]) == ("Bo", "give me your money", "a threat")
            assert row["key"] == key
            assert 0 < row["heard_ms"] <= row["reported_ms"] <= w.now_ms()
            await ana.call("nearby.off")
            await ana.kill()
            await ana.start()

    world.run(story, 507)


def test_who_said_nothing_can_be_reported_too_and_old_reports_go() -> None:
    async def story(w: World) -> None:
        ana, _ = await all_visible(w, "ana", "bo")
        await ana.call("nearby.report", id=(await seen_by(ana))["Bo"]["id"])
        assert ana.node is not None
        transact = ana.node.core.database.transact
        for number in range(content.REPORTS_MAX):
            await transact(view.report, view.Report(b"x" * 32, "", str(number), 1, "", 1))
        kept = await ana.call("nearby.reports")
        assert [row["text"] for row in kept] == [str(number) for number in range(content.REPORTS_MAX)]

    world.run(story, 508)


def test_nothing_is_left_but_reports_and_never_the_place() -> None:
    async def story(w: World) -> None:
        ana, bo = await cafe(w, "ana", "bo")
        await visible(ana, place="52.520008,13.404954")
        await visible(bo)
        await w.until(lambda: sees(bo, "Ana"), patience_s=5)
        await greet(bo, "Ana")

        def rows(tx: Tx) -> str:
            names = [name for (name,) in tx.all("SELECT name FROM sqlite_master WHERE name LIKE 'nearby%'")]
            return repr([tx.all(f"SELECT * FROM {name}") for name in names if "autoindex" not in name])

        assert ana.node is not None
        transact = ana.node.core.database.transact
        held = await transact(rows)
        assert "u33dc" in held
        assert "52.52" not in held
        assert "13.40" not in held
        await ana.call("nearby.off")
        assert await transact(rows) == "[[], [], [], [], []]"

    world.run(story, 509)


def test_the_node_says_in_its_status_how_long_it_is_visible() -> None:
    async def story(w: World) -> None:
        (ana,) = await cafe(w, "ana")
        assert ana.node is not None
        said = ana.node.core.services["nearby"].said
        assert said() == "off"
        await visible(ana, for_s=1800)
        assert said() == "on, 30 min left"
        await trio.sleep(1000)
        assert said() == "on, 14 min left"
        await visible(ana, for_s=120, place="1,1")
        assert said() == "on, 2 min left (this node uses no DHT)"
        await trio.sleep(121)
        assert said() == "off"

    world.run(story, 510)


def test_another_on_is_another_person_to_everybody() -> None:
    async def story(w: World) -> None:
        ana, bo = await all_visible(w, "ana", "bo")
        before = (await seen_by(bo))["Ana"]["id"]
        await greet(bo, "Ana")
        await visible(ana)
        assert await greeted(ana) == []
        await w.until(lambda: sees(bo, "Ana"), patience_s=5)
        assert (await seen_by(bo))["Ana"]["id"] != before
        assert nearby.slot(w.now_ms() // 1000) == nearby.slot(world.EPOCH_MS // 1000)

    world.run(story, 511)


def test_a_contact_who_is_met_again_is_said_to_be_one() -> None:
    async def story(w: World) -> None:
        ana, bo = await all_visible(w, "ana", "bo")
        await world.befriend(ana, bo)
        await greet(bo, "Ana")
        await accept_the_only(ana)

        async def told() -> bool:
            (row,) = await bo.call("nearby.greetings")
            return row["state"] == "failed" and "is a contact already" in row["reason"]

        await w.until(told, patience_s=60)

    world.run(story, 512)
