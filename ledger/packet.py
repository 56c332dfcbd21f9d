"""A red packet: shares that are drawn and promised before anybody opens it, and can be checked afterwards (ledger 8).

    sender : seed ──> shares ──> root          tells root and hash of the seed
    others : claims, each with a nonce of their own, in the order in which the sender takes them
    sender : which share each gets follows from the seed and the nonces so far; at the end the seed is told
    anybody: examine(...): the sum, the draws, the order

The sender does not know the nonces when he promises, and nobody else knows the seed while he claims: so nobody chooses
a share, but the sender could tell a friend the seed. Pure. Not here: how shares are paid (payment.py), messages.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from crypto import hashing
from crypto.faults import Malformed
from crypto.hashing import Label
from ledger.terms import AMOUNT_MAX
from protocol import merkle
from protocol.faults import PeerFault, UserFault

SEED_BYTES = 32
NONCE_BYTES = 16
SHARES_MAX = 100


class BadPacket(UserFault):
    """A packet has 1 to 100 shares, each of at least the smallest amount."""

    code = "packet.shares"
    next = "weft packet --help"
    exit = 2


class Unfair(PeerFault):
    """What the sender of a packet did is not what he had promised."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What a sender tells before anybody opens the packet. root, seed_hash: 32 bytes each."""

    total: int
    count: int
    is_random: bool
    root: bytes
    seed_hash: bytes


@dataclass(frozen=True, slots=True)
class Grant:
    """A share that somebody got. claimant: an account, nonce: his own, 16 bytes; index: of the share."""

    claimant: bytes
    nonce: bytes
    index: int


def promise(seed: bytes, total: int, count: int, *, is_random: bool) -> Promise:
    """What to tell of a packet with this seed, 32 random bytes. Raises: BadPacket."""
    shares = draw(seed, total, count, is_random=is_random)
    return Promise(total, count, is_random, merkle.root(_leaves(seed, shares), _hash), _seed_hash(seed))


def draw(seed: bytes, total: int, count: int, *, is_random: bool) -> tuple[int, ...]:
    """The shares of a packet: at least 1 each, and exactly the total. Raises: BadPacket.

    At random: each is uniform between 1 and twice the mean of what is left, and the last gets the rest, the rule that
    people know. Else they are equal, and the first ones get the odd cents.
    """
    if not 1 <= count <= SHARES_MAX or not count <= total <= AMOUNT_MAX:
        raise BadPacket
    if not is_random:
        return tuple(total // count + (at < total % count) for at in range(count))
    shares, left = [], total
    for at in range(count - 1):
        rest = count - at - 1  # those behind need 1 each
        most = min(2 * left // (rest + 1), left - rest)
        shares.append(1 + uniform(seed, b"share" + bytes((at,)), max(most, 1)))
        left -= shares[-1]
    return (*shares, left)


def largest(total: int, count: int, *, is_random: bool) -> int:
    """The most that one share of such a packet can be."""
    return total - count + 1 if is_random else -(-total // count)


def index(seed: bytes, nonces: Sequence[bytes], taken: Sequence[int], count: int) -> int:
    """Which share the newest claimant gets. nonces: of all claims so far, his last; taken: the indices before."""
    left = [at for at in range(count) if at not in taken]
    return left[uniform(seed, b"claim" + b"".join(nonces), len(left))]


def opening(seed: bytes, shares: Sequence[int], at: int) -> tuple[bytes, tuple[bytes, ...]]:
    """What shows a claimant that this share was promised: its salt, 16 bytes, and the path to the root."""
    return _salt(seed, at), merkle.path(_leaves(seed, shares), at, _hash)


def check_share(promised: Promise, at: int, amount: int, salt: bytes, path: Sequence[bytes]) -> None:
    """Returns when this share was promised. Raises: Forged, Malformed."""
    if not 0 <= at < promised.count <= SHARES_MAX or not 1 <= amount <= AMOUNT_MAX:
        raise Malformed
    merkle.check(_leaf(at, amount, salt), at, promised.count, path, promised.root, _hash)


def examine(promised: Promise, seed: bytes, grants: Sequence[Grant]) -> tuple[int, ...]:
    """What each got, in order, once the seed is told, and everything is as it was promised. Raises: Unfair."""
    if not hashing.same(_seed_hash(seed), promised.seed_hash):
        raise Unfair("the seed is another one")
    try:
        shares = draw(seed, promised.total, promised.count, is_random=promised.is_random)
    except BadPacket:
        raise Unfair("no such packet can be drawn") from None
    if merkle.root(_leaves(seed, shares), _hash) != promised.root:
        raise Unfair("the shares are others")
    if len({one.claimant for one in grants}) < len(grants):
        raise Unfair("somebody got two shares")
    taken: list[int] = []
    for at, one in enumerate(grants):
        if len(taken) == promised.count:
            raise Unfair("more was given than there was")
        if one.index != index(seed, [each.nonce for each in grants[: at + 1]], taken, promised.count):
            raise Unfair("somebody got another share than the one that was drawn")
        taken.append(one.index)
    return tuple(shares[one.index] for one in grants)


def uniform(seed: bytes, purpose: bytes, below: int) -> int:
    """A number from 0 up to below, 2^53 at most, that follows from a seed, each as likely as any other.

    256 bits reduced: the bias is below 2^-200.
    """
    drawn = hashing.hash_of(Label.LEDGER, b"draw" + seed + purpose)
    return int.from_bytes(drawn, "big") % below


def _leaves(seed: bytes, shares: Sequence[int]) -> list[bytes]:
    return [_leaf(at, amount, _salt(seed, at)) for at, amount in enumerate(shares)]


def _leaf(at: int, amount: int, salt: bytes) -> bytes:
    return bytes((at,)) + amount.to_bytes(8, "big") + salt


def _salt(seed: bytes, at: int) -> bytes:
    return hashing.keyed_id(seed, Label.LEDGER, b"salt" + bytes((at,)))


def _seed_hash(seed: bytes) -> bytes:
    return hashing.hash_of(Label.LEDGER, b"seed" + seed)


def _hash(message: bytes) -> bytes:
    return hashing.hash_of(Label.LEDGER, b"tree" + message)
