"""The plaintext of a ratchet header: two sizes, fixed widths (docs/protocol/ratchet.md 2).

    DH 32 || PN u32 || N u32                                small, 40 bytes
    DH 32 || PN u32 || N u32 || ek 1,184 || ct 1,088        large, 2,312 bytes; an absent ek or ct is all zero

Not here: who seals and opens it (ratchet.py).
"""

import struct
from typing import NamedTuple

from crypto.faults import BodyForged
from crypto.keys import KEM_CIPHERTEXT_BYTES, KEM_PUBLIC_BYTES

SMALL_BYTES = 40
LARGE_BYTES = SMALL_BYTES + KEM_PUBLIC_BYTES + KEM_CIPHERTEXT_BYTES

pack = struct.Struct(">32sII").pack
"""DH public key, previous chain length, number -> the small header."""
unpack_from = struct.Struct(">32sII").unpack_from

_NO_EK = bytes(KEM_PUBLIC_BYTES)
_NO_CT = bytes(KEM_CIPHERTEXT_BYTES)


class KemFields(NamedTuple):
    """What a header says of the KEM. ek: 1,184 bytes, or empty; ct: 1,088 bytes, or empty."""

    ek: bytes
    ct: bytes


NO_FIELDS = KemFields(b"", b"")


def pack_fields(fields: KemFields) -> bytes:
    """The large header's tail, or nothing when both fields are absent."""
    if fields == NO_FIELDS:
        return b""
    return (fields.ek or _NO_EK) + (fields.ct or _NO_CT)


def fields_of(opened: bytes) -> KemFields:
    """The KEM fields of an opened header of either size.

    Raises: BodyForged for a large header in which both are absent: it has a small form.
    """
    if len(opened) == SMALL_BYTES:
        return NO_FIELDS
    assert len(opened) == LARGE_BYTES
    ek = opened[SMALL_BYTES : SMALL_BYTES + KEM_PUBLIC_BYTES]
    ct = opened[SMALL_BYTES + KEM_PUBLIC_BYTES :]
    fields = KemFields(b"" if ek == _NO_EK else ek, b"" if ct == _NO_CT else ct)
    if fields == NO_FIELDS:
        raise BodyForged
    return fields
