"""What this device writes into logs of its own: sealed, appended, taken back and written again, begun anew.

docs/protocol/log.md 3 and spine.md 6. All of it is one transaction each; whether anybody may be shown it is decided in
node/logs/desks.py. Not here: what a note or a payment says (the rooms).
"""

from collections.abc import Callable, Sequence

from crypto.faults import Forged, Malformed
from crypto.keys import Entropy, SigningKey
from protocol import entry
from protocol.entry import Ack, Entry, Kind
from protocol.grant import Role
from protocol.log import EPOCH_MAX, Head
from store import entries, logs, spaces
from store.database import Tx
from store.entries import Draft, Held
from store.spaces import Space

NONCE_BYTES = 24
SECRET_BYTES = 32


def write(
    tx: Tx,
    of: Space,
    said: Sequence[bytes],
    key: SigningKey,
    at_ms: int,
    entropy: Entropy,
    seen: tuple[Ack, ...] = (),
) -> tuple[Entry, ...]:
    """Appends entries that say this, each sealed under its place, for all who have the secret of the space.

    said: arrays whose first item is the real kind, each at most 60 KiB. seen: what each acknowledges beside `acks`.
    Raises: LogFrozen, OverLimit.
    """
    seq = next_seq(tx, of)
    drafts = [
        Draft(Kind.SEALED, _sealed(of, seq + place, one, entropy), (*acks(tx, of, seq + place), *seen))
        for place, one in enumerate(said)
    ]
    return entries.append(tx, of.log.number, drafts, key, at_ms)


def commit(tx: Tx, of: Space, content: bytes, key: SigningKey, at_ms: int) -> Entry:
    """Appends an entry to our spine. content: spine.encode's. Raises: LogFrozen."""
    return _append(tx, of, Kind.SPINE, content, key, at_ms)


def append(tx: Tx, of: Space, content: bytes, key: SigningKey, at_ms: int) -> Entry:
    """Appends an entry that its room has sealed by itself, for the place `next_seq`. Raises: LogFrozen, OverLimit."""
    return _append(tx, of, Kind.SEALED, content, key, at_ms)


def next_seq(tx: Tx, of: Space) -> int:
    """The place in which the next entry of a log will stand, as far as it is here."""
    newest = entries.head(tx, of.log.number)
    return 0 if newest is None else newest.seq + 1


def acks(tx: Tx, of: Space, seq: int) -> tuple[Ack, ...]:
    """What the entry in this place acknowledges: the first of a successor, the newest that others have before it."""
    if seq or not of.previous:
        return ()
    before = logs.log(tx, of.previous)
    newest = entries.head(tx, before.number)
    seq = before.published if before.own or newest is None else newest.seq
    last = entries.entry_at(tx, before.number, seq)
    return () if last is None else (Ack(before.id, last.body.seq, last.id),)


def read(of: Space, held: Held) -> bytes | None:
    """What a sealed entry says; None where its content is not here. Raises: Forged, Malformed."""
    return reader(of)(held)


def reader(of: Space) -> Callable[[Held], bytes | None]:
    """Reads as `read` does, many entries of one log."""
    log = of.log
    key_of = entry.content_keys(log.secret, log.id)

    def said(held: Held) -> bytes | None:
        if held.content is None:
            return None
        return entry.unseal(key_of(held.seq), log.author, log.id, held.seq, held.content)

    return said


def rewrite(
    tx: Tx, of: Space, source: Space, ours: Sequence[Held], key: SigningKey, now_ms: int, entropy: Entropy
) -> None:
    """Appends again what was taken back from `source`, the same log or the one before it.

    Of a spine nothing, and nothing of a ledger, whose entries say how the tab stood (tabs.py), or of a feed, whose
    contents belong to their places: its room says again what it finds in its tables and not in the log.
    """
    if of.role in (Role.SPINE, Role.LEDGER, Role.FEED):
        return
    for held in ours:
        try:
            said = read(source, held)
        except (Forged, Malformed):  # a room with a form of its own for contents writes them again by itself
            continue
        if said is not None:
            write(tx, of, (said,), key, now_ms, entropy)


def succeed(tx: Tx, of: Space, anchor: bytes, key: SigningKey, now_ms: int, entropy: Entropy) -> Space:
    """Ends a log of ours and begins its successor, with what nobody had seen; telling readers is the caller's.

    anchor: an account. The epoch is drawn at random: a copy of this disk may begin one too. So is the secret: who was
    a reader and is none any more does not read on.
    """
    epoch = int.from_bytes(entropy(8), "big") & EPOCH_MAX
    readers = spaces.readers(tx, of.log.number)
    begun = spaces.begin(
        tx,
        key.public,
        of.role,
        of.name,
        entropy(SECRET_BYTES),
        epoch,
        anchor,
        readers,
        of.log.number,
        now_ms,
    )
    unseen: tuple[Held, ...] = ()
    if of.log.own:
        unseen = entries.read(tx, of.log.number, of.log.published + 1, entry.SEQ_MAX, entries.MEMORY_BYTES_MAX)
        entries.take_back(tx, of.log.number, of.log.published + 1)
    logs.end(tx, of.log.number)
    rewrite(tx, begun, of, unseen, key, now_ms, entropy)
    return begun


def head_shown(tx: Tx, number: int, seq: int) -> Head | None:
    """The head of a log as far as it may be shown: the entry in this place, or the newest one before it."""
    newest = entries.head(tx, number)
    if newest is None or seq >= newest.seq:
        return newest
    one = None if seq < 0 else entries.entry_at(tx, number, seq)
    return None if one is None else Head(one.body.seq, one.id)


def _append(tx: Tx, of: Space, kind: Kind, content: bytes, key: SigningKey, at_ms: int) -> Entry:
    draft = Draft(kind, content, acks(tx, of, next_seq(tx, of)))
    (made,) = entries.append(tx, of.log.number, [draft], key, at_ms)
    return made


def _sealed(of: Space, seq: int, said: bytes, entropy: Entropy) -> bytes:
    log = of.log
    key = entry.content_key(log.secret, log.id, seq)
    return entry.seal(key, log.author, log.id, seq, said, entropy(NONCE_BYTES))
