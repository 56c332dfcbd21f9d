"""What is asked of the DHT about strangers: an account's record, an invitation's answer, the claims to a handle.

What comes back was written by whoever could: each is checked here, and nothing but checked records leaves. The records'
bytes are in protocol/; our own are put there by publishing.py; what follows from one that was found, in asking.py.
"""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import structlog
import trio

from crypto.vault import MemoryShort
from features.contacts.faults import NoLookup
from node.core import Core
from node.ground import Ground
from node.lookup import Lookup
from protocol import account_record, door_record, handle_record, ids, invitation_record, invite, rendezvous
from protocol.account_record import Found
from protocol.door_record import Doors
from protocol.faults import PeerFault, Unavailable
from protocol.handle_record import Claim
from protocol.identity import Bundle
from protocol.invitation_record import Invited
from store.database import Worker

GET_S = 30.0  # one question, over a slow network with dead peers in the tables
STRETCHES_MAX = 1  # at once: each takes 256 MiB and a core for half a second

R = TypeVar("R")

log = structlog.get_logger("seeking")
_STRETCHES = trio.CapacityLimiter(STRETCHES_MAX)


async def account(core: Core, wanted: ids.AccountId) -> Found:
    """How to make a request to this account. Raises: Unavailable, with a sentence for a person."""
    if core.lookup is None:
        raise Unavailable("this node is in no DHT, in which an account could be looked up: ask for an invitation link")
    now_s = core.ground.now_ms() // 1000
    for epoch in rendezvous.epochs_asked(now_s):
        name = account_record.name_of(wanted, epoch)
        found = await _get(core.lookup, name, partial(account_record.open_sealed, wanted, epoch, now_s=now_s))
        if found is not None:
            return found
    raise Unavailable(
        "no record of this account was found in the DHT: its owner may be offline or not want to be found"
    )


async def invitation(core: Core, link: invite.Link) -> Invited:
    """The sealed answer to an invitation. Raises: Unavailable, with a sentence for a person."""
    if core.lookup is None:
        raise Unavailable("this node is in no DHT, in which its record could be looked up")
    now_s = core.ground.now_ms() // 1000
    invited = invite.InviteKeys.of(link.secret)
    for epoch in rendezvous.epochs_asked(now_s):
        keys = invitation_record.keys_of(invited, epoch)
        opened = partial(invitation_record.open_sealed, keys, account=link.account, now_s=now_s)
        found = await _get(core.lookup, keys.name.public, opened)
        if found is not None:
            return found
    raise Unavailable("no record of this invitation is in the DHT")


async def doors(core: Core, link: invite.Link, bundle: Bundle) -> Doors | None:
    """Where to knock for an invitation whose maker is away; None when no record says so. Raises: Unavailable."""
    if core.lookup is None:
        return None
    now_s = core.ground.now_ms() // 1000
    for epoch in rendezvous.epochs_asked(now_s):
        keys = door_record.keys_of(link.secret, epoch)
        opened = partial(door_record.open_sealed, keys, bundle=bundle, now_s=now_s)
        found = await _get(core.lookup, keys.name.public, opened)
        if found is not None:
            return found
    return None


async def claims(core: Core, handle: str) -> tuple[Claim, ...]:
    """Who claims a handle, each account once, in the order of slots. Nobody has verified any of them.

    Raises: BadHandle, NoLookup (there is no DHT, nobody in it answers, or no memory for Argon2id).
    """
    folded = handle_record.normalised(handle)
    if core.lookup is None:
        raise NoLookup
    now_s = core.ground.now_ms() // 1000
    found: dict[int, Claim] = {}
    silent: list[Unavailable] = []

    async def look(lookup: Lookup, place: int, keys: rendezvous.Keys) -> None:
        try:
            claim = await _get(lookup, keys.name.public, partial(handle_record.open_sealed, keys, now_s=now_s))
        except Unavailable as fault:
            silent.append(fault)
        else:
            if claim is not None:
                found[place] = claim

    epochs = rendezvous.epochs_asked(now_s)
    async with trio.open_nursery() as nursery:
        for turn, epoch in enumerate(epochs):
            try:
                stretched = await stretch(core.ground, folded, handle_record.month_of(epoch))
            except Unavailable as fault:
                raise NoLookup(f"Nothing was looked up: {fault}. Try again later.") from None
            for slot in range(handle_record.SLOTS):
                place = turn * handle_record.SLOTS + slot
                nursery.start_soon(look, core.lookup, place, handle_record.keys_of(stretched, slot, epoch))
    if len(silent) == len(epochs) * handle_record.SLOTS:
        raise NoLookup(f"Nothing was looked up: {silent[0]}. Try again later.")
    by_account = {claim.account: claim for _, claim in sorted(found.items(), reverse=True)}
    return tuple(reversed(by_account.values()))[: handle_record.SLOTS]


async def stretch(ground: Ground, folded: str, month: int) -> bytes:
    """The key of a normalised handle for a month, made in a thread, one at a time. Raises: Unavailable (no memory)."""
    try:
        if ground.worker is Worker.INLINE:
            return handle_record.stretch(folded, month, ground.cost)
        return await trio.to_thread.run_sync(handle_record.stretch, folded, month, ground.cost, limiter=_STRETCHES)
    except MemoryShort:
        raise Unavailable(
            "a handle takes 256 MiB of memory for a moment, and this machine has not so much left"
        ) from None


async def _get(lookup: Lookup, name: bytes, opened: Callable[[bytes], R]) -> R | None:
    """What lies under a name, opened; None when there is nothing, or nothing genuine. Raises: Unavailable."""
    with trio.move_on_after(GET_S) as deadline:
        raw = await lookup.get(rendezvous.dht_key(name))
    if deadline.cancelled_caught:
        raise Unavailable("the DHT did not answer in time")
    if raw is None:
        return None
    try:
        return opened(raw)
    except PeerFault as fault:
        log.info("a record was not taken", reason=str(fault))
        return None
