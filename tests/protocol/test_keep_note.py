"""A note of an owner is his own, and tells how often he has had something deleted (keep.md 3.7)."""

from protocol import keep_note

SEED = b"o" * 32


def test_a_note_is_read_with_its_owners_seed_and_with_no_other() -> None:
    for count in (1, 2, 2**40):
        note = keep_note.write(SEED, count)
        assert len(note) == keep_note.NOTE_BYTES
        assert keep_note.count_in(SEED, note) == count
        assert keep_note.count_in(b"x" * 32, note) == 0


def test_what_a_keeper_makes_up_counts_for_nothing() -> None:
    note = keep_note.write(SEED, 7)
    higher = (8).to_bytes(keep_note.COUNT_BYTES, "big") + note[keep_note.COUNT_BYTES :]
    for made_up in (b"", higher, note[:-1], bytes(keep_note.NOTE_BYTES)):
        assert keep_note.count_in(SEED, made_up) == 0
