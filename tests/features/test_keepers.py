"""The room of keepers in a simulated world: offers, wishes, ends, who is told, and what is refused.

Backups are in test_keepers_back.py, what lies at a keeper in tests/node/keep.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import trio

from features.keepers import view
from features.keepers.service import Keepers
from features.keepers.view import State
from lab import world
from lab.world import Person, World, befriend, texts
from protocol import keep_code
from protocol.invite import Endpoint
from protocol.keep_code import Code
from store import keepers, people, settings, whereabouts
from store.permits import Use
from tests.features.kit import Faults

GIB = 1 << 30
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


async def friends(w: World, *names: str) -> list[Person]:
    """The first is a contact of all others."""
    first, *others = [await w.person(name) for name in names]
    for one in others:
        await befriend(first, one)
    return [first, *others]


def room(person: Person) -> Keepers:
    """The room of a person's node."""
    assert person.node is not None
    found: Any = person.node.core.services["keepers"]
    assert isinstance(found, Keepers)
    return found


async def permits(person: Person) -> tuple[Use, ...]:
    """Who has a permit at somebody's node."""
    assert person.node is not None
    return await person.node.core.keeping.usage()


def keeps_for(person: Person, *contacts: int) -> Callable[[], Awaitable[bool]]:
    """Whether these contacts have a permit at somebody's node."""

    async def so() -> bool:
        return [one.contact for one in await permits(person)] == [*contacts]

    return so


def test_who_is_offered_keeping_uses_it_by_himself() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await friends(w, "ana", "bo", "chen")
        made = await ana.call("keepers.offer", contacts=["bo", "chen"])
        assert (made["space"], [one["name"] for one in made["owners"]]) == (GIB, ["Bo", "Chen"])
        assert {(one["state"], one["space"]) for one in made["owners"]} == {("said", SHARE)}
        assert [(one.contact, one.space) for one in await permits(ana)] == [(1, SHARE), (2, SHARE)]
        for one in (bo, chen):
            await w.until(stands(one, ana="used"))
            (found,) = (await listed(one))["keepers"]
            assert (found["own"], found["space"], found["ttl_s"], found["fault"]) == (False, SHARE, 30 * 86_400, "")
        (his,) = await run(bo, keepers.used)
        (hers,) = await run(chen, keepers.used)
        assert hers.find == his.find != bytes(32)
        assert hers.permit != his.permit
        assert hers.owner_seed != his.owner_seed

        async def were_here() -> bool:
            return all(one["seen_ms"] for one in (await listed(ana))["owners"])

        await w.until(were_here)

    world.run(story, 601)


def test_an_offer_with_another_space_changes_that_of_all() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await friends(w, "ana", "bo", "chen")
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
        assert (await listed(ana))["space"] == 2 * GIB
        assert {one.space for one in await permits(ana)} == {2 * GIB // 20}

    world.run(story, 602)


def test_who_wants_none_by_itself_is_only_shown_the_offer() -> None:
    async def story(w: World) -> None:
        ana, bo = await friends(w, "ana", "bo")
        await run(bo, settings.put, "keepers.take", "no")
        await ana.call("keepers.offer", contacts=["bo"])
        await w.until(stands(bo, ana="offered"))
        assert (await bo.call("keepers.use", who="ana")) == {"name": "ana", "own": False, "state": "used"}
        assert await states(bo) == {"ana": "used"}

    world.run(story, 603)


def test_switching_it_on_takes_what_was_offered_before() -> None:
    async def story(w: World) -> None:
        ana, bo = await friends(w, "ana", "bo")
        await run(bo, settings.put, "keepers.take", "no")
        await ana.call("keepers.offer", contacts=["bo"])
        await w.until(stands(bo, ana="offered"))
        await run(bo, settings.drop, "keepers.take")
        await w.until(stands(bo, ana="used"))

    world.run(story, 604)


def test_three_are_enough() -> None:
    async def story(w: World) -> None:
        ana, *others = await friends(w, "ana", "bo", "chen", "dee", "eve")
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
        ana, bo = await friends(w, "ana", "bo")
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
        assert await keeps_for(ana, 1)()

    world.run(story, 606)


def test_who_left_has_nothing_there_and_is_taken_again_when_he_asks() -> None:
    async def story(w: World) -> None:
        ana, bo = await friends(w, "ana", "bo")
        await ana.call("keepers.offer", contacts=["bo"])
        await w.until(stands(bo, ana="used"))
        assert await bo.call("keepers.stop", who="ana") == {"name": "ana", "own": False}
        assert await states(bo) == {"ana": "left"}

        before = (await run(bo, keepers.known))[0].permit

        async def is_free() -> bool:
            return await offer_state(ana) is State.FREE

        await w.until(is_free)
        assert await keeps_for(ana)()
        assert [one["state"] for one in (await listed(ana))["owners"]] == ["left"]

        await ana.call("keepers.offer", contacts=["bo"])  # again by herself: but the person did not want her

        async def is_offered() -> bool:
            (one,) = await run(bo, keepers.known)
            return bool(one.permit != before)

        await w.until(is_offered)
        assert await states(bo) == {"ana": "left"}
        assert (await bo.call("keepers.use", who="ana"))["state"] == "asked"  # who has an offer says it again
        await w.until(stands(bo, ana="used"))
        assert await keeps_for(ana, 1)()

    world.run(story, 607)


async def offer_state(person: Person) -> State:
    one = await run(person, view.given, 1)
    assert one is not None
    state: State = one.state
    return state


def test_who_asks_after_he_left_gets_a_new_permit() -> None:
    async def story(w: World) -> None:
        ana, bo = await friends(w, "ana", "bo")
        await ana.call("keepers.offer", contacts=["bo"])
        await w.until(stands(bo, ana="used"))
        await bo.call("keepers.stop", who="ana")

        (before,) = await run(bo, keepers.known)
        await w.until(keeps_for(ana))
        await bo.call("keepers.use", who="ana")
        await w.until(stands(bo, ana="used"))
        (one,) = await run(bo, keepers.used)
        assert (one.permit != before.permit, await offer_state(ana)) == (True, State.SAID)

    world.run(story, 608)


def test_who_keeps_no_more_tells_it_and_takes_the_permit_back() -> None:
    async def story(w: World) -> None:
        ana, bo = await friends(w, "ana", "bo")
        await ana.call("keepers.offer", contacts=["bo"])
        await w.until(stands(bo, ana="used"))
        assert await ana.call("keepers.stop_for", name="bo") == {"name": "Bo"}
        assert (await permits(ana), (await listed(ana))["owners"]) == ((), [])
        await w.until(stands(bo))
        await ana.call("keepers.offer", contacts=["bo"])
        await w.until(stands(bo, ana="used"))

    world.run(story, 609)


def test_who_is_blocked_keeps_nothing_and_nothing_is_kept_for_him() -> None:
    async def story(w: World) -> None:
        ana, bo = await friends(w, "ana", "bo")
        await ana.call("keepers.offer", contacts=["bo"])
        await bo.call("keepers.offer", contacts=["ana"])
        await w.until(stands(bo, ana="used"))
        await w.until(stands(ana, bo="used"))
        await ana.call("contacts.block", name="bo")

        async def is_over() -> bool:
            return not await permits(ana) and await states(ana) == {"bo": "left"}

        await w.until(is_over)
        assert await keeps_for(bo, 1)()  # he is told nothing
        assert await states(bo) == {"ana": "used"}

    world.run(story, 610)


def test_a_node_of_ones_own_is_added_by_its_code() -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana")
        code = f" {keep_code.text_of(HOME)}\n"
        assert await ana.call("keepers.use", who=code) == {"name": "home", "own": True, "state": "used"}
        (one,) = await run(ana, keepers.used)
        assert (one.name, one.permit, one.find, one.peer) == ("home", b"p" * 32, b"f" * 32, b"h" * 32)
        assert (one.addresses, one.ttl_s) == (("/ip4/192.0.2.7/tcp/4001",), 90 * 86_400)
        await ana.call("keepers.use", who=code, name="cellar")  # the same node under another name
        assert (await ana.call("keepers.use", who=code))["name"] == "cellar"  # which it keeps
        assert await states(ana) == {"cellar": "used"}
        assert await ana.call("keepers.stop", who="CELLAR") == {"name": "cellar", "own": True}
        assert await states(ana) == {"cellar": "left"}
        assert (await ana.call("keepers.use", who="cellar"))["state"] == "used"
        (again,) = await run(ana, keepers.used)
        assert again.owner_seed == one.owner_seed
        for left in ({"cellar": "left"}, {}):  # nobody is there to be told; once more, and it is forgotten
            await ana.call("keepers.stop", who="cellar")
            assert await states(ana) == left

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
    assert await faults.code("keepers.stop", who="bo1") == "keeper.unknown"
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
        ana, _, _, _ = await friends(w, "ana", "bo1", "bo2", "dee")
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
        await run(ana, lambda tx: keepers.offered(tx, 1, bytes(32), bytes(32), SHARE, 86_400, 1, w.now_ms()))
        assert await faults.code("keepers.use", who="bo1") == "keeper.brief"
        assert faults.missing("keepers") == set()

    world.run(story, 613)


def test_who_is_under_an_alarm_hears_an_offer_once_the_person_has_decided() -> None:
    async def story(w: World) -> None:
        ana, bo = await friends(w, "ana", "bo")
        await run(ana, people.set_alarm, 1, people.STOPS)
        await run(ana, view.offer, 1, SHARE, w.now_ms())
        await room(ana).settle()
        assert await permits(ana) == ()
        await ana.call("contacts.trust", name="bo")
        await w.until(stands(bo, ana="used"))

    world.run(story, 614)


async def kept_for_ana(w: World) -> list[Person]:
    """Bo keeps for Ana, and Chen knows it."""
    bo, ana, chen = await friends(w, "bo", "ana", "chen")
    await befriend(ana, chen)
    await bo.call("keepers.offer", contacts=["ana"])
    await w.until(partial(knows, chen, "ana", "bo"))
    (one,) = (await listed(ana))["keepers"]
    assert (one["state"], one["open"], one["wanted"]) == ("used", 1, 0)
    return [bo, ana, chen]


async def knows(sender: Person, owner: str, *keepers_: str) -> bool:
    """Whether these are where one can leave mail for another."""
    if sender.node is None:
        return False
    contact = await run(sender, people.find_contact, owner)
    return [name.lower() for name in (await run(sender, whereabouts.keepers_of, contact.id)).values()] == [*keepers_]


def test_who_stops_a_keeper_tells_those_who_leave_mail_there() -> None:
    async def story(w: World) -> None:
        bo, ana, chen = await kept_for_ana(w)
        await bo.call("keepers.offer", contacts=["chen"])  # so that he goes on to serve
        await w.until(stands(chen, bo="used"))
        await ana.call("keepers.stop", who="bo")
        assert await run(ana, lambda tx: tx.all("SELECT id FROM queue")) == []
        await w.until(partial(knows, chen, "ana"))
        await trio.sleep(3 * 3600)  # nobody goes on to attend to who was left
        await ana.call("keepers.use", who="bo")
        await w.until(partial(knows, chen, "ana", "bo"))

    world.run(story, 618)


def test_who_was_stopped_is_not_used_again_by_himself() -> None:
    async def story(w: World) -> None:
        bo, ana = await friends(w, "bo", "ana")
        await bo.call("keepers.offer", contacts=["ana"])
        await w.until(stands(ana, bo="used"))
        await ana.call("keepers.stop", who="bo")
        await bo.call("keepers.stop_for", name="ana")
        await w.until(stands(ana))
        await bo.call("keepers.offer", contacts=["ana"])
        await w.until(stands(ana, bo="offered"))
        await trio.sleep(60)
        assert await states(ana) == {"bo": "offered"}
        assert (await ana.call("keepers.use", who="bo"))["state"] == "used"

    world.run(story, 622)


def test_who_is_kept_for_no_more_tells_those_who_leave_mail_there() -> None:
    async def story(w: World) -> None:
        bo, _, chen = await kept_for_ana(w)
        await bo.call("keepers.stop_for", name="ana")
        await w.until(partial(knows, chen, "ana"))

    world.run(story, 619)


def test_who_is_kept_for_no_more_does_not_find_the_keeper_by_what_he_knows() -> None:
    async def story(w: World) -> None:
        bo, ana, chen = await friends(w, "bo", "ana", "chen")
        await bo.call("keepers.offer", contacts=["ana", "chen"])
        await w.until(stands(ana, bo="used"))
        await w.until(stands(chen, bo="used"))
        (before,) = await run(chen, keepers.used)

        async def has_another() -> bool:
            (now,) = await run(chen, keepers.used)
            return bool(now.find != before.find)

        assert not await has_another()
        await ana.call("keepers.stop", who="bo")
        await w.until(has_another)
        (now,) = await run(chen, keepers.used)
        assert (now.permit, now.owner_seed) == (before.permit, before.owner_seed)

    world.run(story, 623)


def test_who_blocks_his_keeper_tells_those_who_leave_mail_there() -> None:
    async def story(w: World) -> None:
        _, ana, chen = await kept_for_ana(w)
        await ana.call("contacts.block", name="bo")
        await w.until(partial(knows, chen, "ana"))

    world.run(story, 620)


def test_what_is_said_to_who_is_away_is_shown_as_kept_by_whom_and_until_when() -> None:
    async def story(w: World) -> None:
        _, ana, chen = await kept_for_ana(w)
        await ana.stop()
        await chen.call("chat.send", to="ana", text="hi")

        async def is_kept() -> bool:
            return all(one["state"] == "kept" for one in await chen.call("chat.history", to="ana"))

        await w.until(is_kept)
        (line,) = await chen.call("chat.history", to="ana")
        assert line["reason"] == "kept by bo until 21 Oct"
        assert (await chen.call("chat.message", id=line["id"]))["reason"] == line["reason"]
        later = await chen.call("chat.send", to="ana", text="and you")
        assert later["reason"].endswith("; it goes when either of you meets, or is left with bo")
        await w.until(is_kept)
        await chen.stop()
        await ana.start()

        async def came() -> bool:
            return await texts(ana, "chen") == ["hi", "and you"]

        await w.until(came)

    world.run(story, 617)
