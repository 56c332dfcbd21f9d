"""What a contact can do who has a session with us and says what no honest weft says: cases 15, 26, 36a, 36b, 37."""

import random
from dataclasses import replace
from typing import Any

import trio

from crypto import budget, header, sealing
from crypto.ratchet import DAY_MS, MAX_SKIP, Ratchet
from features.chat.content import Text
from features.contacts import view
from features.contacts.content import Introduction, Taken, Welcome, WordsNonce, WordsReveal
from lab import world
from lab.world import Person, World, befriend, texts
from protocol import envelope, ids, talk, wire
from protocol.receipt import Receipt
from store import identity, outbox, pairs, people, session_rows
from store.database import Tx
from tests.crypto.test_ratchet import Hmacs
from tests.features.kit import only
from tests.stories import wiretap
from tests.stories.test_conversations import settled
from tests.stories.test_restores import say_both_ways


async def three(w: World) -> tuple[Person, Person, Person]:
    """Alice, who is attacked; Bob, her contact and the adversary; Chen, her contact."""
    alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
    await befriend(alice, bob)
    await befriend(alice, chen)
    return alice, bob, chen


async def utter(author: Person, to: str, *contents: Any) -> None:
    """Says contents of any room as its service would not."""
    assert author.node is not None
    core = author.node.core
    contact = await core.database.transact(people.find_contact, to)
    await core.delivery.say(contact.id, contents)


async def people_of(person: Person) -> list[tuple[str, str, str, str, str]]:
    """What stands about everybody."""
    rows = await person.call("contacts.list")
    return [(row["name"], row["account"], row["state"], row["verified"], row["announced"]) for row in rows]


async def channel_of(person: Person, name: str) -> tuple[Any, Any]:
    """The secrets of a pair and a comparison that may be under way."""

    def look(tx: Tx) -> tuple[Any, Any]:
        contact = people.find_contact(tx, name)
        return pairs.dial_key(tx, contact.id), view.comparing(tx, contact.id)

    assert person.node is not None
    found: tuple[Any, Any] = await person.node.core.database.transact(look)
    return found


def test_case_36b_answers_that_nobody_asked_for_change_nothing() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await three(w)
        await say_both_ways(w, alice, bob, "before", 1)
        await chen.kill()
        waiting = await alice.call("chat.send", to="chen", text="for chen alone")
        before = await people_of(alice), await channel_of(alice, "bob")
        epoch = before[1][0].epoch
        unasked: tuple[Any, ...] = (
            Taken(epoch + 5, 1, bytes(32)),
            WordsNonce(bytes(32), bytes(32)),
            WordsReveal(bytes(32), bytes(32)),
            Receipt((ids.ulid_from(waiting["id"]), bytes(16))),
        )
        await utter(bob, "alice", *unasked)
        await w.until(lambda: settled(bob))
        await trio.sleep(30)
        assert (await people_of(alice), await channel_of(alice, "bob")) == before
        assert (await alice.call("chat.message", id=waiting["id"]))["state"] == "queued"
        await chen.start()
        await w.until(lambda: settled(alice))
        assert await texts(chen, "alice") == ["for chen alone"]
        await say_both_ways(w, alice, bob, "after", 1)

    world.run(story, seed=362)


def test_case_37_and_36a_who_speaks_is_the_session_and_a_card_of_another_is_refused() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await three(w)
        await trio.sleep(30)  # until the pairs' secrets are in use
        before = await people_of(alice), await channel_of(alice, "chen"), await channel_of(alice, "bob")
        assert bob.node is not None
        assert chen.node is not None
        of_chen = identity.card(chen.node.core.identity, w.now_ms())
        own = identity.card(bob.node.core.identity, w.now_ms())
        forged = (
            Welcome(of_chen, 9, bytes(32), 9, bytes(32)),  # Chen's card in Bob's session
            Welcome(replace(own, account=of_chen.account), 9, bytes(32), 9, bytes(32)),
            Introduction(of_chen, "I am Chen", (), bytes(32)),  # in the wrong channel too
            Introduction(own, "again", (), bytes(32)),
        )
        await utter(bob, "alice", *forged)
        await bob.call("chat.send", to="alice", text="and it is me")
        await w.until(lambda: settled(bob))
        after = await people_of(alice), await channel_of(alice, "chen"), await channel_of(alice, "bob")
        assert after == before
        assert await texts(alice, "bob") == ["and it is me"]
        assert await texts(alice, "chen") == []
        assert [line["contact"] for line in await alice.call("chat.inbox")] == ["Bob"]

    world.run(story, seed=37)


def test_case_26_one_byte_over_a_limit_is_taken_as_nothing_and_the_talk_goes_on() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await three(w)
        for text in (b"x" * 16 * 1024, b"x" * (16 * 1024 + 1), b"\xed\xa0\x80" * 100):
            await post_raw(w, bob, "alice", text)
        await bob.call("chat.send", to="alice", text="small")

        async def came() -> bool:
            return "small" in await texts(alice, "bob")

        await w.until(came)
        assert await texts(alice, "bob") == ["x" * 16 * 1024, "small"]
        await say_both_ways(w, alice, chen, "meanwhile", 1)
        assert alice.node is not None
        for table in ("quarantine", "unheard"):
            rows = await alice.node.core.database.transact(lambda tx, t=table: tx.all(f"SELECT * FROM {t}"))
            assert rows == []

    world.run(story, seed=26)


async def post_raw(w: World, author: Person, to: str, text: bytes) -> None:
    """Puts a text of 256 bytes or more into the outbox, also one that the room's constructor would refuse."""
    message_id = ids.MessageId(random.Random(text).randbytes(16))
    head = wire.encode((Text.KIND, message_id, None, w.now_ms(), 1, ()))
    # The whole content is an array of 8, the room's fields one of 1, and no expiry follows.
    body = b"\x88" + head[1:] + b"\x81\x79" + len(text).to_bytes(2, "big") + text + b"\xf6"

    def post(tx: Tx) -> int:
        contact = people.find_contact(tx, to)
        outbox.post(tx, contact.id, (outbox.Posted(message_id, Text.KIND, w.now_ms(), body),), w.now_ms())
        return contact.id

    assert author.node is not None
    author.node.core.delivery.stir(await author.node.core.database.transact(post))


def test_case_15_a_hundred_forged_bodies_far_ahead_pause_one_session_and_others_are_served() -> None:
    """Made with Bob's own header key, two thousand messages ahead: each costs two thousand steps, but only five do."""

    async def story(w: World) -> None:
        alice, bob, chen = await three(w)
        for person in (alice, bob, chen):  # a session a day old lets 2,000 be skipped
            await person.kill()
        await trio.sleep(DAY_MS / 1000)
        for person in (alice, bob, chen):
            await person.start()
        await say_both_ways(w, alice, bob, "before", 2)
        stolen = await session_with(bob, "alice")
        chance = random.Random(15)
        async with wiretap.open_impostor(w, bob, alice) as impostor, trio.open_nursery() as nursery:
            nursery.start_soon(impostor.listen)
            with Hmacs() as hmacs:
                for number in range(100):
                    forged = far_ahead(stolen, chance)
                    await impostor.say(talk.Envelopes(number + 1, (envelope.enclose(forged),)))
                await say_both_ways(w, alice, chen, "meanwhile", 1)
            nursery.cancel_scope.cancel()
        paused = (await session_with(alice, "bob")).budget
        assert budget.paused(paused, w.now_ms())
        steps = 2 * MAX_SKIP
        assert (budget.FAILURES_MAX - 1) * steps < hmacs.count < (budget.FAILURES_MAX + 1) * steps
        await bob.start()
        await bob.call("chat.send", to="alice", text="it is me again")
        await w.until(lambda: settled(bob), patience_s=3600)
        assert (await texts(alice, "bob"))[-1] == "it is me again"

    world.run(story, seed=15)


async def session_with(person: Person, name: str) -> Ratchet:
    """A person's session with somebody, as it stands in the database."""

    def load(tx: Tx) -> Ratchet:
        (device,) = people.devices_of(tx, people.find_contact(tx, name).id)
        live = session_rows.load_sending(tx, device.id)
        assert live is not None
        return live.r

    assert person.node is not None
    return await person.node.core.database.transact(load)


def far_ahead(author: Ratchet, chance: random.Random) -> envelope.Message:
    """A message as far ahead as a receiver follows, with a good header and a body of noise."""
    plain = header.pack(author.mine_public, author.previous, author.send_count - 1 + MAX_SKIP)
    return envelope.Message(
        sealing.seal(author.send_header, chance.randbytes(24), plain, author.sid), chance.randbytes(240)
    )


def test_frames_that_no_honest_weft_writes_end_the_stream_and_nothing_else() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await three(w)
        hostile: tuple[bytes, ...] = (
            b"",
            b"\x81" * 2000,
            bytes(talk.FRAME_BYTES_MAX),
            talk.encode(talk.Ack(2**40, ())),
            talk.encode(talk.Envelopes(7, (bytes(1024),))),
            talk.encode(talk.Hello((1,), wiretap.RUN, (), None, 0, 1)),
        )
        for raw in hostile:
            async with wiretap.open_impostor(w, bob, alice) as impostor:
                await impostor.say_raw(raw)
                with trio.fail_after(20):
                    while await impostor.reader.read() is not None:
                        pass
            await bob.start()
            await say_both_ways(w, alice, bob, f"still {len(raw)}", 1)
            await say_both_ways(w, alice, chen, f"still {len(raw)}", 1)
        assert (await alice.call("contacts.show", name="bob"))["alarm"] == ""
        assert (await only(bob))["alarm"] == ""

    world.run(story, seed=2601)


def test_a_talk_whose_other_end_answers_and_acknowledges_nothing_is_ended_and_begun_anew() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        async with wiretap.open_impostor(w, bob, alice) as impostor:
            sent = await alice.call("chat.send", to="bob", text="never acknowledged")
            began = trio.current_time()
            with trio.fail_after(120):
                while (raw := await impostor.reader.read()) is not None:
                    if isinstance(frame := talk.decode(raw), talk.Ping):
                        await impostor.say(talk.Pong(frame.n))
            assert trio.current_time() - began >= 90
        assert (await alice.call("chat.message", id=sent["id"]))["state"] in ("queued", "sent")
        await bob.start()
        await w.until(lambda: settled(alice))
        assert await texts(bob, "alice") == ["never acknowledged"]

    world.run(story, seed=2602)
