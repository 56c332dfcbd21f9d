"""What a backup keeps of keepers, for each contact: where he can be left mail, and what was agreed with him.

docs/protocol/backup.md 3. The queues of the lost device are not in it: whoever comes back enrols with keys of its own,
which ends them. Nodes of our own belong to no contact; they stand in the note of the first one.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from crypto import keys
from crypto.faults import Malformed
from features.keepers import adding, view
from features.keepers.content import SPACE_MAX, TTL_S_MAX
from features.keepers.view import State
from protocol import identity, ids, mailbox, record, wire
from protocol.mailbox import Line
from protocol.record import SAFE_INT_MAX
from store import devices, inboxes, keepers, pairs, people
from store.database import Tx
from store.identity import Identity
from store.keepers import Keeper

KEPT_BYTES_MAX = 4096  # what a room has for one contact
NODES_MAX = keepers.USED_MAX
BOXES_MAX = 4  # devices of a contact whose lines are kept
_USED, _STOPPED = 1, 2


class Node(NamedTuple):
    """A keeper node of our own."""

    name: str
    permit: bytes
    find: bytes
    peer: bytes
    addresses: tuple[str, ...]


class Agreed(NamedTuple):
    """What a contact offers us. stands: 1 where we use it, 2 where the person wants it no more, else 0."""

    permit: bytes
    find: bytes
    space: int
    ttl_s: int
    version: int
    stands: int


class Box(NamedTuple):
    """Where a device of the contact can be left mail."""

    device: bytes
    version: int
    lines: tuple[Line, ...]


class Kept(NamedTuple):
    """All of it. ours: (space, version) of what we offer him."""

    theirs: tuple[Agreed, ...]
    ours: tuple[tuple[int, int], ...]
    nodes: tuple[Node, ...]
    boxes: tuple[Box, ...]


def keep(tx: Tx, contact_id: int) -> bytes | None:
    """What is known of a contact, as much as fits: agreements first, then nodes of ours, then his lines."""
    found: tuple[list[wire.Value], ...] = ([], [], [], [])
    for place, one in (
        *((0, row) for row in _theirs(tx, contact_id)),
        *((1, row) for row in _ours(tx, contact_id)),
        *((2, row) for row in _nodes(tx, contact_id)),
        *((3, row) for row in _boxes(tx, contact_id)),
    ):
        found[place].append(one)
        if len(wire.encode(tuple(map(tuple, found)))) > KEPT_BYTES_MAX:
            found[place].pop()
    return wire.encode(tuple(map(tuple, found))) if any(found) else None


def check(kept: bytes) -> Kept:
    """What `keep` gave. Raises: Malformed."""
    match wire.decode(kept, KEPT_BYTES_MAX):
        case (tuple(theirs), tuple(ours), tuple(nodes), tuple(boxes)):
            return Kept(
                _each(_agreed, theirs, 1),
                _each(_share, ours, 1),
                _each(_node, nodes, NODES_MAX),
                _each(_box, boxes, BOXES_MAX),
            )
        case _:
            raise Malformed


def put_back(tx: Tx, contact_id: int, kept: bytes) -> None:
    """Takes in what `keep` gave: used in `restored`, which has chance for new keys. Raises: Malformed."""
    check(kept)
    view.put_back(tx, contact_id, kept)


def restored(tx: Tx, _me: Identity, now_ms: int, entropy: keys.Entropy) -> None:
    """Uses the keepers of before with new keys, and makes our offers anew: what lay here for others is gone."""
    for contact_id, kept in view.take_back(tx):
        found = check(kept)
        for node in found.nodes:
            one = keepers.add_own(tx, node.name, *node[1:4], node.addresses, adding.TTL_S, now_ms)
            keepers.use(tx, one.id, entropy(32))
        if people.contact(tx, contact_id).state in pairs.CLOSED:
            continue
        for agreed in found.theirs:
            offer = (agreed.permit, agreed.find, agreed.space, agreed.ttl_s, agreed.version)
            taken = keepers.offered(tx, contact_id, *offer, now_ms)
            if taken is not None and agreed.stands == _USED and not taken.is_brief:
                keepers.use(tx, taken.id, entropy(32))
            elif agreed.stands == _STOPPED:
                view.note(tx, contact_id, view.Word.STOPPED, now_ms)
        for space, version in found.ours:
            view.offer(tx, contact_id, space, now_ms, version + 1)
        for box in found.boxes:
            device = devices.device_by_key(tx, ids.DeviceId(box.device))
            if device is not None and device.contact == contact_id:
                inboxes.take(tx, device.id, box.version, box.lines, entropy)


def _theirs(tx: Tx, contact_id: int) -> tuple[wire.Value, ...]:
    one = keepers.of_contact(tx, contact_id)
    if one is None:
        return ()
    stands = _USED if one.state is keepers.State.USED else 0
    stands = _STOPPED if contact_id in view.noted(tx, view.Word.STOPPED) else stands
    return ((one.permit, one.find, one.space, one.ttl_s, one.version, stands),)


def _ours(tx: Tx, contact_id: int) -> tuple[wire.Value, ...]:
    one = view.given(tx, contact_id)
    if one is None or one.state not in (State.WANTED, State.SAID):
        return ()
    return ((one.space, one.version),)


def _nodes(tx: Tx, contact_id: int) -> tuple[wire.Value, ...]:
    first = tx.one("SELECT MIN(id) FROM contact")
    if first is None or first[0] != contact_id:
        return ()
    return tuple(map(_as_node, (one for one in keepers.used(tx) if one.contact == keepers.OWN)))


def _as_node(one: Keeper) -> wire.Value:
    return (one.name, one.permit, one.find, one.peer, one.addresses)


def _boxes(tx: Tx, contact_id: int) -> tuple[wire.Value, ...]:
    """The newest devices first; of each the lines in their order."""
    found: list[wire.Value] = []
    for device in reversed(devices.devices_of(tx, contact_id)):
        lines = tuple(record.encode(box.line) for box in inboxes.of(tx, device.id))
        if lines and not device.revoked and len(found) < BOXES_MAX:
            found.append((device.device, inboxes.version(tx, device.id), lines))
    return tuple(found)


def _each(parse: Callable[[Any], Any], rows: tuple[Any, ...], count_max: int) -> tuple[Any, ...]:
    if len(rows) > count_max:
        raise Malformed
    return tuple(map(parse, rows))


def _agreed(row: Any) -> Agreed:
    match row:
        case (bytes(permit), bytes(find), int(space), int(ttl_s), int(version), int(stands)) if (
            len(permit) == len(find) == 32
            and 0 < space <= SPACE_MAX
            and 0 <= ttl_s <= TTL_S_MAX
            and 0 <= version <= SAFE_INT_MAX
            and stands in (0, _USED, _STOPPED)
        ):
            return Agreed(permit, find, space, ttl_s, version, stands)
        case _:
            raise Malformed


def _share(row: Any) -> tuple[int, int]:
    match row:
        case (int(space), int(version)) if 0 <= space <= SPACE_MAX and 0 <= version <= SAFE_INT_MAX:
            return space, version
        case _:
            raise Malformed


def _node(row: Any) -> Node:
    match row:
        case (str(name), bytes(permit), bytes(find), bytes(peer), tuple(addresses)) if (
            len(permit) == len(find) == len(peer) == 32
            and 0 < len(name.encode()) <= identity.NAME_BYTES_MAX
            and len(addresses) <= mailbox.ADDRESSES_MAX
            and all(type(one) is str and len(one.encode()) <= mailbox.ADDRESS_BYTES_MAX for one in addresses)
        ):
            return Node(name, permit, find, peer, addresses)
        case _:
            raise Malformed


def _box(row: Any) -> Box:
    match row:
        case (bytes(device), int(version), tuple(lines)) if (
            len(device) == 32
            and 0 <= version <= SAFE_INT_MAX
            and 0 < len(lines) <= mailbox.LINES_MAX
            and all(type(one) is bytes for one in lines)
        ):
            return Box(device, version, tuple(record.decode(Line, one, KEPT_BYTES_MAX) for one in lines))
        case _:
            raise Malformed
