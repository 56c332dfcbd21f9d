"""Disappearing messages in a simulated world: both sides agree how long, and then nothing is left of them."""

import random
from pathlib import Path
from typing import Any

import pytest
import trio
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from features.chat import lasting
from features.chat.content import TURN_MAX, Gone, Timer
from lab import world
from lab.world import Person, World, befriend
from protocol import content, ids
from protocol.content import Channel
from store import backup, outbox, people
from store.connection import PAGE_BYTES
from store.database import Tx
from tests import depth
from tests.features.test_chat import delivered
from tests.features.test_chats import row, says
from tests.features.test_search import found, run

CANARY = "xyzzy7f3a nobody else"
DAY_S = 86_400
RESERVED = 48  # of each page: 16 bytes of IV, 32 of HMAC-SHA256
WAL_HEADER, FRAME_HEADER = 32, 24


def pages(w: World, person: Person) -> bytes:
    """All that is in the database's files, decrypted page by page: also what no table refers to any more."""
    key = person._chance("database").randbytes(32)
    path = Path(w.folder, f"{person.name}.db")
    raw = path.read_bytes()
    plain = [opened(key, raw[at : at + PAGE_BYTES], 16 if at == 0 else 0) for at in range(0, len(raw), PAGE_BYTES)]
    log = path.with_name(path.name + "-wal")
    if log.exists():
        raw = log.read_bytes()
        step = FRAME_HEADER + PAGE_BYTES
        for at in range(WAL_HEADER, len(raw) - step + 1, step):
            number = int.from_bytes(raw[at : at + 4], "big")
            page = raw[at + FRAME_HEADER : at + step]
            plain.append(opened(key, page, 16 if number == 1 else 0))
    return b"".join(plain)


def opened(key: bytes, page: bytes, salt: int) -> bytes:
    """A page of SQLCipher without its encryption."""
    cipher = Cipher(algorithms.AES256(key), modes.CBC(page[-RESERVED : -RESERVED + 16])).decryptor()
    return cipher.update(page[salt:-RESERVED]) + cipher.finalize()


def everything(tx: Tx) -> bytes:
    """All values of all tables, the index of words among them."""
    tables = [name for (name,) in tx.all("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return b"".join(repr(tx.all(f'SELECT * FROM "{name}"')).encode() for name in tables)


async def is_anywhere(w: World, person: Person, text: str) -> bool:
    """Whether a text stands in somebody's tables, or in his files once they are decrypted."""
    in_tables = text.encode() in await run(person, everything)
    in_files = text.encode() in pages(w, person)
    return in_tables or in_files


async def shown(person: Person, of: str) -> list[str]:
    """What a person sees of a conversation."""
    return [line["text"] for line in await person.call("chat.history", to=of, limit=1000)]


async def pair(w: World) -> tuple[Person, Person]:
    alice, bob = await w.person("alice"), await w.person("bob")
    await befriend(alice, bob)
    return alice, bob


async def set_timer(person: Person, other: Person, seconds: int) -> None:
    """Sets the timer, and waits until the other side has it."""
    await person.call("chat.timer", to=other.name, seconds=seconds)
    await person.world.until(lambda: has_timer(other, person.name, seconds))


async def has_timer(person: Person, of: str, seconds: int) -> bool:
    return bool((await person.call("chat.timer", to=of))["timer_s"] == seconds)


def test_case_57_both_see_the_timer_and_after_it_nothing_is_left_on_either_side() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        await says(alice, "bob", "before")
        await set_timer(alice, bob, DAY_S)
        await says(alice, "bob", CANARY)
        await alice.call("chat.star", id=(await alice.call("chat.history", to="bob"))[-1]["id"])
        await says(alice, "bob", CANARY * 500)  # on pages of its own
        told = ["before", "What is said from now on disappears 24 h after it was read."]
        for person, of in ((alice, "bob"), (bob, "alice")):
            assert await shown(person, of) == [*told, CANARY, CANARY * 500]
            assert [line["lasts_s"] for line in await person.call("chat.history", to=of)] == [0, 0, DAY_S, DAY_S]
            assert [line["notice"] for line in await person.call("chat.history", to=of)] == ["", "timer", "", ""]
            assert await found(person, "xyzzy7f3a nobody") == [CANARY * 500, CANARY]
            assert await is_anywhere(w, person, CANARY)
        await trio.sleep(DAY_S - 60)
        assert await bob.call("chat.read", to="alice") == {"read": 4}  # his copy lives from now on
        await trio.sleep(120)
        assert await shown(alice, "bob") == told  # hers since it was delivered
        assert not await is_anywhere(w, alice, CANARY)
        assert await is_anywhere(w, bob, CANARY)
        await trio.sleep(DAY_S)
        assert await shown(bob, "alice") == told
        for person in (alice, bob):
            assert await found(person, "xyzzy7f3a") == []
            assert not await is_anywhere(w, person, CANARY)
            assert await run(person, lambda tx: tx.all("SELECT * FROM chat_life")) == []
        assert await alice.call("chat.starred") == []
        assert (await row(bob, "alice"))["unread"] == 0

    world.run(story, seed=350)


def test_what_is_overdue_goes_when_the_node_starts() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        await set_timer(bob, alice, 60)
        await says(alice, "bob", CANARY)
        await bob.call("chat.read", to="alice")
        await alice.kill()
        await bob.stop()
        await trio.sleep(61)
        await bob.start()
        await alice.start()
        for person in (alice, bob):
            await w.until(lambda person=person: is_gone(w, person), patience_s=1)  # type: ignore[misc]

    world.run(story, seed=351)


async def is_gone(w: World, person: Person) -> bool:
    return not await is_anywhere(w, person, CANARY)


def test_what_waits_does_not_go_before_it_was_delivered_and_unread_things_stay() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        await set_timer(alice, bob, 60)
        await bob.kill()
        await alice.call("chat.send", to="bob", text=CANARY)
        await trio.sleep(3600)
        assert (await shown(alice, "bob"))[-1] == CANARY
        await bob.start()
        await w.until(lambda: delivered(alice, "bob"))
        await trio.sleep(61)
        assert await is_gone(w, alice)
        assert (await shown(bob, "alice"))[-1] == CANARY
        assert (await row(bob, "alice"))["unread"] == 2
        assert await bob.call("chat.read", to="alice") == {"read": 2}
        await trio.sleep(61)
        assert await is_gone(w, bob)

    world.run(story, seed=352)


def test_what_nobody_ever_got_goes_after_it_was_given_up() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        await set_timer(alice, bob, 60)
        await bob.kill()
        await alice.call("chat.send", to="bob", text=CANARY)
        assert alice.node is not None
        given_up_ms = w.now_ms() + 31 * DAY_S * 1000
        await run(alice, outbox.expire, given_up_ms)
        await run(alice, lasting.erase_due, given_up_ms + 59_000)
        assert not await is_gone(w, alice)
        await run(alice, lasting.erase_due, given_up_ms + 60_000)
        assert await is_gone(w, alice)
        assert await run(alice, lambda tx: tx.all("SELECT * FROM delivery")) == []

    world.run(story, seed=353)


def test_what_is_gone_before_it_was_sent_is_not_sent() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        await bob.kill()
        sent = await alice.call("chat.send", to="bob", text=CANARY)  # a second device of his may be away so long
        await run(alice, lasting.erase, sent["seq"])
        assert (sent["seq"],) not in await run(alice, lambda tx: tx.all("SELECT message FROM delivery"))
        await alice.call("chat.send", to="bob", text="after it")
        await bob.start()
        await w.until(lambda: delivered(alice, "bob"))
        assert await shown(bob, "alice") == await shown(alice, "bob") == ["after it"]

    world.run(story, seed=348)


def test_what_has_gone_does_not_come_back_when_it_is_sent_again() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        await set_timer(alice, bob, 60)
        sent = await alice.call("chat.send", to="bob", text=CANARY)
        await w.until(lambda: delivered(alice, "bob"))
        (body,) = await run(alice, lambda tx: tx.one("SELECT body FROM message WHERE seq = ?", (sent["seq"],)))
        await bob.call("chat.read", to="alice")
        await trio.sleep(61)
        before = await shown(bob, "alice")
        contact = await run(alice, people.find_contact, "bob")

        def again(tx: Tx) -> None:
            """As a sender who knows nothing of it any more: his database was set back."""
            tx.execute("DELETE FROM message WHERE seq = ?", (sent["seq"],))
            one = outbox.Posted(ids.MessageId(ids.ulid_from(sent["id"])), 120, sent["at_ms"], body)
            outbox.post(tx, contact.id, (one,), w.now_ms())

        await run(alice, again)
        assert alice.node is not None
        alice.node.core.delivery.stir(contact.id)
        await w.until(lambda: delivered(alice, "bob"))
        assert await shown(bob, "alice") == before
        assert await is_gone(w, bob)
        assert (await row(bob, "alice"))["unread"] == 0

    world.run(story, seed=354)


def test_a_timer_ends_and_what_was_said_under_it_still_goes() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        await set_timer(alice, bob, 60)
        await alice.call("chat.timer", to="bob", seconds=60)  # as it is: nothing is said twice
        await says(bob, "alice", CANARY)
        await set_timer(bob, alice, 0)
        await says(bob, "alice", "this stays")
        await alice.call("chat.read", to="bob")
        await trio.sleep(61)
        said = [
            "What is said from now on disappears 1 min after it was read.",
            "What is said from now on stays.",
            "this stays",
        ]
        assert await shown(alice, "bob") == await shown(bob, "alice") == said

    world.run(story, seed=355)


def test_the_higher_turn_counts_in_whatever_order_it_is_heard() -> None:
    async def story(w: World) -> None:
        alice, _ = await pair(w)
        contact = await run(alice, people.find_contact, "bob")
        chance = random.Random(356)
        authors = (ids.AccountId(b"a" * 32), ids.AccountId(b"b" * 32))
        words = [(Timer(s, t), author) for s in (0, 60) for t in (1, 2, TURN_MAX) for author in authors]
        results = set()
        for _ in range(20):
            chance.shuffle(words)
            await run(alice, lambda tx: tx.execute("DELETE FROM chat_timer") and None)
            for said, author in words * 2:
                await run(alice, lasting.fold, contact.id, said, author)
            results.add(await run(alice, lasting.setting, contact.id))
        assert results == {lasting.Setting(60, TURN_MAX, authors[1])}
        assert lasting.next_timer(lasting.Setting(60, TURN_MAX, b""), 0) == Timer(0, TURN_MAX)

    world.run(story, seed=356)


def test_nobody_says_that_something_is_gone() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        assert alice.node is not None
        contact = await run(alice, people.find_contact, "bob")
        await alice.node.core.delivery.say(contact.id, (Gone(),))
        await says(alice, "bob", "after it")
        assert await run(bob, lambda tx: tx.all("SELECT 1 FROM message WHERE kind = 126")) == []

    world.run(story, seed=357)


def test_a_backup_has_no_message_that_is_to_disappear() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        await says(alice, "bob", "this stays")
        await set_timer(alice, bob, DAY_S)
        await says(alice, "bob", CANARY)
        await says(bob, "alice", CANARY)

        def kept(tx: Tx) -> tuple[backup.Page, backup.Frame]:
            frame = backup.frame(tx, (), (), w.now_ms())
            return backup.page(tx, frame, 0), frame

        bodies = b"".join(one.body for one in (await run(alice, kept))[0].messages)
        assert (b"this stays" in bodies, CANARY.encode() in bodies) == (True, False)
        await bob.call("chat.read", to="alice")
        await trio.sleep(DAY_S + 1)
        page, _ = await run(alice, kept)
        kinds = content.Kinds((Gone,))
        gone = [one for one in page.messages if one.kind == Gone.KIND]
        assert [kinds.hear(one.body, Channel.RATCHET).message_id for one in gone] == [one.message_id for one in gone]
        assert len(gone) == 1  # what she said: what he said she has not read

    world.run(story, seed=358)


@pytest.mark.parametrize("seed", range(360, 360 + depth.WORLDS))
def test_both_sides_show_the_same_in_the_end(seed: int) -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        chance = random.Random(seed)
        w.network.loss = 0.05
        for number in range(30):
            speaker, hearer = (alice, bob) if chance.random() < 0.5 else (bob, alice)
            match chance.randrange(6):
                case 0:
                    await speaker.call("chat.timer", to=hearer.name, seconds=chance.choice((0, 60, 3600)))
                case 1:
                    await speaker.call("chat.read", to=hearer.name)
                case 2:
                    w.network.cut("alice", "bob")
                case 3:
                    w.network.heal("alice", "bob")
                case 4 if chance.random() < 0.5:
                    await speaker.kill()
                    await trio.sleep(chance.random() * 30)
                    await speaker.start()
                case _:
                    await speaker.call("chat.send", to=hearer.name, text=f"number {number}")
            await trio.sleep(chance.random() * 30)
        w.network.heal_all()
        w.network.loss = 0.0
        await w.until(lambda: settled(alice, bob), patience_s=3600)
        for person, other in ((alice, bob), (bob, alice)):
            await person.call("chat.read", to=other.name)
        await trio.sleep(3601)
        assert sorted(await shown(alice, "bob")) == sorted(await shown(bob, "alice"))
        timers = [(await one.call("chat.timer", to=of))["timer_s"] for one, of in ((alice, "bob"), (bob, "alice"))]
        assert timers[0] == timers[1]
        for person, of in ((alice, "bob"), (bob, "alice")):
            assert {line["lasts_s"] for line in await person.call("chat.history", to=of)} <= {0}
            assert await run(person, lambda tx: tx.all("SELECT * FROM chat_life")) == []

    world.run(story, seed)


TEXTS = (
    "Two cinema tickets",
    "明天在北京看電影",
    "e-mail me",
    "Crème brûlée",
    "two, two and TWO",
    "x",
    "a-b c",
    "holiday",
)
QUERIES = (
    "cinema",
    "two cin",
    "ticket two",
    "北京",
    "看電影",
    "e-mail",
    "mail e",
    "creme br",
    "two two",
    "x",
    "b c",
    "hol",
    "olid",
)


def test_a_search_finds_what_will_disappear_as_it_finds_all_else() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        chen = await w.person("chen")
        await befriend(alice, chen)
        await alice.call("chat.send_all", to="chen", texts=[*TEXTS])
        await set_timer(alice, bob, DAY_S)
        await alice.call("chat.send_all", to="bob", texts=[*TEXTS])
        hits = 0
        for query in QUERIES:
            plain = await found(alice, query, contact="chen")
            assert await found(alice, query, contact="bob") == plain, query
            assert await found(alice, query) == [*plain, *plain]  # the newest first
            assert await found(alice, query, limit=1) == plain[:1]
            hits += len(plain)
        assert hits == 12
        rows = await alice.call("chat.search", query="two")
        below = await alice.call("chat.search", query="two", before=rows[0]["seq"])
        assert [row["id"] for row in below] == [row["id"] for row in rows[1:]]

    world.run(story, seed=349)


async def settled(one: Person, other: Person) -> bool:
    """Nothing waits on either side."""
    for person in (one, other):
        if person.node is None or await run(person, lambda tx: tx.all("SELECT 1 FROM delivery WHERE message > 0")):
            return False
    return True


def plan(tx: Tx, sql: str) -> list[Any]:
    return [step[3] for step in tx.all(f"EXPLAIN QUERY PLAN {sql}")]


def test_what_is_due_is_found_by_an_index() -> None:
    async def story(w: World) -> None:
        alice, _ = await pair(w)
        for sql, by in (
            ("SELECT MIN(due_ms) FROM chat_life WHERE due_ms > 0", "chat_life_due"),
            ("SELECT message FROM chat_life WHERE due_ms > 0 AND due_ms <= 9 LIMIT 5", "chat_life_due"),
            ("SELECT 1 FROM chat_life WHERE mine = 1 AND due_ms = 0 LIMIT 1", "chat_life_waits"),
            ("UPDATE chat_life SET due_ms = 1 WHERE contact = 1 AND mine = 0 AND due_ms = 0", "chat_life_"),
        ):
            (step,) = await run(alice, plan, sql)
            assert by in step, sql

    world.run(story, seed=359)


def test_case_57_a_file_and_what_was_done_to_a_message_disappear_with_it() -> None:
    async def story(w: World) -> None:
        alice, bob = await pair(w)
        await set_timer(alice, bob, 3600)
        await says(alice, "bob", "first")
        edited = (await alice.call("chat.history", to="bob"))[-1]["id"]
        await alice.call("chat.edit", id=edited, text=CANARY)
        await bob.call("chat.react", id=edited, mark="👍")
        place = w.folder / f"{CANARY}.bin"
        place.write_bytes(random.Random(1).randbytes(300_000))
        await alice.call("media.send", to="bob", path=str(place))
        await w.until(lambda: has_all(bob))
        assert await found(bob, "xyzzy7f3a nobody") == [f"{CANARY}.bin", CANARY]
        assert [line["lasts_s"] for line in await bob.call("chat.history", to="alice")] == [0, 3600, 3600]
        await bob.call("chat.read", to="alice")
        await trio.sleep(3700)
        for person, of in ((alice, "bob"), (bob, "alice")):
            assert await shown(person, of) == ["What is said from now on disappears 1 h after it was read."]
            assert not await is_anywhere(w, person, CANARY)
            assert await person.call("media.list") == []
            await w.until(lambda person=person: no_files(person))  # type: ignore[misc]

    world.run(story, seed=440)


async def has_all(person: Person) -> bool:
    """The one file is here"""
    return [one["state"] for one in await person.call("media.list")] == ["here"]


async def no_files(person: Person) -> bool:
    """Nothing lies in the folder of files"""
    assert person.node is not None
    return person.node.core.blobs.files.all_names() == []
