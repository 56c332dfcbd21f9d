"""A file of evidence is read and verified by what is not weft: cbor2, cryptography, hashlib, as log.md 6.8 lists them.

The bytes are the frozen ones of tests/golden/. Sealed contents are not opened here: XChaCha20 is in neither library.
"""

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

GOLDEN = Path(__file__).parents[1] / "golden" / "protocol_log_file.json"
HELD = json.loads(GOLDEN.read_text())
FILE = b"".join(bytes.fromhex(item) for _, item in HELD["items"])
NAMES = [name for name, _ in HELD["items"]]


def blake(message: bytes, key: bytes = b"") -> bytes:
    return hashlib.blake2b(message, digest_size=32, key=key).digest()


def walk(raw: bytes) -> Iterator[tuple[bytes, Any]]:
    """Each item of a CBOR sequence: its bytes and its value."""
    source = io.BytesIO(raw)
    while (at := source.tell()) < len(raw):
        value = cbor2.CBORDecoder(source, read_size=1).decode()
        yield raw[at : source.tell()], value


def verify(public: bytes, signature: bytes, message: bytes) -> None:
    Ed25519PublicKey.from_public_bytes(public).verify(signature, message)


def body_of(raw: bytes, author: bytes | None = None) -> list[Any]:
    """The body of an entry without its tag, verified as RFC 9052, 4.4 has it."""
    protected, unprotected, payload, signature = cbor2.loads(raw)
    assert (cbor2.loads(protected), unprotected) == ({1: -8}, {})
    body: list[Any] = cbor2.loads(payload)
    verify(author or body[1], signature, cbor2.dumps(["Signature1", protected, b"weft/1/log", payload]))
    return body


def check_cosignature(value: list[Any], subject: bytes) -> None:
    _, witness, _, of, signature = value
    assert of == subject
    verify(witness, signature, b"weft/1/cosig\x00" + cbor2.dumps(value[:-1]))


def check_committed(committed: list[Any], key: bytes, author: bytes, of: bytes) -> None:
    """That the spine entry commits to this head of this log: RFC 9162, 2.1.3.2."""
    _, raw, content, at, seq, head, path = committed
    body = body_of(raw, author)
    assert (body[7], body[8], body[9]) == (1, len(content), blake(content))
    size, root = cbor2.loads(content)
    leaf = blake(b"weft/1/spine\x00" + of, key) + seq.to_bytes(8, "big") + head
    found, last = blake(b"weft/1/spine\x00\x00" + leaf), size - 1
    assert at < size
    for beside in path:
        assert last
        if at % 2 or at == last:
            found = blake(b"weft/1/spine\x00\x01" + beside + found)
            while at and not at % 2:
                at, last = at // 2, last // 2
        else:
            found = blake(b"weft/1/spine\x00\x01" + found + beside)
        at, last = at // 2, last // 2
    assert (found, last) == (root, 0)


def check_proof(value: list[Any]) -> None:
    """One of the three proofs (log.md 4.1, spine.md 5)."""
    match value:
        case [1, first, second]:
            one, other = body_of(first), body_of(second)
            assert first < second
            assert one[1:4] == other[1:4]
        case [4, author, key, committed, entry]:
            body = body_of(entry, author)
            check_committed(committed, key, author, body[2])
            is_other = body[3] == committed[4] and blake(entry) != committed[5]
            assert is_other or (body[3] == committed[4] + 1 and body[4] != committed[5])
        case [5, author, key, of, earlier, later]:
            check_committed(earlier, key, author, of)
            check_committed(later, key, author, of)
            one, other = body_of(earlier[1], author), body_of(later[1], author)
            assert one[2] == other[2]
            assert one[3] < other[3]
            assert later[4] < earlier[4] or (later[4] == earlier[4] and later[5] != earlier[5])
        case _:
            raise AssertionError(value)


def checked(file: bytes) -> list[str]:
    """Checks a whole file; the forms of its items, in order."""
    forms: list[str] = []
    heads: dict[tuple[bytes, bytes], tuple[int, bytes]] = {}
    body: list[Any] = []
    id_of = subject = b""
    for raw, value in walk(file):
        if isinstance(value, cbor2.CBORTag):
            assert (raw[0], value.tag) == (0xD2, 18)
            body, id_of = body_of(raw[1:]), blake(raw[1:])
            subject = id_of
            seq, prev = heads.get((body[1], body[2]), (-1, None))
            assert (body[3], body[4]) == (seq + 1, prev)
            heads[body[1], body[2]] = (body[3], id_of)
            forms.append("Claimed")
        elif isinstance(value[0], bytes):
            assert (len(value[0]), blake(value[0])) == (body[8], body[9])
            forms.append("Shown")
        elif isinstance(value[0], list):
            committed, key = value
            check_committed(committed, key, body[1], body[2])
            assert (committed[4], committed[5]) == (body[3], id_of)
            subject = blake(committed[1])
            forms.append("Covered")
        elif value[0] == 2:
            check_cosignature(value, subject)
            forms.append("Cosignature")
        elif value[0] == 10:
            verify(value[1], value[-1], b"weft/1/dev-cert\x00" + cbor2.dumps(value[:-1]))
            forms.append("Certificate")
        else:
            check_proof(value)
            forms.append({1: "Fork", 4: "Contradiction", 5: "Rollback"}[value[0]])
    return forms


def test_a_file_is_a_cbor_sequence_of_cose_that_anybody_verifies() -> None:
    assert checked(FILE) == NAMES
    proofs = {"Fork", "Contradiction", "Rollback"}
    assert set(NAMES) == {"Claimed", "Shown", "Covered", "Cosignature", "Certificate", *proofs}
    assert blake(FILE).hex() == HELD["b2sum"]


def test_the_reader_of_this_test_refuses_a_changed_byte() -> None:
    at = 0
    for name, item in HELD["items"]:
        changed = bytearray(FILE)
        at += len(item) // 2
        changed[at - 5] ^= 1  # in the signature, the hash, the key or the content with which each item ends
        if name == "Shown" and bytes.fromhex(item)[-1:] != b"\xf6":
            continue  # its key is not tried here
        with pytest.raises((AssertionError, InvalidSignature)):
            checked(bytes(changed))
