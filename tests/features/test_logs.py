"""The room of logs in a simulated world: what it refuses, what is found by which name, pages, notes, what is kept."""

from base64 import b64decode
from typing import Any

import pytest

from crypto.faults import Malformed
from crypto.keys import SigningKey
from features.logs import keeping, view
from features.logs.content import Note
from lab import world
from lab.world import Person, World, befriend
from node.logs.pen import Pen
from protocol import entry, log_file, record, wire
from protocol import log as chains
from protocol.entry import Kind
from protocol.grant import Grant, Role
from protocol.log import Fork
from protocol.log_examination import Examination
from store import authoring, entries, intake, logs, people, spaces
from store.database import Tx
from store.entries import Draft
from store.identity import Identity
from store.logs import State
from tests.features.kit import Faults
from tests.stories import log_kit
from tests.stories.log_kit import all_hold, circle, notes, row


async def run(person: Person, f: Any, *args: Any) -> Any:
    """A transaction in somebody's database."""
    assert person.node is not None
    return await person.node.core.database.transact(f, *args)


def grant(name: str, secret: int, role: Role = Role.NOTES) -> Grant:
    return Grant(role, 0, bytes((secret,)) * 32, bytes(32), name, None)


def lay(tx: Tx, log_id: bytes, name: str, contact: int = spaces.OURS) -> None:
    """A log that somebody else's device writes, as a backup brings it; its id is chosen."""
    number = logs.begin(tx, log_id, bytes(32), bytes(32), own=False).number
    spaces.put_back(tx, number, contact, grant(name, 7))


async def wrong_beginnings(ana: Person, faults: Faults) -> None:
    begin: dict[str, Any] = {"name": "trip", "readers": ["bo1"]}
    for name in ("", "  ", "a/b", "x" * 65, "é" * 33, "a\nb", "a\u202eb", "\ud800"):
        assert await faults.code("logs.begin", **(begin | {"name": name})) == "log.name"
    assert await faults.code("logs.begin", name="trip", readers=[]) == "log.readers"
    assert await faults.code("logs.begin", **begin, anchor="bo2") == "log.anchor"
    for who, code in (("nobody", "contact.unknown"), ("bo", "contact.ambiguous")):
        assert await faults.code("logs.begin", name="trip", readers=["bo1", who]) == code
        assert await faults.code("logs.trust", name=who) == code
    assert await run(ana, lambda tx: len(spaces.of(tx, spaces.OURS))) == 1  # the spine; nothing was begun
    await ana.call("logs.begin", name=" Trip ", readers=["bo1", "bo2", "bo1"], anchor="bo1")
    for name in ("trip", "TRIP", "Trip"):
        assert await faults.code("logs.begin", **(begin | {"name": name})) == "log.name_taken"
    for who, code in (("nobody", "contact.unknown"), ("bo", "contact.ambiguous"), ("dee", "log.anchor")):
        assert await faults.code("logs.reopen", log="trip", anchor=who) == code


async def wrong_logs(ana: Person, faults: Faults) -> None:
    def twins(tx: Tx) -> None:
        lay(tx, b"\xab\xcd" + bytes(14), "x")
        lay(tx, b"\xab\xcd" + b"\x01" * 14, "y")

    await run(ana, twins)
    methods: tuple[tuple[str, dict[str, Any]], ...] = (
        ("logs.show", {}),
        ("logs.write", {"text": "hi"}),
        ("logs.write_all", {"texts": ["hi"]}),
        ("logs.share", {"name": "dee"}),
        ("logs.unshare", {"name": "bo1"}),
        ("logs.reopen", {}),
        ("logs.export", {}),
    )
    for method, more in methods:
        assert await faults.code(method, log="nothing", **more) == "log.unknown"
        ambiguous = await faults.of(method, log="ABCD", **more)
        assert (ambiguous.code, len(ambiguous.data["ids"])) == ("log.ambiguous", 2)  # type: ignore[arg-type]
    for log in ("bo2/tea", "spine"):
        for method, more in methods:
            if method not in ("logs.show", "logs.export"):
                assert await faults.code(method, log=log, **more) == "log.not_ours"
    for method in ("logs.share", "logs.unshare"):
        for who, code in (("nobody", "contact.unknown"), ("bo", "contact.ambiguous")):
            assert await faults.code(method, log="trip", name=who) == code
    assert await faults.code("logs.unshare", log="trip", name="dee") == "log.no_reader"
    for texts in ([], ["x"] * 513, ["x" * 16_385]):
        assert await faults.code("logs.write_all", log="trip", texts=texts) == "limit"
    assert await faults.code("logs.write", log="trip", text="x" * 16_385) == "limit"
    assert await faults.code("logs.write", log="trip", text="語" * 5462) == "limit"
    assert await faults.code("logs.trust", name="bo1") == "log.no_doubt"
    assert await faults.code("logs.export", log="trip") == "log.no_entries"


def fork(tx: Tx, me: Identity, now_ms: int) -> None:
    """This device has signed two histories of its log."""
    own = log_kit.own(tx, "Trip")
    one, other = (log_kit.sign(tx, me, own, said, 0, None, now_ms) for said in (b"one", b"other"))
    assert intake.freeze(tx, Fork.of(one.raw, other.raw), now_ms)


def vouch(tx: Tx, his: Identity, now_ms: int) -> None:
    """The chain of Bo2's log vouches for an entry that he has not signed."""
    tea = view.find(tx, "bo2/tea")
    first = bytearray(log_kit.sign(tx, his, tea, b"one", 0, None, now_ms).raw)
    first[-1] ^= 1
    second = log_kit.sign(tx, his, tea, b"two", 1, chains.recall(bytes(first)).id, now_ms)
    entries.take_in(tx, tea.log.number, (bytes(first), second.raw), (b"one", b"two"), now_ms)


def test_every_fault_that_the_room_promises_is_met() -> None:
    async def story(w: World) -> None:
        ana, _, bob = await circle(w, "ana", "bo1", "bo2")
        dee = await w.person("dee")
        await befriend(ana, dee)
        faults = Faults(ana)
        await wrong_beginnings(ana, faults)
        await bob.call("logs.begin", name="tea", readers=["ana"])
        await w.until(lambda: log_kit.has(ana, "bo2/tea"))
        await wrong_logs(ana, faults)

        of = (await row(ana, "trip"))["id"]
        await ana.call("logs.reopen", log="trip")
        for method, more in (
            ("logs.write", {"text": "hi"}),
            ("logs.write_all", {"texts": ["hi"]}),
            ("logs.share", {"name": "dee"}),
            ("logs.unshare", {"name": "bo1"}),
            ("logs.reopen", {}),
        ):
            assert await faults.code(method, log=of, **more) == "log.over"
        assert ana.node is not None
        await run(ana, fork, ana.node.core.identity, w.now_ms())
        frozen = await faults.of("logs.write", log="trip", text="hi")
        assert (frozen.code, frozen.next) == ("log.frozen", "weft log proofs")
        assert await faults.code("logs.write_all", log="trip", texts=["hi"]) == "log.frozen"
        assert await faults.code("logs.unshare", log="trip", name="bo1") == "log.frozen"
        assert await faults.code("logs.begin", name="trip", readers=["bo1"]) == "log.name_taken"  # it is not over

        assert bob.node is not None
        await run(ana, vouch, bob.node.core.identity, w.now_ms())
        assert await faults.code("logs.export", log="bo2/tea") == "log.no_evidence"
        assert (await ana.call("logs.export", log="bo2/tea", first=1))["next"] is None
        assert faults.missing("logs") == set()

    world.run(story, 80)


def test_a_log_is_found_by_its_name_its_id_and_the_newest_of_a_name() -> None:
    async def story(w: World) -> None:
        ana, bo = await circle(w, "ana", "bo")
        await ana.call("logs.begin", name="trip", readers=["bo"])
        await bo.call("logs.begin", name="Trip", readers=["ana"])
        await w.until(lambda: log_kit.has(ana, "bo/trip"))
        mine, his = await row(ana, "TRIP"), await row(ana, " bo/TRIP ")
        assert (mine["author"], his["author"], mine["name"], his["name"]) == ("", "Bo", "trip", "Bo/Trip")
        for one in (mine, his):
            for text in (one["id"], one["id"][:6], one["id"][:6].upper()):
                assert (await row(ana, text))["id"] == one["id"]
        assert not await log_kit.has(bo, "bo/trip")
        faults = Faults(ana)
        assert await faults.code("logs.show", log=mine["id"][:3]) == "log.unknown"  # too short to be meant
        assert await faults.code("logs.show", log="") == "log.unknown"
        begun = await ana.call("logs.reopen", log="trip")
        assert (await row(ana, "trip"))["id"] == begun["id"] != mine["id"]
        assert (await row(ana, mine["id"]))["state"] == "over"
        await ana.call("logs.begin", name=mine["id"][:8], readers=["bo"])  # a name goes before an id
        assert (await row(ana, mine["id"][:8]))["name"] == mine["id"][:8]

    world.run(story, 81)


def test_a_log_is_read_in_pages() -> None:
    async def story(w: World) -> None:
        ana, bo = await circle(w, "ana", "bo")
        await ana.call("logs.begin", name="trip", readers=["bo"])
        for n in range(25):
            await ana.call("logs.write", log="trip", text=f"note {n}")
        await w.until(all_hold([(ana, "trip"), (bo, "ana/trip")], 25))

        async def places(**page: Any) -> list[int]:
            return [one["seq"] for one in (await bo.call("logs.show", log="ana/trip", **page))["entries"]]

        assert await places() == [*range(5, 25)]
        assert await places(limit=3) == [22, 23, 24]
        assert await places(limit=3, after=-1) == await places(limit=3, after=-9) == [0, 1, 2]
        assert await places(limit=3, after=2) == [3, 4, 5]
        assert await places(after=23) == [24]
        for after in (24, 1 << 40, (1 << 52) - 1):
            assert await places(after=after) == []
        assert await places(limit=0) == await places(limit=-5) == []
        assert await places(limit=1 << 40, after=-1) == [*range(25)]
        seen = [text for seq in range(-1, 24, 4) for text in await texts(bo, after=seq, limit=4)]
        assert seen == [f"note {n}" for n in range(25)]

    world.run(story, 82)


async def texts(person: Person, **page: Any) -> list[str]:
    return [one["text"] for one in (await person.call("logs.show", log="ana/trip", **page))["entries"]]


def test_evidence_comes_in_pages_that_are_one_good_file() -> None:
    async def story(w: World) -> None:
        ana, bo = await circle(w, "ana", "bo")
        await ana.call("logs.begin", name="trip", readers=["bo"])
        for n in range(30):
            await ana.call("logs.write", log="trip", text=f"{n} " + "x" * 16_000)
        await w.until(all_hold([(ana, "trip"), (bo, "ana/trip")], 30))

        async def whole(**part: Any) -> tuple[int, Examination]:
            raw, at, pages = b"", part.pop("first", 0), 0
            while at is not None:
                found = await bo.call("logs.export", log="ana/trip", first=at, **part)
                raw, at, pages = raw + b64decode(found["items"]), found["next"], pages + 1
            examination = Examination()
            for placed in log_file.read(iter([raw])):
                examination.take(placed)
            return pages, examination

        pages, all_of_it = await whole()
        assert pages > 1
        (of,) = [one for one in all_of_it.logs if one.entries > 1]
        assert (all_of_it.is_good, of.entries, of.opened, of.first) == (True, 30, 30, 0)
        _, part = await whole(first=3, last=7)
        (of,) = part.logs
        assert (of.first, of.head.seq, of.entries, of.opened) == (3, 7, 5, 5)
        _, closed = await whole(first=3, last=3, opened=False)
        (of,) = closed.logs
        assert (of.entries, of.contents, of.opened) == (1, 1, 0)
        faults = Faults(bo)
        for first, last in ((5, 4), (5, 3), (5, -1), (30, None), (-1, None), (-1, 3)):
            assert await faults.code("logs.export", log="ana/trip", first=first, last=last) == "log.no_entries"

    world.run(story, 83)


def test_what_is_no_note_is_shown_as_what_it_is() -> None:
    async def story(w: World) -> None:
        ana, bo = await circle(w, "ana", "bo")
        await ana.call("logs.begin", name="trip", readers=["bo"])
        await ana.call("logs.write", log="trip", text="a note")
        assert ana.node is not None
        key = ana.node.core.identity.device_key

        def strange(tx: Tx) -> None:
            own = log_kit.own(tx, "trip")
            later = wire.encode((4000, "of a later version"))
            drafts = [Draft(Kind.SEALED, b"sealed in another way"), Draft(Kind.PUBLIC, later), Draft(Kind.SEALED, b"")]
            entries.append(tx, own.log.number, drafts, key, w.now_ms())
            entries.detach(tx, own.log.number, [0])

        await run(ana, strange)
        found = (await ana.call("logs.show", log="trip"))["entries"]
        assert [(one["kind"], one["text"], one["content"]) for one in found] == [
            ("sealed", "", "deleted"),
            ("sealed", "", "here"),
            ("sealed", "", "here"),
            ("sealed", "", "here"),
        ]
        await w.until(all_hold([(ana, "trip"), (bo, "ana/trip")], 4))
        first = (await bo.call("logs.show", log="ana/trip"))["entries"][0]
        assert first["content"] == "awaited"

    world.run(story, 84)


async def feed(ana: Person, *contents: bytes) -> None:
    """A feed of Ana's with these contents, for bo."""
    assert ana.node is not None
    core = ana.node.core
    (bo,) = [one for one in await run(ana, people.contacts) if one.name == "Bo"]
    begun = await Pen(core.delivery.inward, core.sync.desks).begin(Role.FEED, "moments", [bo.id], bo.account)
    key = core.identity.device_key
    for content in contents:
        await run(ana, lambda tx, said=content: authoring.append(tx, begun, said, key, core.ground.now_ms()))


def test_a_feed_is_shown_and_exported_closed_and_nobody_writes_a_note_into_it() -> None:
    async def story(w: World) -> None:
        ana, bo = await circle(w, "ana", "bo")
        await feed(ana, b"no form at all", b"x" * 900, b"")
        await w.until(all_hold([(ana, "moments"), (bo, "ana/moments")], 3))
        for person, name in ((ana, "moments"), (bo, "ana/moments")):
            found = await person.call("logs.show", log=name)
            assert found["log"]["role"] == "feed"
            assert [(one["kind"], one["text"], one["content"]) for one in found["entries"]] == [
                ("moment", "", "here")
            ] * 3
            assert [one["role"] for one in await person.call("logs.list") if one["name"] == found["log"]["name"]] == [
                "feed"
            ]
            file = b64decode((await person.call("logs.export", log=name))["items"])  # opened, as far as there are keys
            examination = Examination()
            for placed in log_file.read(iter([file])):
                examination.take(placed)
            (of,) = [one for one in examination.logs if one.entries == 3]
            assert (examination.is_good, of.contents, of.opened) == (True, 2, 0)
        note = view.said(Note("a note in a feed"))
        await run(ana, lambda tx: entries.append(tx, *_sealed_as_a_note(tx, note), ana_key(ana), w.now_ms()))
        assert (await ana.call("logs.show", log="moments"))["entries"][-1]["kind"] == "moment"
        faults = Faults(ana)
        for method, more in (
            ("logs.write", {"text": "hi"}),
            ("logs.write_all", {"texts": ["hi"]}),
            ("logs.share", {"name": "bo"}),
            ("logs.unshare", {"name": "bo"}),
            ("logs.reopen", {}),
        ):
            assert await faults.code(method, log="moments", **more) == "log.not_ours"

    world.run(story, 86)


def ana_key(ana: Person) -> SigningKey:
    assert ana.node is not None
    return ana.node.core.identity.device_key


def _sealed_as_a_note(tx: Tx, note: bytes) -> tuple[int, list[Draft]]:
    """The number of the feed, and a note for its next place as a log of notes has it."""
    of = log_kit.own(tx, "moments").log
    key = entry.content_key(of.secret, of.id, 3)
    return of.number, [Draft(Kind.SEALED, entry.seal(key, of.author, of.id, 3, note, bytes(24)))]


# --- what a backup keeps


def test_a_backup_keeps_feeds_and_those_that_are_over_as_far_as_there_is_room() -> None:
    async def story(w: World) -> None:
        ana, bo = await circle(w, "ana", "bo")
        await w.until(lambda: log_kit.has(ana, "bo/spine"))
        await feed(ana)

        async def names() -> list[tuple[str, bool]]:
            return [(one.name, one.previous is not None) for _, _, one in rows_of(await run(ana, keeping.keep, 1))]

        assert await names() == [("spine", False), ("moments", False)]
        await run(ana, another, ana_key(ana))
        await run(ana, another, ana_key(ana))
        assert await names() == [("moments", False), ("moments", True), ("spine", False), ("moments", True)]
        kept = rows_of(await run(ana, keeping.keep, 1))
        for n in range(keeping.LOGS_MAX - 3):
            await ana.call("logs.begin", name=f"{n}", readers=["bo"])
        assert [name for name, _ in await names()] == ["moments", "spine", "moments", *map(str, range(17))]
        await run(bo, keeping.put_back, 1, wire.encode(tuple((w, a, record.encode(said)) for w, a, said in kept)))
        back = await run(bo, lambda tx: [one for one in spaces.of(tx, spaces.OURS) if one.name == "moments"])
        assert [one.log.state for one in back] == [State.OVER, State.OVER, State.OK]
        assert [one.previous for one in back] == [0, back[0].log.number, back[1].log.number]

    world.run(story, 87)


def another(tx: Tx, key: SigningKey) -> None:
    """The feed goes on in another."""
    of = log_kit.own(tx, "moments")
    authoring.succeed(tx, of, of.anchor, key, 1, lambda count: of.log.id * (count // 16) + of.log.id[: count % 16])


def rows_of(kept: bytes) -> list[tuple[int, bytes, Grant]]:
    return [*keeping.check(kept)]


def test_a_backup_keeps_the_newest_logs_of_each_contact() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        assert await run(ana, keeping.keep, 1) is not None  # bo's spine
        await ana.call("logs.begin", name="trip", readers=["bo", "cy"])
        await ana.call("logs.begin", name="debts", readers=["cy"])
        await bo.call("logs.begin", name="tea", readers=["ana"])
        await ana.call("logs.write", log="trip", text="one")
        await w.until(lambda: log_kit.has(ana, "bo/tea"))
        await w.until(all_hold([(ana, "trip"), (bo, "ana/trip"), (cy, "ana/trip")], 1))
        of_bo, of_cy = rows_of(await run(ana, keeping.keep, 1)), rows_of(await run(ana, keeping.keep, 2))
        assert [(whose, one.name) for whose, _, one in of_bo] == [(1, "spine"), (1, "tea"), (0, "trip")]
        assert [(whose, one.name) for whose, _, one in of_cy] == [(1, "spine"), (0, "trip"), (0, "debts")]
        for whose, author, one in (*of_bo, *of_cy):
            name = one.name if whose == 0 else f"{'bo' if (whose, author, one) in of_bo else 'cy'}/{one.name}"
            shown = await row(ana, name)
            assert chains.log_id(one.secret, author, one.epoch).hex() == shown["id"]
            assert author.hex() == shown["device"]
        await ana.call("logs.reopen", log="debts")
        again = rows_of(await run(ana, keeping.keep, 2))
        assert [one.name for _, _, one in again] == ["spine", "trip", "debts"]  # its successor alone
        assert again[2][2].secret != of_cy[2][2].secret
        for n in range(keeping.LOGS_MAX + 5):
            await ana.call("logs.begin", name=f"{n:0>64}", readers=["bo"])
        full = await run(ana, keeping.keep, 1)
        assert len(full) <= keeping.KEPT_BYTES_MAX
        assert [one.name for _, _, one in rows_of(full)] == [f"{n:0>64}" for n in range(5, keeping.LOGS_MAX + 5)]

    world.run(story, 85)


def test_what_was_kept_is_put_back_once() -> None:
    async def story(w: World) -> None:
        ana, _ = await circle(w, "ana", "bo")
        author = bytes((9,)) * 32
        kept = wire.encode(
            (
                (1, author, record.encode(grant("tea", 1))),
                (0, author, record.encode(grant("trip", 2))),
            )
        )

        def back(tx: Tx) -> None:
            for _ in range(2):
                keeping.put_back(tx, 1, kept)

        await run(ana, back)
        tea, trip = await row(ana, "bo/tea"), await row(ana, "trip")
        assert (tea["entries"], tea["state"], tea["device"]) == (0, "ok", author.hex())
        assert (trip["author"], trip["readers"], trip["device"]) == ("", (("Bo", 0),), author.hex())
        trip_number = await run(ana, lambda tx: view.find(tx, "trip").log.number)
        assert await run(ana, lambda tx: [one for one in spaces.untold(tx) if one[0] == trip_number]) == []
        assert await Faults(ana).code("logs.write", log="trip", text="hi") == "log.over"  # another device wrote it
        assert [one["name"] for one in await ana.call("logs.list")].count("trip") == 1

    world.run(story, 86)


GOOD = (1, bytes(32), record.encode(grant("tea", 1)))
HOSTILE = {
    "nothing": b"",
    "no array": wire.encode(7),
    "a row that is none": wire.encode((7,)),
    "too few fields": wire.encode((GOOD[:2],)),
    "too many fields": wire.encode(((*GOOD, 1),)),
    "neither ours nor theirs": wire.encode(((2, *GOOD[1:]),)),
    "a negative whose": wire.encode(((-1, *GOOD[1:]),)),
    "an author of 31 bytes": wire.encode(((1, bytes(31), GOOD[2]),)),
    "an author of 33 bytes": wire.encode(((1, bytes(33), GOOD[2]),)),
    "an author in letters": wire.encode(((1, "x" * 32, GOOD[2]),)),
    "no grant": wire.encode(((1, bytes(32), b""),)),
    "another record": wire.encode(((1, bytes(32), record.encode(Note("hi"))),)),
    "a grant with a byte more": wire.encode(((1, bytes(32), GOOD[2] + b"\x00"),)),
    "a row too many": wire.encode((GOOD,) * (keeping.LOGS_MAX + 1)),
    "bytes behind it": wire.encode((GOOD,)) + b"\x00",
    "too large": wire.encode((GOOD,)) + bytes(keeping.KEPT_BYTES_MAX),
    "a role that nobody knows": wire.encode(
        ((1, bytes(32), wire.encode((301, 9, 0, bytes(32), bytes(32), "tea", None))),),
    ),
}


@pytest.mark.parametrize("why", HOSTILE)
def test_what_no_weft_has_kept_is_malformed(why: str) -> None:
    assert keeping.check(wire.encode((GOOD,)))
    with pytest.raises(Malformed):
        keeping.check(HOSTILE[why])


def test_notes_go_to_readers_alone() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        await ana.call("logs.begin", name="trip", readers=["bo"])
        await ana.call("logs.write", log="trip", text="for bo")
        await w.until(all_hold([(ana, "trip"), (bo, "ana/trip")], 1))
        assert await notes(bo, "ana/trip") == ["for bo"]
        assert [one["name"] for one in await cy.call("logs.list") if one["role"] == "notes"] == []
        assert await run(cy, lambda tx: len(people.contacts(tx))) == 2

    world.run(story, 87)
