"""The record by which contacts find the devices of an account: one an account and day, under its presence key.

All devices of the account write it: who publishes reads it first, puts his own line in and leaves the others' as they
are. Every contact could write it too, since all hold the presence key: what it says is where to dial, and nobody is
believed before his channel is proven. Law: docs/protocol/rendezvous.md 3. The outer form: rendezvous.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from protocol import ids, record, rendezvous
from protocol.identity import DEVICES_MAX
from protocol.record import Bytes32, TimeS
from protocol.rendezvous import Addresses

FRESH_S = 26 * 3600  # a device that has said nothing for as long as a record lives is left out by the others


@record.record
@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a device is to be dialled. peer: its transport key; addresses: the nearest first; said_s: its clock."""

    KIND: ClassVar[int] = 3

    device: ids.Device
    peer: Bytes32
    addresses: Addresses
    said_s: TimeS


@record.record
@dataclass(frozen=True, slots=True)
class Presence:
    """Where the devices of an account are."""

    KIND: ClassVar[int] = 2

    devices: Annotated[tuple[Whereabouts, ...], record.Count(1, DEVICES_MAX)]


def keys_of(presence: bytes, epoch: int) -> rendezvous.Keys:
    """The keys of an account's record of a day. presence: its presence key, 32 bytes."""
    return rendezvous.keys_of(presence, epoch)


def merge(mine: Whereabouts, before: Presence | None, now_s: int) -> Presence:
    """What to publish: our line first, then those of our other devices that are not old, the newest first.

    before: what lies there now. What does not fit a record is left out: the farthest address of the longest line first.
    """
    others = () if before is None else before.devices
    fresh = [one for one in others if one.device != mine.device and abs(now_s - one.said_s) <= FRESH_S]
    # A device that stands there twice (only a forger writes that) counts once.
    newest = {one.device: one for one in sorted(fresh, key=lambda one: one.said_s)}
    ordered = sorted(newest.values(), key=lambda one: (-one.said_s, one.device))
    return Presence(_fitting((mine, *ordered[: DEVICES_MAX - 1])))


def seal(signer: rendezvous.Signer, keys: rendezvous.Keys, said: Presence, sequence: int, nonce: bytes) -> bytes:
    """The record, at most 4,096 bytes. said: from `merge`; sequence: from next_sequence; nonce: 24 random bytes."""
    assert signer.name == keys.name.public
    return rendezvous.write(signer, keys.seal, said, sequence, nonce)


def open_sealed(keys: rendezvous.Keys, raw: bytes, now_s: int) -> tuple[Presence, int]:
    """What the record of this day says, and its sequence. Raises: what `rendezvous.check` does; Malformed."""
    found = rendezvous.check(rendezvous.dht_key(keys.name.public), raw, now_s)
    return rendezvous.open_sealed(found, keys.seal, Presence), found.sequence


def _fitting(devices: Sequence[Whereabouts]) -> tuple[Whereabouts, ...]:
    lines = list(devices)
    while not rendezvous.fits(Presence(tuple(lines))):
        longest = max(range(len(lines)), key=lambda at: sum(map(len, lines[at].addresses)))
        lines[longest] = replace(lines[longest], addresses=lines[longest].addresses[:-1])
    return tuple(lines)
