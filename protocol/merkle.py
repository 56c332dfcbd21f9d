"""Merkle trees of the shape of RFC 6962: a root over leaves, and the proof that one leaf is under it.

    root of n > 1 leaves = hash(01 || root of the first k || root of the rest), k the greatest power of 2 below n
    root of one leaf     = hash(00 || leaf)            root of none = hash of nothing

The hash is an argument: spine.py gives its own, a test gives SHA-256 and compares with published trees. Not here: what
the leaves mean (spine.py), proofs that one tree grew out of another (a spine's tree is made anew each time).
"""

from collections.abc import Callable, Sequence

from crypto import hashing
from crypto.faults import Forged, Malformed

LEAVES_MAX = 2**20  # 5,000 contacts with 200 logs each
PATH_MAX = 20  # hashes in a proof

Hash = Callable[[bytes], bytes]
"""bytes -> 32 bytes."""


def root(leaves: Sequence[bytes], hash_of: Hash) -> bytes:
    """The 32-byte root over leaves in their order (RFC 6962, section 2.1). At most 2^20 leaves, each of any length."""
    assert len(leaves) <= LEAVES_MAX
    if not leaves:
        return hash_of(b"")
    row = [hash_of(b"\x00" + leaf) for leaf in leaves]
    while len(row) > 1:
        row = _above(row, hash_of)
    return row[0]


def path(leaves: Sequence[bytes], index: int, hash_of: Hash) -> tuple[bytes, ...]:
    """The hashes beside the way from a leaf up to the root, lowest first (RFC 6962, section 2.1.1); at most 20."""
    assert 0 <= index < len(leaves) <= LEAVES_MAX
    row = [hash_of(b"\x00" + leaf) for leaf in leaves]
    found = []
    while len(row) > 1:
        beside = index ^ 1
        if beside < len(row):  # the last of an odd row has nobody beside it, and rises as it is
            found.append(row[beside])
        row, index = _above(row, hash_of), index // 2
    return tuple(found)


def check(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes, hash_of: Hash) -> None:
    """Returns when the tree of `size` leaves with this root has this leaf in this place (RFC 9162, section 2.1.3.2).

    path: hashes of 32 bytes. Raises: Malformed (no such place, too few or too many hashes), Forged (another root).
    """
    if not 0 <= index < size <= LEAVES_MAX or len(path) > PATH_MAX:
        raise Malformed
    found, last = hash_of(b"\x00" + leaf), size - 1
    hashes = iter(path)
    while last:
        if index % 2 or index < last:
            beside = next(hashes, None)
            if beside is None:
                raise Malformed
            found = hash_of(b"\x01" + (beside + found if index % 2 else found + beside))
        index, last = index // 2, last // 2
    if next(hashes, None) is not None:
        raise Malformed
    if not hashing.same(found, root):
        raise Forged


def _above(row: Sequence[bytes], hash_of: Hash) -> list[bytes]:
    """The row above: pairs are joined, the last of an odd row rises. This gives the tree that RFC 6962 defines."""
    joined = [hash_of(b"\x01" + row[at] + row[at + 1]) for at in range(0, len(row) - 1, 2)]
    return joined + ([row[-1]] if len(row) % 2 else [])
