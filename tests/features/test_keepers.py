"""The room of keepers in a simulated world: offers, wishes, ends; what is refused; what a backup brings back.

What lies at a keeper is tests/node/keep's, what a sender sees tests/store/test_whereabouts.py's.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from crypto.faults import Malformed
from features.keepers import returning, view
from features.keepers.view import State, Word
from lab import world
from lab.world import Person, World, befriend
from protocol import keep_code, wire
from protocol.invite import Endpoint
from protocol.keep_code import Code
from store import keepers, people, settings
from store.database import Tx
from tests.features.keeping_side import GIB, FakeSide, give_side, room
from tests.features.kit import Faults

SHARE = GIB // 20
HOME = Code(b"p" * 32, b"f" * 32, b"h" * 32, (Endpoint(bytes((192, 0, 2, 7)), 4001),))


async def run(person: Person, f: Any, *args: Any) -> Any:
    """A transaction in somebody's database."""
    assert person.node is not None
    return await person.node.core.database.transact(f, *args)


async def listed(person: Person) -> dict[str, Any]:
    found: dict[str, Any] = await person.call("keepers.list")
    return found


async def states(person: Person) -> dict[str, str]:
    """Who keeps for somebody, and how that stands."""
    return {one["name"].lower(): one["state"] for one in (await listed(person))["keepers"]}


def stands(person: Person, **wanted: str) -> Callable[[], Awaitable[bool]]:
    """Whether somebody's keepers are these."""

    async def so() -> bool:
        return await states(person) == wanted

    return so


async def friends(w: World, *names: str) -> tuple[list[Person], list[FakeSide]]:
    """The first is a contact of all others; each has a keeper in his node."""
    first, *others = [await w.person(name) for name in names]
    for one in others:
        await befriend(first, one)
    return [first, *others], [give_side(one) for one in (first, *others)]


def test_who_is_offered_keeping_uses_it_by_himself() -> None:
    async def story(w: World) -> None:
        (ana, bo, chen), (side, _, _) = await friends(w, "ana", "bo", "chen")
        made = await ana.call("keepers.offer", contacts=["bo", "chen"])
        assert (made["space"], [one["name"] for one in made["owners"]]) == (GIB, ["Bo", "Chen"])
        assert {(one["state"], one["space"]) for one in made["owners"]} == {("said", SHARE)}
        assert sorted(side.permits.values()) == [(SHARE, view.TTL_S, 1), (SHARE, view.TTL_S, 2)]
        for one in (bo, chen):
            await w.until(stands(one, ana="used"))
            (found,) = (await listed(one))["keepers"]
            assert (found["own"], found["space"], found["ttl_s"], found["fault"]) == (False, SHARE, 30 * 86_400, "")
        (his,) = await run(bo, keepers.used)
        assert (his.permit, his.find, len(his.owner_seed)) == (b"\x01" * 32, b"f" * 32, 32)
        (hers,) = await run(chen, keepers.used)
        assert hers.owner_seed != his.owner_seed

        owners = (await listed(ana))["owners"]
        assert [(one["bytes"], one["items"], one["seen_ms"]) for one in owners] == [(1000, 1, 5), (2000, 2, 5)]

    world.run(story, 601)


def test_an_offer_with_another_space_changes_that_of_all() -> None:
    async def story(w: World) -> None:
        (ana, bo, chen), (side, _, _) = await friends(w, "ana", "bo", "chen")
        await ana.call("keepers.offer", contacts=["bo"])
        await w.until(stands(bo, ana="used"))
        (before,) = await run(bo, keepers.used)
        await ana.call("keepers.offer", contacts=["chen"], space=2 * GIB)
        await w.until(stands(chen, ana="used"))

        async def has_more() -> bool:
            (now,) = await run(bo, keepers.used)
            return bool(now.space == 2 * GIB // 20)

        await w.until(has_more)
        (after,) = await run(bo, keepers.used)
        assert (after.id, after.permit, after.owner_seed) == (before.id, before.permit, before.owner_seed)
        assert {one["space"] for one in (await listed(ana))["owners"]} == {2 * GIB // 20}
        assert side.total == 2 * GIB

    world.run(story, 602)


def test_who_wants_none_by_itself_is_only_shown_the_offer() -> None:
    async def story(w: World) -> None:
        (ana, bo), _ = await friends(w, "ana", "bo")
        await run(bo, settings.put, "keepers.take", "no")
        await ana.call("keepers.offer", contacts=["bo"])
        await w.until(stands(bo, ana="offered"))
        assert (await bo.call("keepers.use", who="ana")) == {"name": "ana", "own": False, "state": "used"}
        assert await states(bo) == {"ana": "used"}

    world.run(story, 603)


def test_switching_it_on_takes_what_was_offered_before() -> None:
    async def story(w: World) -> None:
        (ana, bo), _ = await friends(w, "ana", "bo")
        await run(bo, settings.put, "keepers.take", "no")
        await ana.call("keepers.offer", contacts=["bo"])
        await w.until(stands(bo, ana="offered"))
        await run(bo, settings.drop, "keepers.take")
        await w.until(stands(bo, ana="used"))

    world.run(story, 604)


def test_three_are_enough() -> None:
    async def story(w: World) -> None:
        (ana, *others), _ = await friends(w, "ana", "bo", "chen", "dee", "eve")
        for one in others[:3]:
            await one.call("keepers.offer", contacts=["ana"])
            await w.until(partial(is_used, ana, one.name))
        await others[3].call("keepers.offer", contacts=["ana"])
        await w.until(stands(ana, bo="used", chen="used", dee="used", eve="offered"))
        await ana.call("keepers.stop", who="chen")  # whose place is free, and the one who waited takes it
        await w.until(stands(ana, bo="used", chen="left", dee="used", eve="used"))
        (given,) = (await listed(others[1]))["owners"]

        async def is_left() -> bool:
            return bool((await listed(others[1]))["owners"][0]["state"] == "left")

        await w.until(is_left)
        assert given["name"] == "ana"

    world.run(story, 605)


async def is_used(person: Person, name: str) -> bool:
    return (await states(person)).get(name) == "used"


def test_who_asks_gets_what_he_asked_for_once_it_is_offered() -> None:
    async def story(w: World) -> None:
        (ana, bo), (side, _) = await friends(w, "ana", "bo")
        await run(bo, settings.put, "keepers.take", "no")
        assert (await bo.call("keepers.use", who="ana"))["state"] == "asked"
        (wish,) = (await listed(bo))["wishes"]
        assert (wish["name"], wish["mine"]) == ("ana", True)

        async def is_asked() -> bool:
            return [(one["name"], one["mine"]) for one in (await listed(ana))["wishes"]] == [("Bo", False)]

        await w.until(is_asked)
        assert await run(ana, view.asking) == ("Bo",)
        await ana.call("keepers.offer", contacts=["bo"])
        await w.until(stands(bo, ana="used"))
        assert (await listed(ana))["wishes"] == (await listed(bo))["wishes"] == []
        assert list(side.permits) == [1]

    world.run(story, 606)


def test_who_left_has_nothing_there_and_is_taken_again_when_he_asks() -> None:
    async def story(w: World) -> None:
        (ana, bo), (side, _) = await friends(w, "ana", "bo")
        await ana.call("keepers.offer", contacts=["bo"])
        await w.until(stands(bo, ana="used"))
        assert await bo.call("keepers.stop", who="ana") == {"name": "ana", "own": False}
        assert await states(bo) == {"ana": "left"}

        async def is_revoked() -> bool:
            return bool(side.revoked) and await offer_state(ana) is State.FREE

        await w.until(is_revoked)
        assert (side.revoked, side.permits) == ([1], {})
        assert [one["state"] for one in (await listed(ana))["owners"]] == ["left"]

        await ana.call("keepers.offer", contacts=["bo"])  # again by herself: but the person did not want her

        async def is_offered() -> bool:
            (one,) = await run(bo, keepers.known)
            return bool(one.permit == b"\x02" * 32)

        await w.until(is_offered)
        assert await states(bo) == {"ana": "left"}
        assert (await bo.call("keepers.use", who="ana"))["state"] == "asked"  # who has an offer says it again
        await w.until(stands(bo, ana="used"))
        (one,) = await run(bo, keepers.used)
        assert one.permit == b"\x02" * 32

    world.run(story, 607)


async def offer_state(person: Person) -> State:
    one = await run(person, view.given, 1)
    assert one is not None
    state: State = one.state
    return state


def test_who_asks_after_he_left_gets_a_new_permit() -> None:
    async def story(w: World) -> None:
        (ana, bo), (side, _) = await friends(w, "ana", "bo")
        await ana.call("keepers.offer", contacts=["bo"])
        await w.until(stands(bo, ana="used"))
        await bo.call("keepers.stop", who="ana")

        async def is_revoked() -> bool:
            return bool(side.revoked)

        await w.until(is_revoked)
        await bo.call("keepers.use", who="ana")
        await w.until(stands(bo, ana="used"))
        (one,) = await run(bo, keepers.used)
        assert (one.permit, await offer_state(ana)) == (b"\x02" * 32, State.SAID)

    world.run(story, 608)


def test_who_keeps_no_more_tells_it_and_takes_the_permit_back() -> None:
    async def story(w: World) -> None:
        (ana, bo), (side, _) = await friends(w, "ana", "bo")
        await ana.call("keepers.offer", contacts=["bo"])
        await w.until(stands(bo, ana="used"))
        assert await ana.call("keepers.stop_for", name="bo") == {"name": "Bo"}
        assert (side.permits, side.revoked, (await listed(ana))["owners"]) == ({}, [1], [])
        await w.until(stands(bo))
        await ana.call("keepers.offer", contacts=["bo"])
        await w.until(stands(bo, ana="used"))

    world.run(story, 609)


def test_who_is_blocked_keeps_nothing_and_nothing_is_kept_for_him() -> None:
    async def story(w: World) -> None:
        (ana, bo), (side, other) = await friends(w, "ana", "bo")
        await ana.call("keepers.offer", contacts=["bo"])
        await bo.call("keepers.offer", contacts=["ana"])
        await w.until(stands(bo, ana="used"))
        await w.until(stands(ana, bo="used"))
        await ana.call("contacts.block", name="bo")

        async def is_over() -> bool:
            return side.permits == {} and await states(ana) == {"bo": "left"}

        await w.until(is_over)
        assert other.permits != {}  # he is told nothing
        assert await states(bo) == {"ana": "used"}

    world.run(story, 610)


def test_without_a_keeper_in_the_node_an_offer_waits_for_one() -> None:
    async def story(w: World) -> None:
        (ana, bo), _ = await friends(w, "ana", "bo")
        room(ana).side = None
        made = await ana.call("keepers.offer", contacts=["bo"])
        assert [one["state"] for one in made["owners"]] == ["wanted"]
        give_side(ana)
        await run(ana, lambda tx: tx.changed(people.CHANGED, 1))
        await w.until(stands(bo, ana="used"))

    world.run(story, 611)


def test_a_node_of_ones_own_is_added_by_its_code() -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana")
        code = f" {keep_code.text_of(HOME)}\n"
        assert await ana.call("keepers.use", who=code) == {"name": "home", "own": True, "state": "used"}
        (one,) = await run(ana, keepers.used)
        assert (one.name, one.permit, one.find, one.peer) == ("home", b"p" * 32, b"f" * 32, b"h" * 32)
        assert (one.addresses, one.ttl_s) == (("/ip4/192.0.2.7/tcp/4001",), 90 * 86_400)
        await ana.call("keepers.use", who=code, name="cellar")  # the same node under another name
        assert await states(ana) == {"cellar": "used"}
        assert await ana.call("keepers.stop", who="CELLAR") == {"name": "cellar", "own": True}
        assert await states(ana) == {"cellar": "left"}
        assert (await ana.call("keepers.use", who="cellar"))["state"] == "used"
        (again,) = await run(ana, keepers.used)
        assert again.owner_seed == one.owner_seed

    world.run(story, 612)


async def wrong_names(w: World, faults: Faults) -> None:
    for method, params in (
        ("keepers.offer", lambda who: {"contacts": [who]}),
        ("keepers.use", lambda who: {"who": who}),
        ("keepers.stop", lambda who: {"who": who}),
        ("keepers.stop_for", lambda who: {"name": who}),
    ):
        assert await faults.code(method, **params("nobody")) == "contact.unknown"
        assert await faults.code(method, **params("bo")) == "contact.ambiguous"
    assert await faults.code("keepers.offer", contacts=[]) == "keeper.nobody"
    for space in (0, -1, 19_999_999, 2**50 + 1):
        assert await faults.code("keepers.offer", contacts=["bo1"], space=space) == "keeper.space"
    assert await faults.code("keepers.stop", who="bo1") == "keeper.none"
    assert await faults.code("keepers.stop_for", name="bo1") == "keeper.not_kept"
    assert w.now_ms()


async def wrong_codes(faults: Faults) -> None:
    text = keep_code.text_of(HOME)
    for wrong in ("weft:k/", text[:-1], text + "A", text.replace("cH", "cI"), "weft:k/" + "A" * 5000):
        assert await faults.code("keepers.use", who=wrong) == "keeper.code"
    for name in ("", "  ", "x" * 65, "a\nb", "\ud800"):
        assert await faults.code("keepers.use", who=text, name=name) == "keeper.name"
    assert await faults.code("keepers.use", who=text, name="Bo1") == "keeper.name_taken"
    for number in range(3):
        one = keep_code.text_of(Code(b"p" * 32, b"f" * 32, bytes((number,)) * 32, ()))
        await faults.person.call("keepers.use", who=one, name=f"home {number}")
    assert await faults.code("keepers.use", who=text, name="HOME 1") == "keeper.name_taken"
    assert await faults.code("keepers.use", who=text) == "keeper.too_many"
    assert await faults.code("keepers.use", who="bo1") == "keeper.too_many"


def test_every_fault_that_the_room_promises_is_met() -> None:
    async def story(w: World) -> None:
        (ana, _, _, _), _ = await friends(w, "ana", "bo1", "bo2", "dee")
        faults = Faults(ana)
        await wrong_names(w, faults)
        await wrong_codes(faults)
        assert await run(ana, lambda tx: len(keepers.known(tx))) == 3  # of a call that was refused nothing is left
        dee: int = (await run(ana, people.find_contact, "dee")).id
        await run(ana, people.set_alarm, dee, people.STOPS)
        for method, params in (("keepers.offer", {"contacts": ["dee"]}), ("keepers.use", {"who": "dee"})):
            assert await faults.code(method, **params) == "contact.account_changed"
        await ana.call("contacts.block", name="dee")
        for method, params in (("keepers.offer", {"contacts": ["bo1", "dee"]}), ("keepers.use", {"who": "dee"})):
            assert await faults.code(method, **params) == "keeper.no_contact"
        assert (await listed(ana))["owners"] == []
        assert faults.missing("keepers") == set()

    world.run(story, 613)


def test_who_is_under_an_alarm_hears_an_offer_once_the_person_has_decided() -> None:
    async def story(w: World) -> None:
        (ana, bo), (side, _) = await friends(w, "ana", "bo")
        await run(ana, people.set_alarm, 1, people.STOPS)
        await run(ana, view.offer, 1, SHARE, w.now_ms())
        await room(ana).settle()
        assert side.permits == {}
        await ana.call("contacts.trust", name="bo")
        await w.until(stands(bo, ana="used"))

    world.run(story, 614)


# --- backups


def test_a_backup_brings_back_what_was_agreed_and_where_mail_is_left() -> None:
    async def story(w: World) -> None:
        (ana, bo), _ = await friends(w, "ana", "bo")
        await ana.call("keepers.offer", contacts=["bo"])
        await bo.call("keepers.offer", contacts=["ana"])
        await w.until(stands(bo, ana="used"))
        await w.until(stands(ana, bo="used"))
        await ana.call("keepers.use", who=keep_code.text_of(HOME))
        kept = await run(ana, returning.keep, 1)
        found = returning.check(kept)
        (agreed,) = found.theirs
        assert (agreed.permit, agreed.space, agreed.stands) == (b"\x01" * 32, SHARE, 1)
        assert ([space for space, _ in found.ours], [one.name for one in found.nodes]) == ([SHARE], ["home"])

        def forget(tx: Tx) -> None:
            for one in keepers.known(tx):
                keepers.forget(tx, one.id)
            tx.execute("DELETE FROM keeper_offer")

        before = {one.permit: one.owner_seed for one in await run(ana, keepers.used)}
        await run(ana, forget)
        assert ana.node is not None
        await run(ana, returning.put_back, 1, kept)
        await run(ana, returning.restored, ana.node.core.identity, w.now_ms(), ana.entropy("restored"))
        after = {one.permit: one.owner_seed for one in await run(ana, keepers.used)}
        assert after.keys() == before.keys()
        assert all(after[permit] != before[permit] for permit in after)  # the lost device knows the old keys
        assert await run(ana, lambda tx: tx.all("SELECT * FROM keeper_back")) == []
        await room(ana).settle()
        again = await run(ana, view.given, 1)
        assert (again.state, again.version > found.ours[0][1]) == (State.SAID, True)

    world.run(story, 615)


def test_who_was_stopped_is_not_used_after_a_restore() -> None:
    async def story(w: World) -> None:
        (ana, bo), _ = await friends(w, "ana", "bo")
        await bo.call("keepers.offer", contacts=["ana"])
        await w.until(stands(ana, bo="used"))
        await ana.call("keepers.stop", who="bo")
        kept = await run(ana, returning.keep, 1)
        (one,) = await run(ana, keepers.known)
        await run(ana, keepers.forget, one.id)
        await run(ana, view.unnote, 1, Word.STOPPED)
        assert ana.node is not None
        await run(ana, returning.put_back, 1, kept)
        await run(ana, returning.restored, ana.node.core.identity, w.now_ms(), ana.entropy("restored"))
        await room(ana).settle()
        assert await states(ana) == {"bo": "offered"}

    world.run(story, 616)


GOOD: tuple[Any, ...] = (
    ((b"p" * 32, b"f" * 32, 1, 1, 1, 1),),
    ((1, 1),),
    (("home", b"p" * 32, b"f" * 32, b"h" * 32, ("/ip4/192.0.2.7/tcp/4001",)),),
    (),
)
BAD = {
    "one part less": GOOD[:3],
    "two agreements": (GOOD[0] * 2, *GOOD[1:]),
    "a short permit": (((b"p" * 31, *GOOD[0][0][1:]),), *GOOD[1:]),
    "an offer of nothing": (((*GOOD[0][0][:2], 0, 1, 1, 1),), *GOOD[1:]),
    "no such standing": (((*GOOD[0][0][:5], 3),), *GOOD[1:]),
    "a share below nothing": (GOOD[0], ((-1, 1),), *GOOD[2:]),
    "four nodes": (*GOOD[:2], GOOD[2] * 4, ()),
    "a node without a name": (*GOOD[:2], (("", *GOOD[2][0][1:]),), ()),
    "an address that is none": (*GOOD[:2], ((*GOOD[2][0][:4], (7,)),), ()),
    "a box without lines": (*GOOD[:3], ((b"d" * 32, 1, ()),)),
    "a line that is none": (*GOOD[:3], ((b"d" * 32, 1, (b"line",)),)),
}


def test_a_note_of_a_backup_is_read_strictly() -> None:
    assert returning.check(wire.encode(GOOD)).ours == ((1, 1),)
    for why, bad in BAD.items():
        with pytest.raises(Malformed):
            print(why, returning.check(wire.encode(bad)))
