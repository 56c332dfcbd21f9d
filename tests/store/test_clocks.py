"""What a clock that was wrong for a while leaves behind: no key lives on until a time that it made up."""

import os
from pathlib import Path

from store import identity, prekeys, schema
from store.database import Tx, Worker, open_database
from tests.store.kit import KEY

NOW_MS = 1_790_000_000_000
TEN_YEARS_MS = 3653 * 86_400_000


def newest(tx: Tx) -> tuple[int, int]:
    """When the newest prekeys were made, and when the last ones are forgotten."""
    row = tx.one("SELECT MAX(number), MAX(forget_ms) FROM prekey WHERE one_time = 0")
    assert row is not None
    made = tx.one("SELECT made_ms FROM prekey WHERE number = ?", (row[0],))
    assert made is not None
    return int(made[0]), int(row[1])


async def test_prekeys_and_transport_key_of_the_future_are_replaced(tmp_path: Path) -> None:
    async with open_database(tmp_path / "x.db", KEY, schema.CORE, Worker.INLINE) as database:
        ahead_ms = NOW_MS + TEN_YEARS_MS
        await database.transact(identity.create_identity, os.urandom(32), "Ana", ahead_ms, os.urandom)
        await database.transact(prekeys.keep_fresh, ahead_ms, os.urandom)
        assert await database.transact(newest) == (ahead_ms, ahead_ms + prekeys.KEEP_MS)
        await database.transact(prekeys.keep_fresh, NOW_MS, os.urandom)
        assert await database.transact(newest) == (NOW_MS, NOW_MS + prekeys.KEEP_MS)
        me = await database.transact(identity.load_identity)
        assert me is not None
        assert not identity.transport_is_old(me, ahead_ms)
        assert identity.transport_is_old(me, NOW_MS)
        assert me.certificate.not_before_s * 1000 < NOW_MS < me.certificate.not_after_s * 1000


async def test_a_certificate_made_in_1970_is_good_today(tmp_path: Path) -> None:
    async with open_database(tmp_path / "x.db", KEY, schema.CORE, Worker.INLINE) as database:
        me = await database.transact(identity.create_identity, os.urandom(32), "Ana", 60_000, os.urandom)
        assert me.certificate.not_before_s * 1000 < NOW_MS < me.certificate.not_after_s * 1000
