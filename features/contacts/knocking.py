"""Knocks at keepers of somebody whom we ask and who is away: what we would have said to him is left there, sealed.

Where his doors are is told by a record (protocol/door_record.py), in the DHT or at a keeper whose address his link
has. docs/protocol/invite.md 7. The bytes: protocol/knock.py; his side: inviting.py and node/keep/strangers.py.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext

import structlog
import trio

from crypto.keys import DhKey
from features.contacts import view
from node import config, dialler
from node.core import Core
from node.ground import Ground
from node.keep import client
from node.keep.client import Kept, Posting
from node.keep.roads import Place
from node.network import Address
from protocol import (
    door_record,
    envelope,
    invitation_record,
    invite,
    keep_proof,
    knock,
    mailbox,
    rendezvous,
    work,
)
from protocol.door_record import Doors
from protocol.faults import PeerFault, Unavailable
from protocol.identity import Bundle
from protocol.invitation_record import Invited
from protocol.keep import Status
from protocol.knock import Knock
from store import lines, people, whereabouts
from store.database import Tx, Worker

LOOK_S = 10.0  # one address
PUT_S = 30.0  # without the work, which takes as long as it takes
SEARCHES_MAX = 1  # at once: each takes a core for some seconds

Introduce = Callable[[Tx, Bundle], envelope.Init]
"""Our init for a bundle, stored before a byte of it leaves."""

WORKS = "this node works on the puzzle that his keeper sets to who is no contact: some seconds, seldom a minute"

log = structlog.get_logger("knocking")
_SEARCHES = trio.CapacityLimiter(SEARCHES_MAX)
_REFUSALS = {
    Status.GONE: "his keeper knows nothing of it any more: it was withdrawn, or he has another keeper",
    Status.QUOTA: "too much from strangers waits at his keeper already",
    Status.WORK: "his keeper asks for more work than his record says",
}


async def look(core: Core, link: invite.Link, addresses: Sequence[str]) -> tuple[Invited, Doors] | None:
    """What lies about an invitation at whoever is at these addresses; he learns a name that says nothing to him."""
    named = door_record.keys_of(link.secret, rendezvous.LAID_EPOCH)
    answers = invitation_record.keys_of(invite.InviteKeys.of(link.secret), rendezvous.LAID_EPOCH)
    for address in addresses:
        with trio.move_on_after(LOOK_S):
            try:
                answer, doors = await _lying(core, Address(address), (answers, named))
                now_s = core.ground.now_ms() // 1000
                invited = invitation_record.open_sealed(answers, answer, link.account, now_s)
                return invited, door_record.open_sealed(named, doors, invited.bundle, now_s)
            except (PeerFault, Unavailable) as fault:
                log.info("nothing lies there", reason=str(fault))
    return None


async def leave_once(
    core: Core,
    contact_id: int,
    link: invite.Link | None,
    invited: Invited | None,
    doors: Doors | None,
    introduce: Introduce,
    working: set[int],
    why: str,
) -> str:
    """Leaves our request at a keeper unless one has it still; returns what a person is told.

    link, invited, doors: None where they are not known (now). working: the contact is among them while work is done for
    him. why: what a person is told while nothing lies anywhere.
    """
    until_ms = await core.database.transact(view.knocked, contact_id)
    if until_ms <= core.ground.now_ms():
        if link is None or invited is None or doors is None:
            return why
        with at_work(core, contact_id, working) if doors.bits else nullcontext():
            try:
                until_ms = await _leave(core, contact_id, link, doors, lambda tx: introduce(tx, invited.bundle))
            except (PeerFault, Unavailable) as fault:
                return f"{why}, and {fault}"
            await core.database.transact(view.keep_knocked, contact_id, until_ms)
    return f"left at a keeper of his until {whereabouts.day(until_ms)}"


@contextmanager
def at_work(core: Core, contact_id: int, working: set[int]) -> Iterator[None]:
    """Says of a contact that work is done for him, within the block; what comes of it replaces that."""
    working.add(contact_id)
    core.delivery.reasons[contact_id] = WORKS
    try:
        yield
    finally:
        working.discard(contact_id)


async def _leave(
    core: Core, contact_id: int, link: invite.Link, doors: Doors, introduce: Callable[[Tx], envelope.Init]
) -> int:
    """Leaves our request at the keepers that the doors name; until when (ms) one of them has it.

    Raises: Unavailable when none of them takes it; PeerFault where the doors or the bundle are no good.
    """
    if doors.bits > config.WORK_BITS_MAX:
        raise Unavailable("his keeper asks for more work than this node does")
    kept_s, reasons = 0, []

    def say(tx: Tx) -> Knock:
        tx.changed(people.CHANGED, contact_id)  # what he is waited for is something else now
        return Knock(introduce(tx), _inbox(core, tx, contact_id))

    what = await core.database.transact(say)
    for place in doors.places:
        posting = await _posting(core, link, doors, place, what)
        try:
            with trio.fail_after(PUT_S):
                answer = await _put(core, place, posting)
        except (PeerFault, Unavailable, trio.TooSlowError) as fault:
            reasons.append("his keeper does not answer")
            log.info("not left", reason=str(fault))
            continue
        if answer.status is Status.OK:
            kept_s = max(kept_s, answer.kept_s)
        else:
            reasons.append(_REFUSALS.get(answer.status, "his keeper takes nothing now"))
    if not kept_s:
        raise Unavailable(", ".join(dict.fromkeys(reasons)))
    return min(core.ground.now_ms() + 1000 * kept_s, 1000 * link.expiry_s)


async def _lying(core: Core, address: Address, wanted: Sequence[rendezvous.Keys]) -> list[bytes]:
    """The records that lie under these names at an address. Raises: PeerFault, Unavailable."""
    link = await dialler.dial(core.network, [address], None)
    try:
        async with client.open_stream(link, core.network.peer) as stream:
            found = [await stream.look(rendezvous.dht_key(one.name.public)) for one in wanted]
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
            await link.aclose()
    raws = [one for one in found if isinstance(one, bytes) and one]
    if len(raws) < len(wanted):
        raise Unavailable("no record of this invitation")
    return raws


async def _posting(core: Core, link: invite.Link, doors: Doors, place: door_record.Place, what: Knock) -> Posting:
    """What is put through a door, with the work that it asks for. Raises: PeerFault, for an inbox that is none."""
    door = knock.door_of(link.secret, place.find)
    ephemeral = DhKey(core.ground.entropy("knock")(32))
    sealed = knock.seal(doors.inbox, door.sender, what, ephemeral, core.ground.encapsulate)
    shown = await _work(core.ground, door.sender, sealed, doors.bits) if doors.bits else None
    return Posting(door.sender, door.put_key, sealed, knock.TTL_S, shown)


async def _put(core: Core, place: door_record.Place, posting: Posting) -> Kept:
    """What a keeper answers. Raises: PeerFault, Unavailable."""
    where = Place(place.peer, place.addresses, place.find, None)
    async with (
        core.courier.roads.to(where, core.ground.now_ms() // 1000) as way,
        client.open_stream(way.link, core.network.peer) as stream,
    ):
        (answer,) = await stream.put([posting])
    return answer


async def _work(ground: Ground, sender: bytes, sealed: bytes, bits: int) -> int:
    """Work enough for a door, done in a thread, a slice after the other."""
    day, named, start = rendezvous.epoch_of(ground.now_ms() // 1000), keep_proof.envelope_id(sealed), 0
    while True:
        args = (sender, day, named, bits, start)
        if ground.worker is Worker.INLINE:
            found = work.find(*args)
            await trio.lowlevel.checkpoint()
        else:
            found = await trio.to_thread.run_sync(work.find, *args, limiter=_SEARCHES)
        if found is not None:
            return found
        start += work.SLICE


def _inbox(core: Core, tx: Tx, contact_id: int) -> mailbox.Inbox | None:
    """Where he can leave us his answer. He is told again once he is a contact."""
    found = lines.of(tx, contact_id, core.identity.account)
    return mailbox.Inbox(max(lines.told(tx, contact_id)[0] + 1, core.ground.now_ms()), found) if found else None
