"""What lies at a keeper: who may put, fetch and delete what, and how much (docs/protocol/keep.md 3 to 6)."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from protocol import keep, keep_proof, work
from protocol.keep import Status
from store import keeping, own_keeper, permits, shelves
from store.connection import PAGE_BYTES
from store.database import Tx, Worker, open_database
from store.shelves import Arriving, Taken
from tests.store import golden, keep_kit
from tests.store.keep_kit import DAY, GIB, KIB, MIB, NONCE, arriving, check_counts, owner, put, queue, texts


@pytest.fixture
def tx() -> Iterator[Tx]:
    with keep_kit.open_tx() as opened:
        yield opened


def status(tx: Tx, one: Arriving, age_s: int = 0) -> Status:
    (taken,) = shelves.put(tx, (one,), age_s, (DAY,))
    return taken.status


# --- putting and fetching


def test_what_is_put_is_fetched_in_order_until_it_is_done(tx: Tx) -> None:
    ana = owner(tx)
    assert shelves.open_queues(tx, ana, (queue(1), queue(2))) is Status.OK
    for n, door in enumerate((1, 2, 1)):
        assert put(tx, door, n, ttl_s=100) == Taken(Status.OK, keep_kit.put_key_of(door), 100, ana.id)
    page = shelves.fetch(tx, ana.id, 0, 512)
    assert [(one.seq, one.reader) for one in page.items] == [
        (n, keep_kit.sender_of(q)) for n, q in ((1, 1), (2, 2), (3, 1))
    ]
    assert texts(tx, ana.id, after=1) == ["1", "2"]
    assert not shelves.done(tx, ana.id, 2)
    assert texts(tx, ana.id) == ["2"]
    check_counts(tx)
    assert put(tx, 1, "new").owner == ana.id
    assert shelves.fetch(tx, ana.id, 0, 512).items[-1].seq == 4


def test_numbers_are_never_given_twice(tx: Tx) -> None:
    ana = owner(tx)
    shelves.open_queues(tx, ana, (queue(1),))
    for n in range(1, 5):
        put(tx, 1, n)
        assert shelves.fetch(tx, ana.id, 0, 1).items[0].seq == n
        shelves.done(tx, ana.id, n)


def test_the_numbers_of_one_owner_tell_nothing_of_others(tx: Tx) -> None:
    ana, bo = owner(tx, 1), owner(tx, 2)
    shelves.open_queues(tx, ana, (queue(1),))
    shelves.open_queues(tx, bo, (queue(2),))
    for n in range(5):
        put(tx, 1, n)
    put(tx, 2, "bo's")
    assert shelves.fetch(tx, bo.id, 0, 9).items[0].seq == 1


def test_a_page_has_what_was_asked_for_and_60_000_bytes_or_one_envelope(tx: Tx) -> None:
    ana = owner(tx)
    shelves.open_queues(tx, ana, (queue(1),))
    for n in range(60):
        put(tx, 1, n)
    for n, size in enumerate((64, 64, 16), 60):
        put(tx, 1, n, size=size * KIB)
    fetched = [
        (len(page.items), page.more)
        for after, count in (
            (0, 512),
            (0, 58),
            (0, 7),
            (55, 512),
            (60, 512),
            (61, 512),
            (62, 512),
            (63, 512),
            (2**53 - 1, 1),
        )
        for page in (shelves.fetch(tx, ana.id, after, count),)
    ]
    assert fetched == [(58, 1), (58, 1), (7, 1), (5, 1), (1, 1), (1, 1), (1, 0), (0, 0), (0, 0)]


def test_an_envelope_is_kept_once_until_it_is_done(tx: Tx) -> None:
    ana = owner(tx)
    shelves.open_queues(tx, ana, (queue(1, (1, 2)), queue(3)))
    assert put(tx, 1, "x", ttl_s=100) == Taken(Status.OK, keep_kit.put_key_of(1), 100, ana.id)
    assert put(tx, 1, "x", ttl_s=500, age_s=30) == Taken(Status.OK, keep_kit.put_key_of(1), 70, 0)
    assert put(tx, 2, "x").status is Status.OK  # the same queue by another door
    assert put(tx, 3, "x").status is Status.OK  # another queue
    assert texts(tx, ana.id) == ["x", "x"]
    shelves.done(tx, ana.id, 2)
    assert put(tx, 1, "x").owner == ana.id
    assert texts(tx, ana.id) == ["x"]
    check_counts(tx)


def test_an_envelope_that_has_expired_is_kept_again(tx: Tx) -> None:
    ana = owner(tx)
    shelves.open_queues(tx, ana, (queue(1),))
    put(tx, 1, "x", ttl_s=100)
    assert put(tx, 1, "x", ttl_s=50, age_s=100) == Taken(Status.OK, keep_kit.put_key_of(1), 50, ana.id)
    assert [one.seq for one in shelves.fetch(tx, ana.id, 0, 9).items] == [2]
    check_counts(tx)


def test_it_is_kept_as_long_as_asked_but_no_longer_than_queue_and_permit_allow(tx: Tx) -> None:
    ana, bo, own = owner(tx, 1), owner(tx, 2, ttl_s=70), owner(tx, 0)
    shelves.open_queues(tx, ana, (queue(1, ttl_s=90), queue(2, ttl_s=90 * keep.DAY_S)))
    shelves.open_queues(tx, bo, (queue(3, ttl_s=90),))
    shelves.open_queues(tx, own, (queue(4, ttl_s=90 * keep.DAY_S),))
    assert [put(tx, door, door, ttl_s=2**32 - 1).kept_s for door in (1, 2, 3, 4)] == [
        90,
        30 * keep.DAY_S,
        70,
        90 * keep.DAY_S,
    ]


# --- case 47: without the token


def test_case_47_without_the_token_nothing_is_put(tx: Tx) -> None:
    ana = owner(tx)
    shelves.open_queues(tx, ana, (queue(1), queue(2)))
    good = arriving(1, "x")
    hostile = {
        "no such door": arriving(7, "x"),
        "no such door, the key of nobody": arriving(7, "x", key=shelves.NOBODY),
        "another queue's token": arriving(1, "x", key=keep_kit.put_key_of(2)),
        "another door with this mac": replace_put(good, sender=keep_kit.sender_of(2)),
        "another time": replace_put(good, ttl_s=1),
        "no mac": replace_put(good, mac=bytes(32)),
        "another request's": good._replace(n=2),
        "another stream's": good._replace(nonce=b"x" * 32),
        "another envelope": good._replace(named=keep_proof.envelope_id(b"x")),
    }
    assert {name: status(tx, one) for name, one in hostile.items()} == dict.fromkeys(hostile, Status.GONE)
    full, gone = Taken(Status.FULL, keep_kit.put_key_of(1)), (Taken(Status.GONE),) * len(hostile)
    assert shelves.put(tx, (*hostile.values(),), 0, (DAY,)) == gone  # without any key; and on a disk that takes nothing
    assert shelves.turned_away(tx, (*hostile.values(), good)) == (*gone, full)
    assert texts(tx, ana.id) == []
    check_counts(tx)
    assert status(tx, good) is Status.OK


def replace_put(one: Arriving, **changed: Any) -> Arriving:
    return one._replace(put=replace(one.put, **changed))


def test_case_47_a_token_that_was_withdrawn_opens_nothing(tx: Tx) -> None:
    ana = owner(tx)
    shelves.open_queues(tx, ana, (queue(1, (1, 2)), queue(3)))
    put(tx, 1, "before")
    shelves.open_queues(tx, ana, (queue(1, (2,)),))  # without door 1
    shelves.close(tx, ana.id, keep_kit.sender_of(3))
    assert [put(tx, door, door).status for door in (1, 2, 3)] == [Status.GONE, Status.OK, Status.GONE]
    assert texts(tx, ana.id) == ["before", "2"]
    other_key = keep.Door(keep_kit.sender_of(2), b"X" * 32, 500, 0)
    shelves.open_queues(tx, ana, (replace(queue(1), doors=(other_key,)),))
    assert put(tx, 2, "after").status is Status.GONE
    shelves.open_queues(tx, ana, (queue(1),))
    assert permits.withdraw(tx, 1) == ana.id
    assert put(tx, 1, "after").status is Status.GONE


def test_a_door_may_ask_for_work(tx: Tx) -> None:
    ana = owner(tx)
    shelves.open_queues(tx, ana, (queue(1, bits=8),))
    envelope = keep_kit.envelope("x")
    named = keep_proof.envelope_id(envelope)
    found = work.find(keep_kit.sender_of(1), DAY, named, 8, 0)
    for number, expected in ((None, Status.WORK), (found, Status.OK)):
        asked = keep_proof.put(keep_kit.put_key_of(1), NONCE, 1, keep_kit.sender_of(1), envelope, 60, number)
        assert status(tx, Arriving(asked, 1, NONCE, named)) is expected


# --- queues


def test_who_opens_again_changes_limits_and_doors_and_keeps_what_lies_there(tx: Tx) -> None:
    ana = owner(tx)
    shelves.open_queues(tx, ana, (queue(1),))
    put(tx, 1, "x")
    assert shelves.open_queues(tx, ana, (queue(1, (1, 2), items=2),)) is Status.OK
    assert put(tx, 2, "y").status is Status.OK
    assert put(tx, 2, "z").status is Status.QUOTA
    assert texts(tx, ana.id) == ["x", "y"]
    assert shelves.used(tx, ana.id) == keep.Used(2 * KIB, 2, GIB, 1)
    check_counts(tx)


def test_a_door_of_another_queue_is_refused_and_nothing_of_that_request_is_done(tx: Tx) -> None:
    ana, bo = owner(tx, 1), owner(tx, 2)
    shelves.open_queues(tx, ana, (queue(1), queue(2)))
    for other, theirs in ((bo, queue(4, (1,))), (ana, queue(4, (1,))), (ana, queue(2, (2, 1)))):
        assert shelves.open_queues(tx, other, (queue(3), theirs)) is Status.REFUSED
    assert put(tx, 3, "x").status is Status.GONE
    assert put(tx, 1, "x").owner == ana.id
    assert shelves.used(tx, bo.id).queues == 0
    check_counts(tx)


def test_a_closed_queue_is_gone_with_its_doors_and_parcels_in_slices(tx: Tx) -> None:
    ana = owner(tx)
    shelves.open_queues(tx, ana, (queue(1, items=2000, door_items=2000), queue(2)))
    ana_own = owner(tx, 0)
    shelves.open_queues(tx, ana_own, (queue(9, items=2000, door_items=2000),))
    for n in range(shelves.SLICE + 1):
        put(tx, 9, n)
    put(tx, 2, "other")
    reader = keep_kit.sender_of(9)
    assert shelves.close(tx, ana_own.id, reader)
    assert put(tx, 9, "x").status is Status.GONE
    assert not shelves.close(tx, ana_own.id, reader)
    assert not shelves.close(tx, ana_own.id, reader)  # unknown: well
    assert shelves.used(tx, ana_own.id) == keep.Used(0, 0, GIB, 0)
    assert texts(tx, ana.id) == ["other"]
    check_counts(tx)
    assert shelves.open_queues(tx, ana_own, (queue(9),)) is Status.OK


def test_case_50_an_owner_reaches_nothing_of_another(tx: Tx) -> None:
    ana, bo, cy = owner(tx, 1), owner(tx, 2), owner(tx, 3)
    for one, number in ((ana, 1), (bo, 2), (cy, 3)):
        shelves.open_queues(tx, one, (queue(number),))
    for n in range(3):
        put(tx, 1, n)
        put(tx, 3, n)
    reader = keep_kit.sender_of(1)
    for after in (0, 1, 2**39, 2**40 - 1, 2**40, 2**53 - 1):
        assert shelves.fetch(tx, bo.id, after, 512) == keep.Items((), 0)
        shelves.done(tx, bo.id, after)
    shelves.close(tx, bo.id, reader)
    assert shelves.open_queues(tx, bo, (replace(queue(2), reader=reader, doors=()),)) is Status.OK  # a queue of his own
    assert shelves.fetch(tx, bo.id, 0, 512) == keep.Items((), 0)
    assert texts(tx, ana.id) == texts(tx, cy.id) == ["0", "1", "2"]
    check_counts(tx)


# --- case 49: quotas


def test_case_49_a_full_door_queue_and_owner_are_told_and_go_on_when_there_is_room(tx: Tx) -> None:
    ana, bo = owner(tx, 1, space=8 * KIB), owner(tx, 2)
    queues = (queue(1, door_items=2), queue(2, (2, 3), items=2), queue(4, size=4 * KIB), queue(5))
    shelves.open_queues(tx, ana, queues)
    shelves.open_queues(tx, bo, (queue(6),))
    for door, fits in ((1, 2), (2, 2), (4, 4)):
        assert [put(tx, door, (door, n)).status for n in range(fits + 1)] == [Status.OK] * fits + [Status.QUOTA]
    assert put(tx, 3, "the queue is full by another door too").status is Status.QUOTA
    assert put(tx, 4, "never", size=16 * KIB).status is Status.TOO_BIG
    assert put(tx, 5, "the owner is full").status is Status.QUOTA
    assert put(tx, 6, "others are not").status is Status.OK
    assert put(tx, 1, (1, 0)).status is Status.OK  # it lies there already
    shelves.done(tx, ana.id, 2)
    assert put(tx, 1, "again").status is Status.OK
    assert put(tx, 5, "again").status is Status.OK
    check_counts(tx)


def test_what_has_expired_makes_room_before_anybody_is_told_of_a_quota(tx: Tx) -> None:
    ana = owner(tx)
    shelves.open_queues(tx, ana, (queue(1, items=1),))
    put(tx, 1, "old", ttl_s=10)
    assert put(tx, 1, "new", age_s=9).status is Status.QUOTA
    assert put(tx, 1, "new", age_s=10).status is Status.OK
    assert texts(tx, ana.id) == ["new"]
    check_counts(tx)


def test_case_49_the_file_never_grows_over_what_was_given(tx: Tx) -> None:
    own = owner(tx, 0)
    keeping.give(tx, MIB)
    shelves.open_queues(tx, own, (queue(1, items=2000, door_items=2000, size=64 * MIB),))

    def file_bytes() -> int:
        (pages,) = tx.one("PRAGMA page_count") or (0,)
        return int(pages) * PAGE_BYTES

    kept = 0
    for n in range(1500):
        size = (KIB, 4 * KIB, 16 * KIB, 64 * KIB)[n % 4]
        kept += put(tx, 1, n, size=size).status is Status.OK
        assert file_bytes() <= MIB
    assert kept > 20
    assert put(tx, 1, "x").status is Status.QUOTA
    many = tuple(queue(n, tuple(range(1000 + n * 257, 1257 + n * 257))) for n in range(2, 5))
    assert shelves.open_queues(tx, own, many) is Status.QUOTA
    shelves.done(tx, own.id, kept // 2)
    assert put(tx, 1, "x").status is Status.OK
    assert file_bytes() <= MIB
    check_counts(tx)


def test_an_owner_has_so_many_queues(tx: Tx) -> None:
    ana = owner(tx)
    for start in range(0, keep.QUEUES_OWNER_MAX, 60):
        assert shelves.open_queues(tx, ana, tuple(queue(n, ()) for n in range(start, start + 60))) is Status.OK
    assert shelves.open_queues(tx, ana, (queue(keep.QUEUES_OWNER_MAX, ()),)) is Status.QUOTA
    assert shelves.open_queues(tx, ana, (queue(0, ()),)) is Status.OK
    check_counts(tx)


# --- permits and owners


def test_a_permit_serves_the_newest_key_and_the_queues_of_the_older_end(tx: Tx) -> None:
    old = owner(tx)
    shelves.open_queues(tx, old, (queue(1), queue(2)))
    put(tx, 1, "old")
    shelves.enrol(tx, old.permit, b"new".ljust(32))
    new = shelves.owner(tx, b"new".ljust(32))
    assert new is not None
    assert shelves.owner(tx, keep_kit.key_of(1)) is None
    assert put(tx, 1, "x").status is Status.GONE
    assert texts(tx, new.id) == []
    assert shelves.open_queues(tx, new, (queue(1),)) is Status.OK  # a door of who is no owner any more is free
    assert put(tx, 1, "new").owner == new.id
    keep_kit.swept(tx)
    assert texts(tx, new.id) == ["new"]
    assert tx.all("SELECT id FROM owner") == [(new.id,)]
    assert tx.all("SELECT reader FROM queue") == [(keep_kit.sender_of(1),)]
    assert tx.all("SELECT sender FROM door") == [(keep_kit.sender_of(1),)]
    check_counts(tx)


def test_a_key_that_is_shown_again_keeps_what_it_has(tx: Tx) -> None:
    ana = owner(tx)
    shelves.open_queues(tx, ana, (queue(1),))
    put(tx, 1, "x")
    assert owner(tx) == ana
    assert texts(tx, ana.id) == ["x"]


def test_what_belongs_to_nobody_is_swept_away_in_slices(tx: Tx) -> None:
    own, bo = owner(tx, 0), owner(tx, 2)
    shelves.open_queues(tx, own, (queue(1, items=2000, door_items=2000),))
    shelves.open_queues(tx, bo, (queue(2),))
    put(tx, 2, "bo's")
    for n in range(shelves.SLICE + 1):
        put(tx, 1, n)
    permits.withdraw(tx, 0)
    assert shelves.sweep(tx)
    assert tx.all("SELECT COUNT(*) FROM parcel") == [(2,)]
    keep_kit.swept(tx)
    assert [tx.one(f"SELECT COUNT(*) FROM {table}") for table in ("owner", "queue", "door", "parcel")] == [(1,)] * 4
    assert texts(tx, bo.id) == ["bo's"]
    assert not shelves.sweep(tx)


def test_a_permit_is_changed_and_shows_what_its_owner_has(tx: Tx) -> None:
    ana = owner(tx, 1, space=MIB)
    permits.make(tx, 2, MIB, 100, b"2" * 32)
    assert permits.make(tx, 1, 2 * KIB, 50, b"x" * 32) == bytes((1,)) * 32
    shelves.open_queues(tx, ana, (queue(1),))
    put(tx, 1, "x")
    permits.seen(tx, ana.permit, 77)
    assert permits.uses(tx) == (permits.Use(1, KIB, 1, 1, 77, 2 * KIB), permits.Use(2, 0, 0, 0, 0, MIB))
    assert permits.count(tx) == 2
    assert permits.withdraw(tx, 3) is None


# --- age


def test_what_expired_goes_in_slices_the_oldest_rows_only(tx: Tx) -> None:
    ana, own = owner(tx), owner(tx, 0)
    shelves.open_queues(tx, ana, (queue(1),))
    shelves.open_queues(tx, own, (queue(2, items=2000, door_items=2000),))
    for n in range(shelves.SLICE + 1):
        put(tx, 2, n, ttl_s=10)
    put(tx, 1, "stays", ttl_s=11)
    assert not shelves.expire(tx, 9)
    assert shelves.expire(tx, 10)
    assert not shelves.expire(tx, 10)
    assert texts(tx, own.id) == []
    assert texts(tx, ana.id) == ["stays"]
    check_counts(tx)


@pytest.mark.parametrize(
    ("wall_s", "age_s"),
    [
        (1_000_500, 1500),
        (1_000_000, 1000),
        (1_000_000 + 86_400, 1000 + 86_400),
        (1_000_000 + 86_401, 1000),
        (1_000_000 + 7 * 86_400, 1000),
        (1_000_000 - 7 * 86_400, 1000),
        (999_999, 1000),
    ],
)
def test_a_stop_counts_up_to_a_day_and_a_clock_that_is_wrong_by_a_week_counts_nothing(
    tx: Tx, wall_s: int, age_s: int
) -> None:
    keeping.tick(tx, 1000, 1_000_000)
    assert keeping.begin(tx, wall_s) == age_s
    assert keeping.begin(tx, wall_s + 10) == age_s + 10


# --- tables


async def test_the_tables_of_a_keeper_are_the_golden_ones(tmp_path: Path) -> None:
    """Changed tables are a new migration; then this sample is written anew: `python -m tests.store.golden`."""
    async with open_database(tmp_path / "x.db", bytes(32), own_keeper.TABLES, Worker.INLINE) as db:
        assert await db.transact(golden.dump) == golden.KEEPING_PATH.read_text()


async def test_a_keeper_of_ones_own_is_the_same_after_a_restart(tmp_path: Path) -> None:
    made = []
    for byte in (b"a", b"b"):
        async with open_database(tmp_path / "x.db", bytes(32), own_keeper.TABLES, Worker.INLINE) as db:
            made.append(await db.transact(own_keeper.begin, lambda size, byte=byte: byte * size))
    assert made[0] == made[1] == own_keeper.Self(b"a" * 32, b"a" * 32)
    assert "aaaa" not in repr(made)


# --- plans


def test_no_statement_walks_through_what_lies_there(tx: Tx) -> None:
    statements: dict[str, None] = {}
    tx.execute.__self__.set_trace_callback(lambda sql: statements.setdefault(sql))  # type: ignore[attr-defined]
    ana = owner(tx)
    shelves.open_queues(tx, ana, (queue(1), queue(2)))
    shelves.open_queues(tx, ana, (queue(1, (3,)),))
    put(tx, 3, "x", ttl_s=5)
    put(tx, 3, "x", ttl_s=5, age_s=5)
    shelves.fetch(tx, ana.id, 0, 5)
    shelves.used(tx, ana.id)
    shelves.done(tx, ana.id, 1)
    shelves.expire(tx, 100)
    put(tx, 2, "y")
    shelves.close(tx, ana.id, keep_kit.sender_of(2))
    permits.seen(tx, ana.permit, 1)
    permits.withdraw(tx, 1)
    keep_kit.swept(tx)
    tx.execute.__self__.set_trace_callback(None)  # type: ignore[attr-defined]
    looked = [sql for sql in statements if sql.startswith(("SELECT", "UPDATE", "DELETE", "INSERT INTO parcel"))]
    assert len(looked) > 30
    for sql in looked:
        steps = [row[3] for row in tx.all(f"EXPLAIN QUERY PLAN {sql}")]
        assert not any(step.startswith("SCAN") and step != "SCAN CONSTANT ROW" for step in steps), (sql, steps)
        assert not any("TEMP B-TREE" in step for step in steps), (sql, steps)
