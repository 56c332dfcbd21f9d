"""Good frames of /weft/keep/1: one of each, for those who read and change them."""

from crypto.keys import SigningKey
from protocol import keep, keep_proof

OWNER = SigningKey(b"O" * 32)
KEEPER_PEER, OWNER_PEER, NONCE = b"k" * 32, b"o" * 32, b"n" * 32
PERMIT, PUT_KEY = b"P" * 32, b"K" * 32
READER, SENDER = b"r" * 16, b"s" * 16
ENVELOPE = bytes(1024)
DOOR = keep.Door(SENDER, PUT_KEY, 500, 0)
QUEUE = keep.Queue(READER, 500, 16 * 1024 * 1024, 30 * keep.DAY_S, (DOOR,))


def claim(permit: bytes | None = PERMIT) -> keep.Claim:
    """A good claim on the stream of KEEPER_PEER, OWNER_PEER and NONCE."""
    return keep_proof.claim(OWNER, KEEPER_PEER, OWNER_PEER, NONCE, permit)


def requests() -> tuple[keep.Request, ...]:
    """What is asked of a keeper."""
    return (
        claim(),
        claim(None),
        keep.Open((QUEUE, keep.Queue(b"R" * 16, 64, 256 * 1024, 14 * keep.DAY_S, ()))),
        keep.Close((READER, b"R" * 16)),
        keep.Fetch(7, 58, 300),
        keep.Done(9, b"n" * 24),
        keep.Lay((b"record", b"other")),
        keep_proof.put(PUT_KEY, NONCE, 1, SENDER, ENVELOPE, 3600),
        keep_proof.put(PUT_KEY, NONCE, 2, SENDER, bytes(4096), 3600, 2**64 - 1),
        keep.Look(bytes(32)),
        keep.Usage(),
    )


def replies() -> tuple[keep.Reply, ...]:
    """What a keeper says."""
    return (
        keep.Hello(1, NONCE),
        keep.Items((keep.Item(1, READER, ENVELOPE), keep.Item(4, READER, bytes(4096))), 1),
        keep.Items((), 0),
        keep.Lying(b"record"),
        keep.Lying(b""),
        *(keep.Answer(n, status) for n, status in enumerate(keep.Status, 1)),
        *(keep.Shown(n, status, 3600, b"x" * 32) for n, status in enumerate(keep.Status, 1)),
        keep.Used(1024, 1, 2**30, 2, b"n" * 24),
    )
