"""Case 58: keys and states show no secret, wherever Python may print, copy or raise them."""

import pickle
import traceback
from collections.abc import Callable

import pytest

from crypto import blinding, faults, keys, ratchet, sealing, vault, words
from crypto.handshake import Agreed
from crypto.keys import DhKey, KemKey, SigningKey
from crypto.xwing import InboxKey
from tests.crypto.pairs import Sealed, end_of, entropy_of, flipped, read, secrets_of, talked

CANARY = bytes(range(0x41, 0x61))  # printable, so that it would show in any repr of bytes
HOLDERS = [
    SigningKey(CANARY),
    DhKey(CANARY),
    KemKey(CANARY * 2),
    InboxKey(CANARY),
    blinding.BlindedKey(b"p" * 32, CANARY, CANARY),
    Agreed(b"s" * 16, CANARY, CANARY, CANARY, CANARY),
]


def _hidden(shown: str, secret: bytes = CANARY) -> bool:
    forms = (secret.hex(), repr(secret)[2:-1], secret.decode("latin-1"), str(list(secret))[1:-1], secret[:8].hex())
    return not any(form in shown for form in forms)


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
def test_case_58_repr_str_and_format_are_redacted(holder: object) -> None:
    for shown in (repr(holder), str(holder), f"{holder}", f"{[holder]!r}", f"{({'key': holder},)}"):
        assert _hidden(shown)
        assert type(holder).__name__ in shown


@pytest.mark.parametrize("holder", HOLDERS, ids=lambda holder: type(holder).__name__)
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_case_58_pickle_is_refused(holder: object, protocol: int) -> None:
    with pytest.raises(TypeError) as caught:
        pickle.dumps(holder, protocol)
    assert _hidden(str(caught.value))


def test_case_58_a_key_shows_the_fingerprint_of_its_public_half() -> None:
    for key in (SigningKey(CANARY), DhKey(CANARY), KemKey(CANARY * 2)):
        assert keys.fingerprint(key.public) in repr(key)
        assert key.public.hex()[:16] not in repr(key)


def test_case_58_holders_of_keys_are_redacted_through_them() -> None:
    entropy = entropy_of("holders")
    end, secrets = end_of(entropy), secrets_of(entropy)
    shown = repr((end, secrets))
    for secret in (end.identity.secret, secrets.signed.secret, secrets.kem.seed):
        assert _hidden(shown, secret)


def test_case_58_a_ratchet_is_redacted_and_refuses_pickle() -> None:
    alice, bob, write = talked("redacted", 30)
    late = write(alice, b"late")
    read(bob, write(alice, b"in time"))
    for r in (alice, bob):
        shown = repr(r) + str(r) + f"{r.skipped}"
        parts = [part for part in ratchet.freeze(r)[3:] if isinstance(part, bytes) and len(part) >= 32]
        assert parts
        assert all(_hidden(shown, part) for part in parts)
        for holder in (r, r.skipped):
            with pytest.raises(TypeError):
                pickle.dumps(holder)
    assert read(bob, late) == b"late"


def _traces() -> list[str]:
    """The whole trace of every fault that secrets can be near, as a crash would print it."""
    alice, bob, write = talked("traces")
    message = write(alice, CANARY)
    traces = []
    attempts: tuple[Callable[[], object], ...] = (
        lambda: read(bob, Sealed(message.header, flipped(message.body, 200))),
        lambda: read(bob, Sealed(flipped(message.header, 200), message.body)),
        lambda: sealing.open_sealed(CANARY, bytes(60)),
        lambda: keys.agree(DhKey(CANARY), bytes(32)),
        lambda: KemKey(CANARY * 2).decapsulate(b""),
        lambda: vault.unwrap_with_key(vault.wrap_with_key(CANARY, CANARY, bytes(24)), b"w" * 32),
        lambda: words.secret_of(words.words_of(CANARY).replace(" ", " wrongword ", 1)),
    )
    for attempt in attempts:
        try:
            attempt()
        except Exception as fault:
            traces.append("".join(traceback.format_exception(fault)) + repr(fault) + repr(fault.args))
    assert len(traces) == 7
    return traces


def test_case_58_faults_carry_no_secret() -> None:
    mnemonic = words.words_of(CANARY)
    for trace in _traces():
        assert _hidden(trace)
        assert mnemonic[:20] not in trace


def test_every_fault_of_a_peer_is_a_sentence() -> None:
    named = [
        fault for fault in vars(faults).values() if isinstance(fault, type) and issubclass(fault, faults.PeerFault)
    ]
    assert len(named) == 10
    for fault in named:
        assert fault.__doc__
        assert fault.__doc__.endswith(".")
        assert fault.__doc__[0].isupper()
