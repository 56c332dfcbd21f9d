"""What a backup keeps of moments, and what is done with it on a new device.

Of ourselves: the secret of which the keys of our posts are made, our feeds, whom posts with a list are for. Of a
contact: what holds with him, and whether he has our feeds. The posts are not in it: contacts have them and give them
back (past.py). What contacts told us of theirs is read from the messages, which came too. docs/protocol/backup.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from crypto import keys
from crypto.faults import Malformed
from features.moments import audience, awaited, feeds, hearing
from features.moments.audience import Audience, Kind
from features.moments.content import CONTENTS, Ref, Window
from features.moments.shown import Rule
from features.moments.view import OURS
from protocol import backup_records, content, entry, ids, moment, record, wire
from protocol import log as chains
from protocol.faults import PeerFault
from protocol.grant import Grant, Role
from protocol.identity import Certificate
from store import logs, people, spaces
from store.database import Tx
from store.identity import CERTIFICATE_BYTES_MAX, Identity, load_identity
from store.inbox import Arrival

FEEDS_BYTES = 20 * 1024  # of the newest feeds: some 400; the rest is for lists
DEVICES_MAX = 16  # that wrote them: so many restores
WORDS_CHARS_MAX = 60  # of a list, as a person reads it: one of 500 names is told by its beginning
_SLACK_BYTES = 1024  # what stands around the rows
_RULE_BYTES_MAX = 16
_ROWS = 4  # devices, feeds, lists, posts
_MS_MAX, _S_MAX = (1 << 53) - 1, (1 << 32) - 1
_CONTACT_MAX = backup_records.CONTACTS_MAX * 1000  # the number of his row
_LISTS = (Kind.THESE, Kind.ALL_BUT)  # who can open any other post says whom it is for
_KINDS = content.Kinds(CONTENTS)


@dataclass(frozen=True, slots=True)
class _Feed:
    device: Certificate
    epoch: int
    secret: bytes

    @property
    def id(self) -> bytes:
        return chains.log_id(self.secret, self.device.device, self.epoch)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What a backup has. feeds: the newest first. lists: place of a feed, seq, whom the post is for."""

    secret: bytes
    window_s: int
    window_ms: int
    seen_ms: int
    feeds: tuple[_Feed, ...]
    lists: tuple[tuple[int, int, Audience], ...]


# --- of a contact


def keep(tx: Tx, contact_id: int) -> bytes | None:
    """What holds with a contact, and whether he has our feeds."""
    one = audience.rule(tx, people.contact(tx, contact_id))
    own = feeds.every(tx)
    has_feeds = bool(own) and contact_id in spaces.readers(tx, own[-1].log.number)
    said = (int(one.chats_only), int(one.hide_mine), int(one.hide_theirs), int(has_feeds))
    return wire.encode(said) if any(said) else None


def check(kept: bytes) -> tuple[bool, bool, bool, bool]:
    """What `keep` gave. Raises: Malformed."""
    match wire.decode(kept, _RULE_BYTES_MAX):
        case (int(chats_only), int(mine), int(theirs), int(has)) if {chats_only, mine, theirs, has} <= {0, 1}:
            return bool(chats_only), bool(mine), bool(theirs), bool(has)
        case _:
            raise Malformed


def put_back(tx: Tx, contact_id: int, kept: bytes) -> None:
    """Takes in what `keep` gave, after what we keep of ourselves. Raises: Malformed."""
    *said, has_feeds = check(kept)
    if any(said):
        audience.set_rule(tx, contact_id, Rule("", *said))
    for one in feeds.every(tx) if has_feeds else ():
        spaces.add_reader(tx, one.log.number, contact_id)
        spaces.told(tx, one.log.number, contact_id)


# --- of ourselves


def keep_own(tx: Tx, _ourselves: int) -> bytes | None:
    """Our secret and window, our newest feeds, and whom the newest posts in them are for."""
    row = tx.one("SELECT secret, window_s FROM moment_self")
    if row is None:
        return None
    times = tx.one(
        "SELECT (SELECT MAX(at_ms) FROM moment_entry WHERE kind = ?),"
        " (SELECT MAX(at_ms) FROM moment_notice WHERE seen = 1)",
        (Window.KIND,),
    )
    assert times is not None
    window_ms, seen_ms = max(times[0] or 0, awaited.window_ms(tx)), max(times[1] or 0, awaited.seen_ms(tx), 0)
    devices, rows, size = _feeds(tx)
    places = {chains.log_id(secret, author, epoch): place for place, (author, epoch, secret) in enumerate(rows)}
    lists, posts = _lists(tx, places, backup_records.NOTE_BYTES_MAX - _SLACK_BYTES - size)
    numbers = {one.device: number for number, one in enumerate(devices)}
    found = tuple((numbers[author], epoch, secret) for author, epoch, secret in rows)
    return wire.encode((*row, window_ms, seen_ms, tuple(map(record.encode, devices)), found, lists, posts))


def check_own(kept: bytes) -> _Kept:
    """What `keep_own` gave. Raises: Malformed."""
    match wire.decode(kept, backup_records.NOTE_BYTES_MAX):
        case (bytes(secret), int(window_s), int(window_ms), int(seen_ms), *rows) if len(rows) == _ROWS:
            if len(secret) != moment.KEY_BYTES or not 0 <= window_s <= _S_MAX:
                raise Malformed
            if not 0 <= window_ms <= _MS_MAX or not 0 <= seen_ms <= _MS_MAX:
                raise Malformed
        case _:
            raise Malformed
    devices, found, lists, posts = map(_tuple, rows)
    of, whom = tuple(map(_device, devices)), tuple(map(_list, lists))
    own = tuple(_feed(one, of) for one in found)
    if len({one.id for one in own}) < len(own):
        raise Malformed
    return _Kept(secret, window_s, window_ms, seen_ms, own, tuple(_post(one, len(own), whom) for one in posts))


def put_back_own(tx: Tx, _ourselves: int, kept: bytes) -> None:
    """Takes in what `keep_own` gave, into empty tables; some feeds are there as logs of their readers.

    Raises: Malformed.
    """
    was = check_own(kept)
    me = load_identity(tx)
    assert me is not None
    tx.execute("INSERT INTO moment_self (id, secret, window_s) VALUES (1, ?, ?)", (was.secret, was.window_s))
    awaited.begin(tx, was.seen_ms, was.window_ms)
    previous = None
    for one in reversed(was.feeds):
        awaited.lose(tx, one.device)
        number = logs.begin(tx, one.id, one.device.device, one.secret, own=False).number
        said = Grant(Role.FEED, one.epoch, one.secret, me.account, feeds.NAME, previous)
        spaces.put_back(tx, number, spaces.OURS, said)
        previous = one.id
    for place, seq, whom in was.lists:
        awaited.freeze(tx, Ref(was.feeds[place].id, seq), whom)


def restored(tx: Tx, _me: Identity, now_ms: int, _entropy: keys.Entropy) -> None:
    """Hears once more what contacts have told, in its order: their posts can be read also while they are away."""
    numbers = sorted(one.KIND for one in CONTENTS)
    rows = tx.all(
        f"SELECT seq, contact, device, body FROM message WHERE kind IN ({', '.join(map(str, numbers))})"
        " AND device != 0 ORDER BY seq"
    )
    for seq, contact_id, device_id, body in rows:
        try:
            said = _KINDS.hear(body, content.Channel.RATCHET)
        except PeerFault:
            continue  # of what others said only the head was checked
        if said.content is not None:
            contact, device = people.contact(tx, contact_id), people.device(tx, device_id)
            hearing.apply(tx, Arrival(contact, device, seq, said, content.Channel.RATCHET, now_ms))


def _lists(tx: Tx, places: dict[bytes, int], bytes_max: int) -> tuple[wire.Value, wire.Value]:
    """Lists, each once, and which post is for which, the newest posts first, as far as there is room."""
    known: dict[wire.Value, int] = {}
    posts: list[wire.Value] = []
    size = 0
    for ref, whom in _frozen(tx):
        if ref.log not in places:
            continue
        one: wire.Value = (int(whom.kind), whom.words[:WORDS_CHARS_MAX], tuple(sorted(whom.contacts)))
        said = (places[ref.log], ref.seq, known.get(one, len(known)))
        size += len(wire.encode(said)) + (0 if one in known else len(wire.encode(one)))
        if size > bytes_max:
            break
        known.setdefault(one, len(known))
        posts.append(said)
    return tuple(known), tuple(posts)


def _frozen(tx: Tx) -> Iterator[tuple[Ref, Audience]]:
    """Our posts with lists, the newest first; then those that have not come back since an earlier restore."""
    rows = tx.all(
        "SELECT m.id, m.feed, m.seq FROM moment m JOIN moment_audience a ON a.moment = m.id"
        f" WHERE m.contact = ? AND a.kind IN ({', '.join(str(int(one)) for one in _LISTS)})"
        " ORDER BY m.at_ms DESC, m.seq DESC, m.tag DESC",
        (OURS,),
    )
    for row, feed, seq in rows:
        yield Ref(feed, seq), audience.of(tx, row)
    yield from reversed(awaited.frozen(tx))


def _feeds(tx: Tx) -> tuple[list[Certificate], list[tuple[ids.DeviceId, int, bytes]], int]:
    """The devices that wrote our newest feeds; author, epoch and secret of each feed, the newest first; their bytes."""
    me = load_identity(tx)
    assert me is not None
    devices: dict[bytes, Certificate] = {}
    rows: list[tuple[ids.DeviceId, int, bytes]] = []
    size = 0
    for one in reversed(feeds.every(tx)):
        device = me.certificate if one.log.author == me.device else awaited.certificate(tx, one.log.author)
        if device is None:
            continue  # its certificate had no room in the backup before: the logs of its readers have it, or nothing
        size += len(wire.encode((DEVICES_MAX, one.epoch, one.log.secret)))
        size += 0 if device.device in devices else len(wire.encode(record.encode(device)))
        devices[device.device] = device
        if size > FEEDS_BYTES or len(devices) > DEVICES_MAX:
            break
        rows.append((device.device, one.epoch, one.log.secret))
    return [*devices.values()], rows, size


def _tuple(rows: Any) -> tuple[Any, ...]:
    if type(rows) is not tuple:
        raise Malformed
    return rows


def _device(raw: Any) -> Certificate:
    if type(raw) is not bytes:
        raise Malformed
    return record.decode(Certificate, raw, CERTIFICATE_BYTES_MAX)


def _feed(row: Any, devices: tuple[Certificate, ...]) -> _Feed:
    match row:
        case (int(number), int(epoch), bytes(secret)) if (
            0 <= number < len(devices) and len(secret) == moment.KEY_BYTES and 0 <= epoch <= chains.EPOCH_MAX
        ):
            return _Feed(devices[number], epoch, secret)
        case _:
            raise Malformed


def _list(row: Any) -> Audience:
    match row:
        case (int(kind), str(words), tuple(contacts)) if kind in _LISTS and len(words) <= WORDS_CHARS_MAX:
            if any(type(one) is not int or not 1 <= one <= _CONTACT_MAX for one in contacts):
                raise Malformed
            if sorted({*contacts}) != [*contacts]:
                raise Malformed
            return Audience(Kind(kind), frozenset(contacts), (), words)
        case _:
            raise Malformed


def _post(row: Any, count: int, whom: tuple[Audience, ...]) -> tuple[int, int, Audience]:
    match row:
        case (int(place), int(seq), int(number)) if (
            0 <= place < count and 0 <= seq <= entry.SEQ_MAX and 0 <= number < len(whom)
        ):
            return place, seq, whom[number]
        case _:
            raise Malformed
