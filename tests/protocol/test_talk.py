"""The channel proof binds key, side, both peers and both nonces; frames keep their limits (docs/protocol/talk.md)."""

from dataclasses import replace
from typing import Any

import pytest

from crypto.faults import Forged, Malformed
from protocol import identity, record, talk, wire
from protocol.faults import OverLimit
from protocol.talk import Side
from tests.protocol.circle import NOW_S, someone

ANA, BO = someone("ana"), someone("bo")
KEY, OTHER_KEY = talk.chan_key(b"k" * 32), talk.chan_key(b"o" * 32)
PEERS, NONCES = (b"A" * 32, b"B" * 32), (b"a" * 32, b"b" * 32)
T = talk.transcript(*PEERS, *NONCES)
WHO = ANA.introduction()
PROOF = talk.prove(KEY, Side.DIALLER, T, WHO, bytes(24))


def test_a_proof_shows_the_key_and_introduces() -> None:
    for side in Side:
        proof = talk.prove(KEY, side, T, WHO, bytes(24))
        assert talk.proven(KEY, side, T, proof)
        assert talk.introduced(KEY, side, T, proof) == WHO
        assert len(proof) <= talk.PROOF_BYTES_MAX


OTHER_TRANSCRIPTS = {
    "swapped peers": talk.transcript(PEERS[1], PEERS[0], *NONCES),
    "swapped nonces": talk.transcript(*PEERS, NONCES[1], NONCES[0]),
    "another dialler": talk.transcript(b"X" * 32, PEERS[1], *NONCES),
    "another listener": talk.transcript(PEERS[0], b"X" * 32, *NONCES),
    "another stream": talk.transcript(*PEERS, NONCES[0], b"x" * 32),
}


@pytest.mark.parametrize("transcript", OTHER_TRANSCRIPTS.values(), ids=OTHER_TRANSCRIPTS)
def test_a_proof_is_good_for_one_stream_only(transcript: bytes) -> None:
    assert not talk.proven(KEY, Side.DIALLER, transcript, PROOF)
    with pytest.raises(Forged):
        talk.introduced(KEY, Side.DIALLER, transcript, PROOF)


def test_a_proof_is_not_good_with_another_key_or_for_the_other_side() -> None:
    for key, side in ((OTHER_KEY, Side.DIALLER), (KEY, Side.LISTENER)):
        assert not talk.proven(key, side, T, PROOF)
        with pytest.raises(Forged):
            talk.introduced(key, side, T, PROOF)


def test_the_sealed_half_of_one_proof_does_not_serve_in_another() -> None:
    listener = talk.prove(KEY, Side.LISTENER, T, WHO, bytes(24))
    with pytest.raises(Forged):
        talk.introduced(KEY, Side.DIALLER, T, PROOF[:32] + listener[32:])


@pytest.mark.parametrize("at", [0, 31, 32, 55, 56, 500, len(PROOF) - 1])
def test_a_flipped_bit_is_forged(at: int) -> None:
    flipped = PROOF[:at] + bytes((PROOF[at] ^ 1,)) + PROOF[at + 1 :]
    with pytest.raises(Forged):
        talk.introduced(KEY, Side.DIALLER, T, flipped)


@pytest.mark.parametrize("length", [0, 1, 31, 32, 33, 71, 72, len(PROOF) - 1])
def test_a_shorter_proof_is_forged(length: int) -> None:
    with pytest.raises(Forged):
        talk.introduced(KEY, Side.DIALLER, T, PROOF[:length])


def test_a_longer_proof_is_refused() -> None:
    with pytest.raises(Malformed):
        talk.introduced(KEY, Side.DIALLER, T, PROOF + bytes(talk.PROOF_BYTES_MAX))


def test_who_failed_answers_32_bytes_and_they_prove_nothing() -> None:
    assert not talk.proven(KEY, Side.LISTENER, T, b"\x00" * 32)


def test_eight_full_lists_fit_a_proof_and_nine_do_not() -> None:
    certificates = tuple(ANA.certify(serial) for serial in range(8))
    chain = [identity.first_list(ANA.account_key, certificates, NOW_S)]
    for at in range(8):
        lost = tuple(identity.Revocation((at * 16 + n).to_bytes(32, "big"), NOW_S + at, 1) for n in range(16))
        chain.append(identity.next_list(ANA.account_key, chain[-1], certificates, lost, NOW_S + at))
    full = talk.Introduction(ANA.certificate, tuple(chain[1:]))
    proof = talk.prove(KEY, Side.DIALLER, T, full, bytes(24))
    assert len(proof) <= talk.PROOF_BYTES_MAX
    assert talk.introduced(KEY, Side.DIALLER, T, proof) == full
    with pytest.raises(OverLimit):
        talk.Introduction(ANA.certificate, tuple(chain))


def test_how_many_lists_somebody_shows_is_not_seen_from_outside() -> None:
    two = replace(
        WHO, lists=(ANA.devices, identity.next_list(ANA.account_key, ANA.devices, (ANA.certificate,), (), NOW_S))
    )
    assert len(talk.prove(KEY, Side.DIALLER, T, two, bytes(24))) == len(PROOF)


@pytest.mark.parametrize("nonces", [(b"a" * 31, NONCES[1]), (NONCES[0], b"b" * 33), (b"", NONCES[1])])
def test_a_nonce_of_another_length_is_malformed(nonces: tuple[bytes, bytes]) -> None:
    with pytest.raises(Malformed):
        talk.transcript(*PEERS, *nonces)


# --- frames


HELLO = talk.Hello((1,), bytes(16), ("/ip4/127.0.0.1/tcp/4001",), None, 0, 512)


def test_frames_are_read_as_written() -> None:
    for frame in (
        HELLO,
        replace(HELLO, next_peer=bytes(32), addresses=()),
        talk.Envelopes(1, (bytes(1024), bytes(4096))),
        talk.Ack(9, (3, 4)),
        talk.BundleWanted(),
        talk.BundleGiven(ANA.bundle()),
        talk.Ping(7),
        talk.Pong(7),
        talk.Bye("stopping"),
        talk.Typing(),
    ):
        assert talk.decode(talk.encode(frame)) == frame


def test_the_fullest_frames_fit() -> None:
    for envelopes in ((bytes(65536),), (bytes(1024),) * talk.ENVELOPES_MAX, (bytes(16384),) * 4):
        raw = talk.encode(talk.Envelopes(record.SAFE_INT_MAX, envelopes))
        assert len(raw) <= talk.FRAME_BYTES_MAX
        talk.decode(raw)
    held = tuple(range(record.SAFE_INT_MAX - 512, record.SAFE_INT_MAX))
    assert len(talk.encode(talk.Ack(record.SAFE_INT_MAX, held))) <= talk.FRAME_BYTES_MAX


@pytest.mark.parametrize(
    "parts",
    [
        (0,),
        (9, 1),
        (10,),
        (4, 1),
        (4, None),
        (1, (1,), bytes(16), (), None, 0),
        (1, (), bytes(16), (), None, 0, 512),
        (1, (0,), bytes(16), (), None, 0, 512),
        (1, (1,), bytes(15), (), None, 0, 512),
        (1, (1,), bytes(16), ("x",) * 9, None, 0, 512),
        (1, (1,), bytes(16), ("x" * 193,), None, 0, 512),
        (1, (1,), bytes(16), (), bytes(31), 0, 512),
        (1, (1,), bytes(16), (), None, 0, 0),
        (1, (1,), bytes(16), (), None, 0, 513),
        (1, (1,), bytes(16), (), None, 2**53, 512),
        (2, 1, ()),
        (2, 1, (bytes(1023),)),
        (2, 1, (bytes(1025),)),
        (2, -1, (bytes(1024),)),
        (2, 1, bytes(1024)),
        (3, 1, tuple(range(513))),
        (3, 1, None),
        (5, None),
        (6,),
        (6, -1),
        (8, "x" * 129),
        (8, "line\nline"),
        (8, 3),
        (16, ()),
        (),
    ],
)
def test_other_frames_are_malformed(parts: Any) -> None:
    with pytest.raises(Malformed):
        talk.decode(wire.encode(parts))


def test_a_frame_one_byte_over_its_limit_is_malformed_without_being_decoded() -> None:
    with pytest.raises(Malformed):
        talk.decode(b"\x82\x06" + bytes(talk.FRAME_BYTES_MAX))
