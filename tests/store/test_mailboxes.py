"""The law of mail through keepers: nothing that was posted is lost, nothing is applied twice, and the sender learns it.

Keepers fill up, die, forget, drop, repeat and reorder; answers get lost; stores crash before a commit; streams carry
the same mail in between; sessions are forgotten.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crypto import keys
from protocol import content, envelope, ids, keeper_watch, parcel, record
from protocol.delivery import State
from protocol.mailbox import COPIES, Line
from protocol.receipt import Receipt
from store import collecting, inbox, inboxes, lanes, mailing, outbox, parcels, sessions
from store.collecting import Collected
from store.database import Tx
from store.inboxes import Mailbox
from store.mailing import Answer
from store.outbox import NeedBundle, Posted
from tests import depth
from tests.store import kit
from tests.store.kit import Note, Side

KEEP_S = 30 * 86_400
CALM_ROUNDS_MAX = 100  # restarts back off to a day, copies at all keepers take one, and new ones ten
CALM_S = 6 * 3600.0
KINDS = content.Kinds((Note, kit.Hallo, Receipt))


@dataclass
class Shelf:
    """A keeper's queue for one direction: what lies there, by cursor; what its owner has confirmed."""

    line: Line
    is_up: bool = True
    is_full: bool = False
    is_gone: bool = False
    is_false: bool = False  # somebody else answers in its place
    is_shut: bool = False  # and the sender has noticed
    items: list[bytes] = field(default_factory=list)


@dataclass
class End:
    """One store, what it has posted, and the shelves from which the other collects."""

    side: Side
    tx: Tx
    shelves: list[Shelf] = field(default_factory=list)  # where it leaves mail for the other
    posted: list[str] = field(default_factory=list)
    version: int = 0

    def rooms(self) -> inbox.Rooms:
        return inbox.Rooms(KINDS, {Note.KIND: kit.apply_note, kit.Hallo.KIND: kit.apply_note, Receipt.KIND: _receive})

    def boxes(self) -> tuple[Mailbox, ...]:
        return inboxes.of(self.tx, self.side.device)

    def shelf(self, box: Mailbox) -> Shelf:
        return next(one for one in self.shelves if one.line.sender == box.line.sender)

    def hear(self, lines: list[Line]) -> None:
        """The other tells where mail can be left."""
        self.version += 1
        inboxes.take(self.tx, self.side.device, self.version, lines, self.side.entropy)

    def plan(self) -> None:
        side = self.side
        reached = [box.id for box in self.boxes() if self.shelf(box).is_up and not self.shelf(box).is_shut]
        wanted, before = self.wanted(reached), self._numbers()
        planned = mailing.plan(self.tx, side.mine, side.device, reached, side.clock.ms, side.entropy, keys.encapsulate)
        if isinstance(planned, mailing.Planned):
            made = self.tx.all("SELECT message, line, number FROM parcel WHERE message != -1 ORDER BY 1, 2, 3")
            assert sorted(wanted) == [(message, line) for message, line, number in made if number > before[line]]

    def wanted(self, reached: list[int]) -> list[tuple[int, int]]:
        """(message, line) of each copy that is to be made, found by looking at everything that waits."""
        now_ms, open_, found = self.side.clock.ms, [], []
        lines = [box.id for box in self.boxes()]
        for line in reached:
            unanswered = self.tx.one("SELECT COUNT(*) FROM parcel WHERE line = ? AND until_ms = 0", (line,))
            if unanswered is not None and unanswered[0] < mailing.UNANSWERED_MAX:
                open_.append(line)
        for (message,) in self.tx.all("SELECT message FROM delivery WHERE device = ? ORDER BY 1", (self.side.device,)):
            copies = parcels.copies(self.tx, self.side.device, message)
            good = [(line, until) for line, sealed, until in copies if sealed > now_ms - mailing.RENEW_MS]
            is_late = bool(copies) and copies[0][1] + mailing.EVERYWHERE_MS <= now_ms
            most = len(lines) if is_late else min(len(lines), COPIES)
            most -= sum(until > 0 or line in open_ for line, until in good)
            free = [line for line in open_ if line not in [there for there, _ in good]][: max(0, most)]
            found.append([(message, line) for line in free])
        return [copy for copies in list(filter(None, found))[: mailing.MESSAGES_MAX] for copy in copies]

    def _numbers(self) -> dict[int, int]:
        return dict(self.tx.all("SELECT id, number FROM inbox_line"))

    def put(self, most: int, answers: int) -> None:
        """Puts what there is at each keeper that is up; only the first `answers` of its answers come back."""
        for box in self.boxes():
            shelf = self.shelf(box)
            for place, one in enumerate(parcels.to_put(self.tx, box.id, most)):
                if not shelf.is_up or shelf.is_full or shelf.is_shut:
                    break
                if shelf.is_false:
                    shelf.is_shut = True
                    mailing.answered(self.tx, box, one.number, Answer.GONE, 0, self.side.clock.ms)
                    break
                if one.envelope not in shelf.items:
                    shelf.items.append(one.envelope)
                if place >= answers:
                    break
                mailing.answered(self.tx, box, one.number, Answer.KEPT, KEEP_S, self.side.clock.ms)

    def collect(self, author: "End", most: int, *, confirmed: bool) -> None:
        """Takes in the first items of each shelf that is up, and has them deleted."""
        for shelf in author.shelves:
            if not shelf.is_up:
                continue
            said = [parcel.unwrap(shelf.line.wrap_key, shelf.line.sender, raw) for raw in shelf.items[:most]]
            found = [Collected(one.run, one.sealing, one.inner) for one in said]
            took = collecting.take(self.tx, self.rooms(), self.side.mine, self.side.contact, found, self.side.clock.ms)
            for _, accepted in took:
                owed = (*accepted.heard, *accepted.read)
                if owed:
                    self.say(Receipt(owed))
            if confirmed:
                del shelf.items[:most]

    def say(self, what: object) -> None:
        side = self.side
        message_id = ids.new_message_id(side.clock.ms, side.entropy)
        raw = content.say(message_id=message_id, hlc_ms=side.clock.ms, device_seq=1, parents=(), content=what)
        posted = Posted(message_id, type(what).KIND, side.clock.ms, raw)  # type: ignore[attr-defined]
        outbox.post(self.tx, side.contact, (posted,), side.clock.ms)

    def texts(self) -> list[str]:
        return [text for (text,) in self.tx.all("SELECT text FROM note ORDER BY seq")]


def _receive(tx: Tx, arrival: inbox.Arrival) -> None:
    message_ids = tuple(map(ids.MessageId, arrival.said.content.ids))
    outbox.received_receipt(tx, arrival.device.id, message_ids, arrival.now_ms)


class Weather:
    """Two ends, so many keepers for each direction, and all that can happen. Every step is a transaction, or none."""

    def __init__(self, ana: End, bo: End, keepers: int) -> None:
        self.ends = (ana, bo)
        self.keepers = keepers
        self._numbers = count()
        self._ids = kit.entropy_of("shelves")
        for end in self.ends:
            self.appoint(end, keepers)

    def appoint(self, author: End, most: int) -> None:
        """The other has new queues; those that it had are closed."""
        for shelf in author.shelves:
            shelf.is_gone, shelf.is_up = True, True
            shelf.items.clear()
        draw = self._ids
        lines = [Line(draw(32), (), draw(32), draw(16), draw(32), draw(32), draw(16)) for _ in range(most)]
        author.shelves += [Shelf(line) for line in lines]
        author.hear(lines)

    def step(self, kind: str, at: int, most: int) -> None:
        author, reader = self.ends[at], self.ends[1 - at]
        living = [one for one in author.shelves if not one.is_gone]
        shelf = living[most % len(living)]
        match kind:
            case "post":
                for _ in range(most):
                    text = f"{author.side.name} {next(self._numbers)}"
                    author.side.post_in(author.tx, text)
                    author.posted.append(text)
            case "plan":
                author.plan()
            case "leave":
                author.plan()
                author.put(most, most)
            case "put, and some answers are lost":
                author.put(most, most // 2)
            case "collect":
                reader.collect(author, most, confirmed=True)
            case "collect, and the confirmation is lost":
                reader.collect(author, most, confirmed=False)
            case "crash before the commit":
                reader.tx.execute("SAVEPOINT crash")
                reader.collect(author, most, confirmed=False)
                reader.tx.execute("ROLLBACK TO crash")
                reader.tx.execute("RELEASE crash")
            case "stream":
                self.stream(author, reader, most)
            case "keeper down or up":
                shelf.is_up = not shelf.is_up
            case "keeper full or empty":
                shelf.is_full = not shelf.is_full
            case "somebody answers for the keeper, or no more":
                shelf.is_false = not shelf.is_false
            case "keeper drops":
                del shelf.items[: most // 2]
            case "keeper reorders and repeats":
                shelf.items = [*reversed(shelf.items), *shelf.items[:most]]
            case "keeper forgets the queue":
                self.appoint(author, self.keepers)
            case "forget the sessions":  # as a disk does that was put back to before they began
                author.tx.execute("DELETE FROM session")
                author.tx.execute("DELETE FROM px3_seen")
            case "time":
                for one in living:
                    one.is_shut = False
                author.side.clock.pass_s(3000.0 * most)
                parcels.expire(author.tx, author.side.clock.ms)

    def stream(self, author: End, reader: End, most: int) -> None:
        """A talk that begins, carries something, is acknowledged in part, and breaks."""
        outbox.requeue(author.tx, author.side.device)
        sealed = author.side.seal_in(author.tx, most)
        if isinstance(sealed, NeedBundle):
            return
        accepted = inbox.accept(
            reader.tx,
            reader.rooms(),
            reader.side.mine,
            reader.side.device,
            [one.envelope for one in sealed],
            reader.side.clock.ms,
        )
        held = [index for index in accepted.held if index < most // 2]
        author.side.acked_in(author.tx, sealed[: most // 2], held)
        outbox.requeue(author.tx, author.side.device)

    def clear_up(self) -> None:
        """From now on all keepers are there, have room and keep what they get."""
        for end in self.ends:
            for shelf in end.shelves:
                shelf.is_up, shelf.is_full, shelf.is_false, shelf.is_shut = True, False, False, False
                shelf.items = list(dict.fromkeys(shelf.items))

    def give_bundles(self) -> None:
        """A stream gives each a bundle of the other."""
        for author, reader in (self.ends, self.ends[::-1]):
            bundle = author.side.bundle_in(author.tx)
            sessions.store_bundle(reader.tx, reader.side.device, bundle, reader.side.clock.ms)

    def go_on(self) -> None:
        """A quarter of a day: sessions are healed, everything is left and collected."""
        for _ in range(3):
            for author, reader in (self.ends, self.ends[::-1]):
                author.side.heal_in(author.tx)
                author.plan()
                author.put(1000, 1000)
                reader.collect(author, 1000, confirmed=True)
        self.ends[0].side.clock.pass_s(CALM_S)

    def is_over(self) -> bool:
        return not any(lanes.count(end.tx, end.side.device) for end in self.ends)


KINDS_OF_STEP = [
    *(
        "post",
        "post",
        "post",
        "leave",
        "leave",
        "leave",
        "plan",
        "put, and some answers are lost",
        "collect",
        "collect",
    ),
    *("collect, and the confirmation is lost", "crash before the commit", "stream", "keeper down or up"),
    *(
        "keeper full or empty",
        "somebody answers for the keeper, or no more",
        "keeper drops",
        "keeper reorders and repeats",
        "keeper forgets the queue",
    ),
    *("forget the sessions", "time"),
]
STEPS = st.lists(
    st.tuples(st.sampled_from(KINDS_OF_STEP), st.integers(0, 1), st.integers(1, 9)), min_size=30, max_size=90
)


@settings(max_examples=depth.EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.integers(1, 3), st.booleans())
async def test_mail_through_keepers_is_neither_lost_nor_doubled(
    steps: list[tuple[str, int, int]], keepers: int, has_streams: bool
) -> None:
    async with AsyncExitStack() as stack:
        ana, bo = await stack.enter_async_context(kit.open_memory_pair())
        await kit.converse(ana, bo, 1)
        weather = Weather(End(ana, await kit.grip(ana)), End(bo, await kit.grip(bo)), keepers)
        before = {end.side.name: end.texts() for end in weather.ends}
        for kind, at, most in steps:
            weather.step(kind, at, most)
        weather.clear_up()
        if not has_streams:  # whoever has lost his sessions gets no bundle but by keepers
            for end in weather.ends:
                end.tx.execute("UPDATE device SET bundle = x''")
        for _ in range(CALM_ROUNDS_MAX):
            if weather.is_over():
                break
            if has_streams:
                weather.give_bundles()
            weather.go_on()
        for author, reader in (weather.ends, weather.ends[::-1]):
            assert sorted(reader.texts()) == sorted([*before[reader.side.name], *author.posted])
            assert lanes.count(author.tx, author.side.device) == 0
            states = author.tx.all("SELECT DISTINCT state FROM message WHERE device = 0")
            assert states in ([], [(int(State.DELIVERED),)])
            assert author.tx.one("SELECT COUNT(*) FROM parcel WHERE until_ms > 0 AND message != 0") == (0,)


def test_no_line_has_more_unanswered_than_who_was_put_back_counts_with() -> None:
    assert mailing.UNANSWERED_MAX - 1 + mailing.MESSAGES_MAX <= keeper_watch.UNANSWERED_MAX


async def test_a_receipt_that_its_keepers_lost_is_asked_for_by_leaving_the_message_anew() -> None:
    async with AsyncExitStack() as stack:
        ana, bo = await stack.enter_async_context(kit.open_memory_pair())
        await kit.converse(ana, bo, 1)
        weather = Weather(End(ana, await kit.grip(ana)), End(bo, await kit.grip(bo)), 1)
        ends, before = weather.ends, weather.ends[1].texts()
        weather.step("post", 0, 1)
        weather.step("leave", 0, 1)
        weather.step("collect", 0, 1)
        weather.step("leave", 1, 1)
        ends[1].shelves[0].items.clear()  # the receipt; Bo has nothing more to say
        assert weather.ends[1].texts() == [*before, *ends[0].posted]
        for _ in range(44):
            weather.go_on()
        assert weather.is_over()
        assert ends[1].texts() == [*before, *ends[0].posted]


async def test_nothing_that_is_asked_often_walks_through_all_queues_or_parcels() -> None:
    async with AsyncExitStack() as stack:
        ana, _ = await stack.enter_async_context(kit.open_memory_pair())
        tx = await kit.grip(ana)
        for sql in (
            "SELECT id FROM queue WHERE keeper = 1 ORDER BY contact",
            "SELECT id FROM queue WHERE contact = 1 AND keeper = 1",
            "SELECT id FROM queue WHERE reader = x'00' AND keeper = 1",
            "SELECT id FROM queue WHERE sender = x'00'",
            "SELECT number, envelope FROM parcel WHERE line = 1 AND until_ms = 0 ORDER BY number LIMIT 9",
            "SELECT 1 FROM parcel WHERE device = 1 LIMIT 1",
            "SELECT line, sealed_ms, until_ms FROM parcel WHERE device = 1 AND message = 1 ORDER BY sealed_ms, line",
            "DELETE FROM parcel WHERE device = 1 AND until_ms > 0",
            "DELETE FROM parcel WHERE line = 1",
            "SELECT id FROM inbox_line WHERE device = 1 ORDER BY place",
        ):
            steps = [row[3] for row in tx.all(f"EXPLAIN QUERY PLAN {sql}")]
            assert not any(step.startswith("SCAN") for step in steps), (sql, steps)


async def test_what_is_left_next_is_found_without_walking_through_what_waits() -> None:
    async with AsyncExitStack() as stack:
        ana, _ = await stack.enter_async_context(kit.open_memory_pair())
        tx = await kit.grip(ana)
        for sql, columns in (
            (
                "SELECT message FROM delivery WHERE device = 1 AND due_ms > 0 AND due_ms <= 9 ORDER BY due_ms, message",
                "(device=? AND due_ms>? AND due_ms<?)",
            ),
            ("SELECT MIN(copies) FROM delivery WHERE device = 1 AND copies > ''", "(device=? AND copies>?)"),
            (
                "SELECT message FROM delivery INDEXED BY delivery_copies WHERE device = 1 AND copies = ''"
                " AND due_ms NOT BETWEEN 1 AND 9 ORDER BY message LIMIT 9",
                "(device=? AND copies=?)",
            ),
        ):
            (step,) = [row[3] for row in tx.all(f"EXPLAIN QUERY PLAN {sql}")]  # and nothing is sorted
            assert step.startswith("SEARCH")
            assert step.endswith(columns)


async def test_of_two_devices_that_fill_one_queue_each_is_read_with_its_own_session(tmp_path: Path) -> None:
    clock = kit.Clock()
    async with (
        kit.open_side(tmp_path / "a", "Ana", clock) as ana,
        kit.open_side(tmp_path / "b", "Bo", clock) as phone,
        kit.open_side(tmp_path / "c", "Bo's other", clock) as laptop,
    ):
        await kit.acquaint(ana, phone)
        bo, phone_at_ana = ana.contact, ana.device
        await kit.converse(ana, phone, 1)
        await kit.acquaint(ana, laptop)
        laptop_at_ana = ana.device
        await kit.converse(ana, laptop, 1)

        def one_contact(tx: Tx) -> None:
            tx.execute("UPDATE device SET contact = ? WHERE id = ?", (bo, laptop_at_ana))

        await ana.run(one_contact)
        sealed = []
        for number, side in enumerate((phone, laptop, phone)):
            await side.post(f"text {number}")
            (envelope_,) = (one.envelope for one in await side.seal())
            inner = record.encode(envelope.disclose(envelope_))
            sealed.append(Collected(bytes((number,)) * parcel.RUN_BYTES, 1, inner))

        def take(tx: Tx) -> list[tuple[int, bool]]:
            took = collecting.take(tx, ana.rooms, ana.mine, bo, sealed, clock.ms)
            return [(device_id, accepted.unreadable) for device_id, accepted in took]

        devices = (phone_at_ana, laptop_at_ana, phone_at_ana)
        assert await ana.run(take) == [(one, False) for one in devices]
        assert (await ana.notes())[-3:] == ["text 0", "text 1", "text 2"]
