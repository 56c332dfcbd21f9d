"""The numbers of what we say to a contact: they go up, whatever becomes of clock, disk and device."""

from protocol import content, ids
from store import conversations, outbox
from store.database import Tx
from tests.store import kit
from tests.store.kit import Note, Side

DAY_MS = 86_400_000


def say(tx: Tx, side: Side, now_ms: int) -> int:
    """Says something by a clock that is set so; its number."""
    (place,) = conversations.advance(tx, side.contact, 1, now_ms)
    name = ids.MessageId(side.entropy(16))
    raw = content.say(
        message_id=name, hlc_ms=place.hlc_ms, device_seq=place.device_seq, parents=place.parents, content=Note("x")
    )
    outbox.post(tx, side.contact, [outbox.Posted(name, Note.KIND, place.hlc_ms, raw)], now_ms)
    return place.device_seq


async def test_the_number_of_what_is_said_goes_up_whatever_becomes_of_clock_disk_and_device() -> None:
    async with kit.open_memory_pair() as (ana, _):
        tx, now_ms = await kit.grip(ana), ana.clock.ms
        numbers = [say(tx, ana, now_ms + ahead_ms) for ahead_ms in (0, 0, 2 * DAY_MS, 0, 1)]
        tx.execute("DELETE FROM conversation")  # as after a restore
        numbers.append(say(tx, ana, now_ms + 2))
        tx.execute("UPDATE conversation SET next_seq = ?", (numbers[1],))  # an old disk
        numbers.append(say(tx, ana, now_ms + 3 * DAY_MS))
        assert numbers == sorted({*numbers})
        tx.execute("DELETE FROM conversation")
        tx.execute("DELETE FROM message")
        assert say(tx, ana, now_ms + 4 * DAY_MS) > numbers[-1]  # of what was said after the backup nothing is known
