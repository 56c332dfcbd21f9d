"""Records that lie at a keeper: checked as in the DHT, the newer of a name stays, they age by the keeper's clock."""

from collections.abc import Iterator

import pytest

from crypto.faults import PeerFault
from protocol import keep, presence_record, rendezvous
from protocol.keep import Status
from protocol.presence_record import Presence
from store import keeping, laid, permits
from store.database import Tx
from tests.protocol import meetings
from tests.protocol.circle import NOW_S
from tests.store import keep_kit

LYING = meetings.presence()
LIFE_S = rendezvous.ends_s(meetings.EPOCH) - NOW_S


@pytest.fixture
def tx() -> Iterator[Tx]:
    with keep_kit.open_tx() as opened:
        yield opened


def record(secret: int, sequence: int = meetings.SEQUENCE) -> tuple[bytes, bytes]:
    """Name and bytes of a good record under a secret."""
    keys = presence_record.keys_of(secret.to_bytes(32, "big"), meetings.EPOCH)
    signer = rendezvous.appoint(keys.name, meetings.EPOCH, meetings.SEED)
    raw = presence_record.seal(signer, keys, Presence((meetings.whereabouts(),)), sequence, meetings.NONCE)
    return rendezvous.dht_key(keys.name.public), raw


def test_a_record_lies_there_until_it_expires(tx: Tx) -> None:
    ana = keep_kit.owner(tx)
    assert laid.lay(tx, ana.id, (LYING.raw,), NOW_S, 0) is Status.OK
    assert laid.look(tx, LYING.key, LIFE_S - 1) == LYING.raw
    assert laid.look(tx, LYING.key, LIFE_S) == b""
    assert laid.look(tx, bytes(32), 0) == b""
    assert not laid.expire(tx, LIFE_S - 1)
    assert tx.all("SELECT COUNT(*) FROM laid") == [(1,)]
    laid.expire(tx, LIFE_S)
    assert tx.all("SELECT COUNT(*) FROM laid") == [(0,)]


def test_the_newer_of_a_name_stays_whoever_laid_it(tx: Tx) -> None:
    ana, bo = keep_kit.owner(tx, 1), keep_kit.owner(tx, 2)
    (key, old), (_, new) = record(1), record(1, meetings.SEQUENCE + 60)
    for owner, raw, found in ((ana, old, old), (bo, new, new), (ana, old, new), (bo, old, new)):
        assert laid.lay(tx, owner.id, (raw,), NOW_S, 0) is Status.OK
        assert laid.look(tx, key, 0) == found
    permits.withdraw(tx, 2)
    assert laid.look(tx, key, 0) == old


def test_what_is_no_record_is_the_owners_fault_and_nothing_of_that_request_is_done(tx: Tx) -> None:
    ana = keep_kit.owner(tx)
    key, good = record(1)
    flipped = good[:-1] + bytes((good[-1] ^ 1,))
    for bad, now_s in (
        (b"x", NOW_S),
        (flipped, NOW_S),
        (LYING.raw, NOW_S + 7 * 86_400),
        (LYING.raw, NOW_S - 7 * 86_400),
    ):
        with pytest.raises(PeerFault):
            laid.lay(tx, ana.id, (good, bad), now_s, 0)
        assert laid.look(tx, key, 0) == b""


def test_case_49_an_owner_has_so_many_records_and_no_more_than_the_file_holds(tx: Tx) -> None:
    ana, bo = keep_kit.owner(tx, 1), keep_kit.owner(tx, 2)
    for n in range(keep.RECORDS_OWNER_MAX):
        tx.execute("INSERT INTO laid VALUES (?, ?, 0, 9, x'')", (n.to_bytes(32, "big"), ana.id))
    key, raw = record(1)
    assert laid.lay(tx, ana.id, (raw,), NOW_S, 0) is Status.QUOTA
    assert laid.lay(tx, bo.id, (raw,), NOW_S, 0) is Status.OK
    laid.expire(tx, 9)
    assert laid.lay(tx, ana.id, (raw,), NOW_S, 0) is Status.OK
    keeping.give(tx, keeping.size(tx))
    assert laid.lay(tx, ana.id, (record(2)[1],), NOW_S, 0) is Status.QUOTA
    assert laid.look(tx, key, 0) == raw


def test_a_name_is_not_looked_for_in_all_records(tx: Tx) -> None:
    for sql in (
        "SELECT raw FROM laid WHERE name = x'00' AND expires_s > 1 ORDER BY sequence DESC, raw DESC LIMIT 1",
        "SELECT COUNT(*) FROM laid WHERE owner = 1",
        "DELETE FROM laid WHERE owner = 1",
        "SELECT name, owner FROM laid WHERE expires_s <= 1 LIMIT 500",
        "SELECT raw FROM laid WHERE name = x'00' AND owner = 1",
    ):
        steps = [row[3] for row in tx.all(f"EXPLAIN QUERY PLAN {sql}")]
        assert not any(step.startswith("SCAN") for step in steps), (sql, steps)
