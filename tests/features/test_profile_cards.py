"""Introductions in a simulated world: what is sent, what is kept, what is refused, and that they lead to a request."""

from typing import Any

from features.profile import view
from features.profile.content import CARDS_MAX, ContactCard
from lab import world
from lab.world import Person, World, befriend
from protocol import ids
from store import people
from store.database import Tx
from tests.features.kit import Faults
from tests.features.test_profile import run
from tests.stories.test_backups import kept, lose_and_restore


async def circle(w: World) -> tuple[Person, Person, Person]:
    """ana knows bo and chen, who do not know each other."""
    ana, bo, chen = await w.person("ana"), await w.person("bo"), await w.person("chen")
    for one in (bo, chen):
        await befriend(one, ana)
    return ana, bo, chen


async def has_cards(person: Person, count: int = 1) -> bool:
    """cards have come"""
    return person.node is not None and len(await person.call("profile.cards")) == count


def test_a_card_is_all_that_it_takes_to_ask() -> None:
    async def story(w: World) -> None:
        w.share_lookup()
        ana, bo, chen = await circle(w)
        await ana.call("profile.remark", name="bo", text="secret remark")
        await ana.call("contacts.rename", name="bo", new="silly bo")
        sent = await ana.call("profile.introduce", name="silly bo", to="chen")
        assert (sent["contact"], sent["claims"]) == ("chen", "Bo")  # what he calls himself, not what she calls him
        await w.until(lambda: has_cards(chen))
        (card,) = await chen.call("profile.cards")
        assert (card["contact"], card["claims"], card["known"]) == ("Ana", "Bo", "")
        await chen.call("contacts.add", link=card["account"], name="bo", greeting="ana sent me")

        async def asked() -> bool:
            """the request is there"""
            return [one["greeting"] for one in await bo.call("contacts.requests")] == ["ana sent me"]

        await w.until(asked)
        await bo.call("contacts.accept", id_or_name="Chen")
        await w.until(lambda: world.has_active(chen, "bo"))
        assert (await chen.call("profile.cards"))[0]["known"] == "bo"
        await ana.call("profile.introduce", name="silly bo", to="chen")  # again: one card, not two
        await ana.call("chat.send", to="chen", text="done")
        await w.until(lambda: heard(chen))
        assert await has_cards(chen)

    world.run(story, seed=430)


async def heard(person: Person) -> bool:
    """a text came"""
    return len(await world.texts(person, "Ana")) > 0


def test_each_fault_that_is_promised_is_met_and_nothing_is_sent() -> None:
    async def story(w: World) -> None:
        ana, bo, _ = await circle(w)
        faults = Faults(ana)
        for name, to, why in (
            ("nobody", "bo", "contact.unknown"),
            ("bo", "nobody", "contact.unknown"),
            ("bo", "bo", "card.pair"),
        ):
            assert await faults.code("profile.introduce", name=name, to=to) == why
        await ana.call("contacts.rename", name="chen", new="boris")
        assert await faults.code("profile.introduce", name="bor", to="b") == "contact.ambiguous"
        for number in (0, 1, -1, 2**53):
            assert await faults.code("profile.forget", id=number) == "card.unknown"
        await ana.call("contacts.block", name="bo")
        assert await faults.code("profile.introduce", name="boris", to="bo") == "contact.blocked"
        assert await faults.code("profile.introduce", name="bo", to="boris") == "card.pair"
        await ana.call("contacts.unblock", name="bo")
        await run(ana, lambda tx: people.set_alarm(tx, people.find_contact(tx, "bo").id, people.STOPS))
        assert await faults.code("profile.introduce", name="boris", to="bo") == "contact.account_changed"
        promised = {one for one in faults.missing("profile") if one[0].endswith((".introduce", ".forget", ".cards"))}
        assert promised == set()
        assert await run(ana, lambda tx: tx.all("SELECT 1 FROM message WHERE kind = 411")) == []
        assert await bo.call("profile.cards") == []

    world.run(story, seed=431)


def test_of_too_many_cards_of_one_contact_the_oldest_go_and_anothers_stay() -> None:
    def account(n: int) -> ids.AccountId:
        return ids.AccountId(n.to_bytes(32, "big"))

    def take(tx: Tx) -> tuple[Any, ...]:
        view.fold(tx, 2, 1, ContactCard(account(1), "of another"), 5)
        for n in range(CARDS_MAX + 20):
            view.fold(tx, 1, 1, ContactCard(account(n), f"card {n}"), 5)
        view.fold(tx, 1, 1, ContactCard(account(50), "anew"), 5)
        return view.cards(tx)

    async def story(w: World) -> None:
        ana, _, _ = await circle(w)
        found = await run(ana, take)
        assert (len(found), found[0].name, found[-1].name) == (CARDS_MAX + 1, "anew", "of another")
        assert {one.name for one in found if one.contact == 1} == {
            *(f"card {n}" for n in range(20, CARDS_MAX + 20) if n != 50),
            "anew",
        }
        (first, *_) = await ana.call("profile.cards")
        assert (await ana.call("profile.forget", id=first["id"]))["claims"] == "anew"
        assert len(await ana.call("profile.cards")) == CARDS_MAX

    world.run(story, seed=432)


def test_cards_come_back_with_a_backup() -> None:
    async def story(w: World) -> None:
        ana, _, chen = await circle(w)
        await ana.call("profile.introduce", name="bo", to="chen")
        await w.until(lambda: has_cards(chen))
        before = await chen.call("profile.cards")
        file = w.folder / "chen.weft"
        await kept(chen, file)
        await chen.kill()
        await lose_and_restore(chen, file)
        await chen.start()
        assert await chen.call("profile.cards") == before

    world.run(story, seed=433)
