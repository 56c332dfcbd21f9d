"""A disk is lost and its person comes back from a backup: who she is to others, what waited for her, what she had."""

import random
import shutil
from pathlib import Path

import pytest
import trio

import features
from lab import world
from lab.world import Person, World, befriend, texts
from node import backup
from node.node import migrations
from protocol import backup as file_format
from protocol import record
from protocol.backup_records import Record
from store import pairs, people
from store.database import Worker, open_database
from tests.features.kit import only
from tests.protocol import backups
from tests.stories.test_conversations import settled

DAY_S = 86_400.0


async def kept(person: Person, file: Path) -> backup.Summary:
    """A backup of a running node."""
    assert person.node is not None
    core = person.node.core
    return await backup.create(core.database, core.identity, core.features, core.ground, file, replace=True)


async def lose_and_restore(person: Person, file: Path) -> None:
    """The disk is gone, and the node does not run; then another disk has what the backup had."""
    w = person.world
    secret = _secret(person)
    for gone in w.folder.glob(f"{person.name}.db*"):
        gone.unlink()
    person.life += 1  # other chance than in any life before
    rooms = features.load()
    key = random.Random(f"{w.seed}/{person.name}/database").randbytes(32)
    backup.verify(file, secret, rooms)
    async with open_database(w.folder / f"{person.name}.db", key, migrations(rooms), Worker.INLINE) as database:
        await backup.restore(database, file, secret, rooms, person.now_ms(), person.entropy("restore"))


def _secret(person: Person) -> bytes:
    """What is on the person's paper: the first draw of her first life."""
    return random.Random(f"{person.world.seed}/{person.name}/1/recovery").randbytes(32)


async def verify_each_other(one: Person, other: Person) -> None:
    await one.call("contacts.verify", name=other.name)
    await other.call("contacts.verify", name=one.name, how="qr")


@pytest.mark.parametrize("seed", [5, 501])
def test_a_lost_disk_comes_back_and_nobody_has_to_verify_anew(seed: int) -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await verify_each_other(alice, bob)
        for n in range(5):
            await alice.call("chat.send", to="bob", text=f"alice {n}")
            await bob.call("chat.send", to="alice", text=f"bob {n}")
            await w.until(lambda: settled(alice, bob))
        before = await texts(alice, "bob")
        file = w.folder / "alice.weft"
        summary = await kept(alice, file)
        assert (summary.contacts, summary.messages) == (1, 10)
        await alice.kill()
        await trio.sleep(DAY_S / 4)
        waiting = [f"while you were away {n}" for n in range(7)]
        for text in waiting:
            await bob.call("chat.send", to="alice", text=text)
        await lose_and_restore(alice, file)
        await alice.start()
        assert await texts(alice, "bob") == before  # her history is there at once
        await w.until(lambda: settled(alice, bob))
        assert await texts(alice, "bob") == [*before, *waiting]
        of_alice, of_bob = await only(bob), await only(alice)
        assert (of_alice["verified"], of_bob["verified"]) == ("qr", "digits")
        assert of_alice["alarm"] == "recovered"  # he is told, and nothing else happens
        assert of_bob["alarm"] == ""
        for person, to in ((alice, "bob"), (bob, "alice")):
            await person.call("chat.send", to=to, text=f"afterwards from {person.name}")
            await w.until(lambda: settled(alice, bob))
        assert await texts(bob, "alice") == await texts(alice, "bob")
        assert len(await texts(alice, "bob")) == len(before) + len(waiting) + 2

    world.run(story, seed)


async def secret_of_pair(person: Person, name: str) -> tuple[int, bytes] | None:
    assert person.node is not None
    database = person.node.core.database
    contact = await database.transact(people.find_contact, name)
    return await database.transact(pairs.pair_secret, contact.id)


def copy_database(person: Person, folder: str) -> None:
    """Keeps what is on the disk now in a folder of that name."""
    kept_in = person.world.folder / folder
    kept_in.mkdir()
    for file in person.world.folder.glob(f"{person.name}.db*"):
        shutil.copy(file, kept_in / file.name)


def swap_database(person: Person, folder: str) -> None:
    """Puts back what was kept in the folder."""
    for stale in person.world.folder.glob(f"{person.name}.db*"):
        stale.unlink()
    for file in (person.world.folder / folder).glob(f"{person.name}.db*"):
        shutil.copy(file, person.world.folder / file.name)


def test_a_restore_replaces_the_secrets_that_the_lost_device_knew() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        before = await secret_of_pair(bob, "alice")
        file = w.folder / "alice.weft"
        await kept(alice, file)
        await alice.kill()
        await lose_and_restore(alice, file)
        await alice.start()

        async def renewed() -> bool:
            mine, theirs = await secret_of_pair(alice, "bob"), await secret_of_pair(bob, "alice")
            return mine == theirs != before

        await w.until(renewed)
        for person in (alice, bob):  # and they meet under the new one
            await person.kill()
            await person.start()
        await bob.call("chat.send", to="alice", text="under the new secret")
        await w.until(lambda: settled(alice, bob))
        assert await texts(alice, "bob") == ["under the new secret"]

    world.run(story, seed=51)


def test_one_backup_can_be_restored_again_and_again() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await verify_each_other(alice, bob)
        file = w.folder / "alice.weft"
        await kept(alice, file)
        for n in range(3):
            await alice.kill()
            await trio.sleep(DAY_S / 4)
            await bob.call("chat.send", to="alice", text=f"away {n}")
            await lose_and_restore(alice, file)
            await alice.start()
            await w.until(lambda: settled(alice, bob))
            assert await texts(alice, "bob") == [f"away {n}"]  # what came after the backup went with each disk
            await alice.call("chat.send", to="bob", text=f"back {n}")
            await w.until(lambda: settled(alice, bob))
        assert (await only(bob))["alarm"] == "recovered"
        assert (await only(bob))["verified"] == "qr"
        assert [one for one in await texts(bob, "alice") if "back" in one] == ["back 0", "back 1", "back 2"]

    world.run(story, seed=52)


def test_what_waited_in_the_backup_is_sent_once_whoever_delivered_it() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await bob.kill()
        for n in range(4):
            await alice.call("chat.send", to="bob", text=f"queued {n}")
        file = w.folder / "alice.weft"
        await kept(alice, file)
        await bob.start()
        await w.until(lambda: settled(alice, bob))  # the lost device delivers all of it
        await bob.call("chat.send", to="alice", text="got them")
        await w.until(lambda: settled(alice, bob))
        await alice.kill()
        await lose_and_restore(alice, file)
        lines_before = await texts(bob, "alice")
        await alice.start()
        assert [line["state"] for line in await alice.call("chat.history", to="bob", limit=9)] == ["queued"] * 4
        await w.until(lambda: settled(alice, bob))
        await alice.call("chat.send", to="bob", text="again me")
        await w.until(lambda: settled(alice, bob))
        assert await texts(bob, "alice") == [*lines_before, "again me"]

    world.run(story, seed=53)


def test_case_39_the_lost_device_is_refused_once_its_account_is_restored() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        file = w.folder / "alice.weft"
        await kept(alice, file)
        await alice.call("chat.send", to="bob", text="from the old one")
        await w.until(lambda: settled(alice, bob))
        await alice.stop()
        copy_database(alice, "lost")
        await lose_and_restore(alice, file)
        await alice.start()
        await alice.call("chat.send", to="bob", text="from the new one")
        await w.until(lambda: settled(alice, bob))
        await alice.stop()
        copy_database(alice, "found")
        swap_database(alice, "lost")
        await alice.start()
        await alice.call("chat.send", to="bob", text="from a thief")
        await bob.call("chat.send", to="alice", text="for the new one alone")
        await trio.sleep(3600)
        assert "from a thief" not in await texts(bob, "alice")
        assert "for the new one alone" not in await texts(alice, "bob")
        assert (await only(bob))["alarm"] == "device_lists"
        await alice.stop()
        swap_database(alice, "found")
        await alice.start()
        await w.until(lambda: settled(alice, bob))
        assert (await texts(alice, "bob"))[-1] == "for the new one alone"

    world.run(story, seed=54)


def test_what_waited_longer_than_a_month_expires_and_says_so() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        file = w.folder / "alice.weft"
        await kept(alice, file)
        await alice.kill()
        await bob.call("chat.send", to="alice", text="too early")
        await _asleep(bob, 25)
        await bob.call("chat.send", to="alice", text="in time")
        await _asleep(bob, 4.5)
        assert [line["state"] for line in await bob.call("chat.history", to="alice")] == ["queued", "queued"]
        await trio.sleep(1.5 * DAY_S)  # the month ends while he runs
        assert [line["state"] for line in await bob.call("chat.history", to="alice")] == ["expired", "queued"]
        await _asleep(bob, 4)
        await lose_and_restore(alice, file)
        await alice.start()

        async def came() -> bool:
            return await texts(alice, "bob") == ["in time"]

        await w.until(came)
        early, late = await bob.call("chat.history", to="alice")
        assert (early["state"], early["reason"][:29]) == ("expired", "not delivered within 30 days:")
        await w.until(lambda: _is_delivered(bob, late["id"]))

    world.run(story, seed=55)


async def _asleep(person: Person, days: float) -> None:
    """His computer is off for so long: in a month of waiting he would dial ten thousand times."""
    await person.stop()
    await trio.sleep(days * DAY_S)
    await person.start()


def test_a_backup_is_made_while_messages_come_and_go() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        file = w.folder / "alice.weft"
        for n in range(40):
            await bob.call("chat.send", to="alice", text=f"{n} ".ljust(8000, "x"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_say, alice, bob)
            nursery.start_soon(_say, bob, alice)
            for _ in range(10):
                summary = await kept(alice, file)
                found = backup.verify(file, _secret(alice), features.load())
                assert (found.messages, found.bytes) == (summary.messages, summary.bytes)
                await trio.sleep(0.3)
        await w.until(lambda: settled(alice, bob))
        await kept(alice, file)
        before = await texts(alice, "bob")
        await alice.kill()
        await lose_and_restore(alice, file)
        await alice.start()
        assert await texts(alice, "bob") == before
        assert [one.name for one in w.folder.glob(".*")] == []  # no half file is left

    world.run(story, seed=56)


async def _say(author: Person, reader: Person) -> None:
    for n in range(60):
        await author.call("chat.send", to=reader.name, text=f"{n} of {author.name}")
        await trio.sleep(0.05)


def test_what_was_agreed_comes_back_and_what_was_not_says_so() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
        await befriend(alice, bob)
        await befriend(alice, chen)
        await alice.call("contacts.rename", name="bob", new="Bobby")
        await chen.call("chat.send", to="alice", text="read")
        await w.until(lambda: settled(alice, chen))
        await alice.call("chat.read", to="chen")
        await chen.call("chat.send", to="alice", text="unread")
        await w.until(lambda: settled(alice, chen))
        await alice.call("contacts.block", name="Bobby")
        dora = await w.person("dora")
        link = (await dora.call("contacts.invite", kind="long-term", expires_s=3600))["link"]
        await alice.call("contacts.add", link=link, name="dora")  # waits for a decision that the lost device would hear
        await w.until(lambda: _state_is(alice, "dora", "waiting"))
        erik = await w.person("erik")
        link = (await erik.call("contacts.invite"))["link"]
        await erik.stop()
        await alice.call("contacts.add", link=link, name="erik")  # nobody has answered: it goes on
        finn = await w.person("finn")
        link = (await alice.call("contacts.invite", kind="long-term", expires_s=3600))["link"]
        await finn.call("contacts.add", link=link)
        await w.until(lambda: _state_is(alice, "Finn", "request"))
        file = w.folder / "alice.weft"
        await kept(alice, file)
        await alice.kill()
        await lose_and_restore(alice, file)
        await alice.start()
        found = {one["name"]: one for one in await alice.call("contacts.list")}
        states = {name: one["state"] for name, one in found.items()}
        assert states == {"Bobby": "blocked", "Chen": "active", "dora": "asked", "erik": "asked", "Finn": "refused"}
        assert "add or invite them again" in found["Finn"]["reason"]
        assert [line["text"] for line in await alice.call("chat.inbox", limit=9) if line["unread"]] == ["unread"]
        await erik.start()
        await w.until(lambda: _state_is(alice, "erik", "active"))
        await w.until(lambda: _state_is(alice, "dora", "waiting"))
        await dora.call("contacts.accept", id_or_name="Alice")
        await w.until(lambda: _state_is(alice, "dora", "active"))
        await alice.call("contacts.unblock", name="Bobby")
        await alice.call("chat.send", to="Bobby", text="sorry")
        await w.until(lambda: _has(bob, "alice", "sorry"))

    world.run(story, seed=57)


def test_who_has_the_words_alone_comes_again_by_an_invitation() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await verify_each_other(alice, bob)
        assert alice.node is not None
        me = alice.node.core.identity
        await alice.kill()
        file = w.folder / "words.weft"  # as if there were no backup: of no contact
        nobody = backups.head(account=me.account, lists=me.lists, name="Alice")
        file.write_bytes(backups.file_of([nobody], me.recovery))
        await lose_and_restore(alice, file)
        await alice.start()
        await bob.call("chat.send", to="alice", text="where are you?")
        link = (await bob.call("contacts.invite"))["link"]
        await alice.call("contacts.add", link=link, name="bob")
        await w.until(lambda: world.both_active(alice, bob))
        await w.until(lambda: settled(alice, bob))
        assert await texts(alice, "bob") == ["where are you?"]
        assert ((await only(bob))["verified"], (await only(bob))["alarm"]) == ("qr", "recovered")
        assert (await only(alice))["verified"] == "no"

    world.run(story, seed=59)


async def lost_device_runs(w: World) -> tuple[Person, Person]:
    """Alice's lost device, which runs again after her account was restored on another, and bob, her contact."""
    alice, bob = await w.person("alice"), await w.person("bob")
    await befriend(alice, bob)
    file = w.folder / "alice.weft"
    await kept(alice, file)
    await alice.stop()
    copy_database(alice, "lost")
    await lose_and_restore(alice, file)
    await alice.start()
    await alice.call("chat.send", to="bob", text="new")
    await w.until(lambda: settled(alice, bob))
    await alice.stop()
    swap_database(alice, "lost")
    await alice.start()
    return alice, bob


@pytest.mark.parametrize("known", [True, False], ids=["met before", "never met"])
def test_case_39_no_invitation_lets_a_lost_device_in_again(known: bool) -> None:
    async def story(w: World) -> None:
        alice, bob = await lost_device_runs(w)
        assert alice.node is not None
        assert bob.node is not None
        if not known:
            await bob.node.core.database.transact(
                lambda tx: tx.execute("DELETE FROM device WHERE revoked = 1") and None
            )
        await alice.node.core.database.transact(people.set_state, 1, people.ContactState.REFUSED, "")
        for kind in ("once", "long-term"):
            link = (await bob.call("contacts.invite", kind=kind, expires_s=36_000))["link"]
            await alice.call("contacts.add", link=link)
            await trio.sleep(600)
            assert await _state_is(alice, "Bob", "asked")
        devices = (await bob.call("contacts.show", name="alice"))["devices"]
        assert [one["revoked"] for one in devices] == ([True, False] if known else [False])

    world.run(story, seed=60)


async def _state_is(person: Person, name: str, state: str) -> bool:
    assert person.node is not None
    return any(one["name"] == name and one["state"] == state for one in await person.call("contacts.list"))


async def _is_delivered(person: Person, message: str) -> bool:
    return bool((await person.call("chat.message", id=message))["state"] == "delivered")


async def _has(person: Person, of: str, text: str) -> bool:
    return text in await texts(person, of)


def test_a_backup_holds_no_key_of_a_device_and_nothing_that_opens_a_session() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await alice.call("chat.send", to="bob", text="hi")
        await w.until(lambda: settled(alice, bob))
        await alice.call("contacts.invite")
        file = w.folder / "alice.weft"
        await kept(alice, file)
        assert alice.node is not None
        me, database = alice.node.core.identity, alice.node.core.database
        rows = await database.transact(
            lambda tx: [
                *tx.all("SELECT dh FROM prekey UNION SELECT kem FROM prekey UNION SELECT state FROM session"),
                *tx.all("SELECT secret FROM invitation"),
            ]
        )
        forbidden = [me.recovery, me.device_key.seed, me.identity_key.secret, me.transport_seed]
        forbidden += [row[0][at : at + 16] for row in rows for at in range(0, len(row[0]) - 16, 16)]
        stream = b"".join(record.encode(one) for one in _everything(file, me.recovery))
        assert len(rows) > 8
        assert [one for one in forbidden if one in stream] == []
        assert me.presence in stream

    world.run(story, seed=58)


def _everything(file: Path, secret: bytes) -> list[Record]:
    raw = file.read_bytes()
    reader = file_format.Reader(secret, raw[: file_format.HEAD_BYTES], len(raw), backup._order(secret, features.load()))
    starts = range(file_format.HEAD_BYTES, len(raw), file_format.SEALED_BYTES)
    return [one for at in starts for one in reader.take(raw[at : at + file_format.SEALED_BYTES])]
