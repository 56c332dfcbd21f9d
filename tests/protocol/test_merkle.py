"""Merkle trees against the definition of RFC 6962, written down as it stands there, and published trees."""

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.faults import Forged, Malformed
from protocol import merkle

# The leaves and roots of certificate-transparency's own tests (merkle_tree_test.cc), with SHA-256.
PUBLISHED_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
PUBLISHED_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
EMPTY_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

leaves_of = st.integers(1, 70).map(lambda count: [b"%d" % n for n in range(count)])


def sha256(message: bytes) -> bytes:
    return hashlib.sha256(message).digest()


def half(count: int) -> int:
    """The greatest power of two below."""
    return 1 << (count - 1).bit_length() - 1


def defined_root(leaves: Sequence[bytes]) -> bytes:
    """RFC 6962, section 2.1."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0])
    k = half(len(leaves))
    return sha256(b"\x01" + defined_root(leaves[:k]) + defined_root(leaves[k:]))


def defined_path(at: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """RFC 6962, section 2.1.1."""
    if len(leaves) == 1:
        return ()
    k = half(len(leaves))
    if at < k:
        return (*defined_path(at, leaves[:k]), defined_root(leaves[k:]))
    return (*defined_path(at - k, leaves[k:]), defined_root(leaves[:k]))


def test_published_trees() -> None:
    for count, expected in enumerate((EMPTY_ROOT, *PUBLISHED_ROOTS)):
        assert merkle.root(PUBLISHED_LEAVES[:count], sha256).hex() == expected


@given(leaves_of)
def test_roots_and_paths_are_as_defined(leaves: list[bytes]) -> None:
    root = merkle.root(leaves, sha256)
    assert root == defined_root(leaves)
    for at, leaf in enumerate(leaves):
        path = merkle.path(leaves, at, sha256)
        assert path == defined_path(at, leaves)
        merkle.check(leaf, at, len(leaves), path, root, sha256)


@given(leaves_of, st.data())
def test_no_other_leaf_place_size_or_path_is_proven(leaves: list[bytes], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(leaves) - 1))
    path, root = merkle.path(leaves, at, sha256), merkle.root(leaves, sha256)
    bent = [bytes((one[0] ^ 1,)) + one[1:] for one in path]
    changed = [
        (b"other", at, len(leaves), path, root),
        (leaves[at], at, len(leaves), (*path, root), root),
        (leaves[at], at, len(leaves), path, sha256(root)),
        (leaves[at], len(leaves), len(leaves), path, root),
        (leaves[at], -1, len(leaves), path, root),
        *((leaves[at], place, len(leaves), path, root) for place in range(len(leaves)) if place != at),
        *((leaves[at], at, len(leaves), (*path[:n], bent[n], *path[n + 1 :]), root) for n in range(len(path))),
        *((leaves[at], at, len(leaves), path[:n] + path[n + 1 :], root) for n in range(len(path))),
    ]
    for wrong in changed:
        with pytest.raises((Forged, Malformed)):
            merkle.check(*wrong, sha256)


def test_a_path_of_the_largest_tree_has_20_hashes() -> None:
    with pytest.raises(Forged):
        merkle.check(b"", 0, merkle.LEAVES_MAX, (bytes(32),) * merkle.PATH_MAX, bytes(32), sha256)
    for count in (merkle.PATH_MAX - 1, merkle.PATH_MAX + 1):
        with pytest.raises(Malformed):
            merkle.check(b"", 0, merkle.LEAVES_MAX, (bytes(32),) * count, bytes(32), sha256)
    with pytest.raises(Malformed):
        merkle.check(b"", 0, merkle.LEAVES_MAX + 1, (bytes(32),) * merkle.PATH_MAX, bytes(32), sha256)
