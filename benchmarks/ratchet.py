"""ratchet.oneway, ratchet.pingpong: our time to encrypt and decrypt a message, over vodozemac's for the same.

Both ends stand in one program, 100 bytes a message, no padding on either side. Ours hides its headers and mixes ML-KEM
in, vodozemac (Olm, written in Rust) does neither: what the ratio pays for.
"""

import os
from collections.abc import Callable
from time import perf_counter_ns

import vodozemac

from benchmarks import figures
from crypto import handshake, keys, ratchet
from crypto.handshake import Party, PrekeySecrets
from crypto.keys import DhKey, KemKey

TEXT = b"x" * 100
MESSAGES = 2000  # of one measurement: about 0.1 s
RUNS = 9
CONFIRM_EVERY = 64  # acknowledgements come back at least once for so many messages
NOW_MS = 1_700_000_000_000

Ends = tuple[ratchet.Ratchet, ratchet.Ratchet]


def main() -> None:
    """Prints both figures."""
    for bench, ours, theirs in (
        ("ratchet.oneway", _one_way, _their_one_way),
        ("ratchet.pingpong", _ping_pong, _their_ping_pong),
    ):
        mine, baseline = figures.in_turn(RUNS, ours, theirs)
        ratios = [one / other for one, other in zip(mine, baseline, strict=True)]
        figures.show(bench, ratios, "ratio", "lower", "vodozemac", [1.0], ours_us=_us(mine), vodozemac_us=_us(baseline))


def _us(seconds: list[float]) -> float:
    """Microseconds of one message, encrypted and decrypted, in the middle run."""
    return round(sorted(seconds)[len(seconds) // 2] / MESSAGES * 1e6, 1)


def _timed(say: Callable[[int], None]) -> float:
    began = perf_counter_ns()
    for number in range(MESSAGES):
        say(number)
    return (perf_counter_ns() - began) / 1e9


def _meet() -> Ends:
    """Two ends after PX3 that have each received one message."""
    alice, bob = DhKey(os.urandom(32)), DhKey(os.urandom(32))
    mine, theirs = (Party(os.urandom(32), os.urandom(32), end.public) for end in (alice, bob))
    secrets = PrekeySecrets(DhKey(os.urandom(32)), DhKey(os.urandom(32)), KemKey(os.urandom(64)))
    ephemeral = DhKey(os.urandom(32))
    agreed, ciphertext = handshake.initiate(mine, alice, theirs, secrets.public(), ephemeral, 0, keys.encapsulate)
    answered = handshake.respond(mine, ephemeral.public, ciphertext, 0, theirs, bob, secrets)
    a = ratchet.sending_first(agreed, secrets.signed.public, os.urandom, NOW_MS)
    b = ratchet.receiving_first(answered, secrets.signed, NOW_MS)
    _say(a, b)
    _say(b, a)
    return a, b


def _say(sending: ratchet.Ratchet, receiving: ratchet.Ratchet) -> None:
    header, body = ratchet.encrypt(sending, TEXT, os.urandom, keys.encapsulate, NOW_MS)
    ratchet.decrypt(receiving, header, body, NOW_MS)


def _one_way() -> float:
    a, b = _meet()

    def say(number: int) -> None:
        _say(a, b)
        if number % CONFIRM_EVERY == 0:
            ratchet.confirm(a, ratchet.last_sent(a).turn)

    return _timed(say)


def _ping_pong() -> float:
    a, b = _meet()
    return _timed(lambda number: _say(b, a) if number % 2 else _say(a, b))


def _their_meet() -> tuple[vodozemac.Session, vodozemac.Session]:
    """Two Olm sessions that have each received one message."""
    alice, bob = vodozemac.Account(), vodozemac.Account()
    bob.generate_one_time_keys(1)
    one_time = next(iter(bob.one_time_keys.values()))
    a = alice.create_outbound_session(bob.curve25519_key, one_time)
    first = a.encrypt(TEXT).to_pre_key()
    assert first is not None
    b, _ = bob.create_inbound_session(alice.curve25519_key, first)
    a.decrypt(b.encrypt(TEXT))
    return a, b


def _their_one_way() -> float:
    a, b = _their_meet()
    return _timed(lambda _: _their_say(a, b))


def _their_ping_pong() -> float:
    a, b = _their_meet()
    return _timed(lambda number: _their_say(b, a) if number % 2 else _their_say(a, b))


def _their_say(sending: vodozemac.Session, receiving: vodozemac.Session) -> None:
    receiving.decrypt(sending.encrypt(TEXT))
