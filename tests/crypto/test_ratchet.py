"""The ratchet: what it promises in order and out of order, and what it refuses.

Random schedules are in test_ratchet_schedules.py, other implementations in test_ratchet_oracles.py, leaks and the
ML-KEM step in test_ratchet_kem.py.
"""

import sys
from types import FrameType
from typing import Any

import pytest

from crypto import budget, header, keys, ratchet, sealing, skipped
from crypto.faults import BodyForged, Malformed, Paused, PeerFault, Replayed, TooFarAhead, Unreadable
from crypto.keys import DhKey
from crypto.ratchet import DAY_MS, MAX_SKIP, MAX_SKIP_YOUNG, Mark, Ratchet
from tests.crypto import vectors
from tests.crypto.pairs import (
    NOW_MS,
    Sealed,
    entropy_of,
    flipped,
    mark_of,
    read,
    session,
    state,
    talked,
    writer,
)

OLD_MS = NOW_MS + DAY_MS  # a time at which the sessions of these tests are a day old


def _crafted(
    author: Ratchet, public: bytes, previous: int, number: int, key: bytes, body: bytes = bytes(140)
) -> Sealed:
    """A message with a header that only the session's peer can make, and any body."""
    plain = header.pack(public, previous, number)
    return Sealed(sealing.seal(key, b"\x07" * 24, plain, author.sid), body)


class Hmacs:
    """Counts the HMACs that run inside a `with`: the work of a chain, without a stopwatch."""

    count = 0

    def __enter__(self) -> "Hmacs":
        sys.setprofile(self._seen)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _seen(self, _: FrameType, event: str, called: Any) -> None:
        if event == "c_call" and called.__name__ == "hmac_digest":
            self.count += 1


def test_messages_pass_both_ways_and_carry_their_marks() -> None:
    alice, bob, write = talked("ways", 3)
    first, second = write(alice, b"one"), write(alice, b"two")
    sent = ratchet.last_sent(alice)
    assert mark_of(bob, first) == Mark(alice.mine_public[:8], 0)
    assert mark_of(bob, second) == sent == Mark(alice.mine_public[:8], 1)


def test_sizes_on_the_wire_are_fixed() -> None:
    alice, bob = session("sizes")
    write = writer("sizes")
    first = write(alice, b"x" * 100)
    assert (len(first.header), len(first.body)) == (80, 140)
    read(bob, first)
    offer = write(bob, b"")
    assert (len(offer.header), len(offer.body)) == (2352, 40)


def test_a_responder_receives_before_it_sends() -> None:
    alice, bob = session("first")
    assert ratchet.can_send(alice)
    assert not ratchet.can_send(bob)
    read(bob, writer("first")(alice, b"hello"))
    assert ratchet.can_send(bob)


def test_a_frozen_ratchet_thaws_to_the_same_and_goes_on() -> None:
    alice, bob, write = talked("frozen", 70)
    late = [write(alice, b"late %d" % number) for number in range(5)]
    read(bob, late[4])
    assert ratchet.freeze(ratchet.thaw(ratchet.freeze(bob))) == ratchet.freeze(bob)
    as_lists = [list(part) if isinstance(part, tuple) else part for part in ratchet.freeze(bob)]
    bob = ratchet.thaw(as_lists)
    for number in range(4):
        assert read(bob, late[number]) == b"late %d" % number
    assert read(ratchet.thaw(ratchet.freeze(alice)), write(bob, b"back")) == b"back"


def test_an_empty_memory_freezes_to_nothing() -> None:
    alice, _ = session("empty")
    assert ratchet.freeze(alice)[-1] == (b"", b"", b"")
    assert sum(len(part) for part in ratchet.freeze(alice) if isinstance(part, bytes)) < 400


def test_a_clone_shares_nothing_that_changes() -> None:
    alice, bob, write = talked("clone")
    messages = [write(alice, b"%d" % number) for number in range(6)]
    read(bob, messages[3])
    before = ratchet.freeze(bob)
    twin = bob.clone()
    assert ratchet.freeze(twin) == before
    for number in (5, 0, 4, 1, 2):
        read(twin, messages[number])
    read(alice, write(twin, b"a new turn"))
    read(twin, write(alice, b"another"))
    assert ratchet.freeze(bob) == before
    assert ratchet.freeze(twin) != before


def test_messages_of_old_turns_open_when_they_come_late() -> None:
    alice, bob, write = talked("late")
    late = []
    for number in range(20):
        late.append(write(alice, b"late %d" % number))
        read(bob, write(alice, b"in time"))
        read(alice, write(bob, b"answer"))
    for number in reversed(range(20)):
        assert read(bob, late[number]) == b"late %d" % number
        with pytest.raises(Replayed):
            read(bob, late[number])
    assert not bob.skipped.keys


def test_a_turn_is_forgotten_after_64_others_unless_something_is_awaited_from_it() -> None:
    alice, bob, write = talked("forgotten", 1)
    awaited = write(alice, b"awaited")
    old = write(alice, b"old")
    read(bob, old)
    for _ in range(skipped.OLD_TURNS_MAX + 5):
        read(alice, write(bob, b"turn"))
        read(bob, write(alice, b"turn"))
    assert len(bob.skipped.old) == skipped.OLD_TURNS_MAX
    with pytest.raises(Replayed):
        read(bob, old)
    assert read(bob, awaited) == b"awaited"
    for _ in range(skipped.OLD_TURNS_MAX + 5):
        read(alice, write(bob, b"turn"))
        read(bob, write(alice, b"turn"))
    with pytest.raises(Unreadable):
        read(bob, old)


def test_a_turn_goes_with_its_keys_when_all_64_await_something() -> None:
    alice, bob, write = talked("all", 1)
    held = []
    for _ in range(skipped.OLD_TURNS_MAX + 3):
        held.append(write(alice, b"held"))
        read(bob, write(alice, b"in time"))
        read(alice, write(bob, b"turn"))
    read(bob, write(alice, b"last"))
    assert len(bob.skipped.old) == skipped.OLD_TURNS_MAX == len(bob.skipped.keys)
    with pytest.raises(Unreadable):
        read(bob, held[0])
    assert read(bob, held[-1]) == b"held"


@pytest.mark.parametrize("public", vectors.LOW_ORDER, ids=bytes.hex)
def test_case_5_a_ratchet_key_of_low_order_is_refused(public: bytes) -> None:
    alice, bob, write = talked("low")
    before = state(bob)
    with pytest.raises(BodyForged):
        read(bob, _crafted(alice, public, 0, 0, bob.receive_next))
    assert state(bob) == before
    assert read(bob, write(alice, b"still here")) == b"still here"


def test_a_second_turn_without_an_answer_between_is_refused() -> None:
    """A peer knows the key of its next header already; it cannot use it before we have begun a turn."""
    alice, bob, write = talked("impatient")
    read(bob, write(alice, b"a turn"))
    before = state(bob)
    with Hmacs() as hmacs, pytest.raises(BodyForged):
        read(bob, _crafted(alice, DhKey(b"i" * 32).public, 1, 0, bob.receive_next))
    assert hmacs.count == 0  # there is no secret of ours to agree with
    assert state(bob) == before


@pytest.mark.parametrize(("size", "body"), [(79, 40), (81, 40), (2351, 40), (0, 40), (80, 39), (80, 0)])
def test_impossible_sizes_are_malformed(size: int, body: int) -> None:
    _, bob, _ = talked("sizes")
    with pytest.raises(Malformed):
        ratchet.decrypt(bob, bytes(size), bytes(body), NOW_MS)


def test_case_15_an_absurd_number_or_previous_is_refused_without_work() -> None:
    alice, bob, write = talked("absurd")
    write(alice, b"begin a turn")
    for now_ms, limit in ((NOW_MS, MAX_SKIP_YOUNG), (OLD_MS, MAX_SKIP)):
        for previous, number, key in (
            (0, 2**32 - 1, bob.receive_header),
            (0, bob.receive_count + limit + 1, bob.receive_header),
            (0, 2**32 - 1, bob.receive_next),
            (0, limit + 1, bob.receive_next),
            (10**6, 0, bob.receive_next),
            (bob.receive_count + limit + 1, 0, bob.receive_next),
            (2**32 - 1, 2**32 - 1, bob.receive_next),
        ):
            before = ratchet.freeze(bob)
            with Hmacs() as hmacs, pytest.raises(TooFarAhead):
                read(bob, _crafted(alice, alice.mine_public, previous, number, key), now_ms)
            assert hmacs.count == 0
            assert ratchet.freeze(bob) == before
    assert read(bob, write(alice, b"still here")) == b"still here"


def test_case_15_forged_bodies_far_ahead_are_bounded_by_the_budget() -> None:
    alice, bob, write = talked("budget")
    write(alice, b"begin a turn")
    forged = _crafted(alice, alice.mine_public, bob.receive_count + MAX_SKIP, MAX_SKIP, bob.receive_next)
    before = state(bob)
    outcomes = []
    with Hmacs() as hmacs:
        for attempt in range(100):
            try:
                read(bob, forged, OLD_MS + attempt)
            except (BodyForged, Paused) as fault:
                outcomes.append(type(fault))
    assert outcomes == [BodyForged] * budget.FAILURES_MAX + [Paused] * (100 - budget.FAILURES_MAX)
    work_of_one = 4 * MAX_SKIP  # two chains, two HMACs a message
    assert budget.FAILURES_MAX * work_of_one <= hmacs.count <= budget.FAILURES_MAX * (work_of_one + 10)
    assert state(bob) == before


def test_a_paused_session_wakes_after_ten_minutes_and_knows_duplicates_meanwhile() -> None:
    alice, bob, write = talked("paused")
    duplicate = write(alice, b"duplicate")
    read(bob, duplicate)
    good = write(alice, b"good")
    forged = Sealed(good.header, flipped(good.body, 200))
    for _ in range(budget.FAILURES_MAX):
        with pytest.raises(BodyForged):
            read(bob, forged)
    with pytest.raises(Paused):
        read(bob, good, NOW_MS + budget.PAUSE_MS - 1)
    with pytest.raises(Replayed):
        read(bob, duplicate, NOW_MS + 1)
    bob = ratchet.thaw(ratchet.freeze(bob))
    with pytest.raises(Paused):
        read(bob, good, NOW_MS + 1)
    assert read(bob, good, NOW_MS + budget.PAUSE_MS) == b"good"


def test_failures_spread_over_time_do_not_pause_and_a_clock_set_back_ends_a_pause() -> None:
    spent = budget.FULL
    for number in range(40):
        spent = budget.spend(spent, NOW_MS + number * budget.WINDOW_MS // 4)
        assert not budget.paused(spent, NOW_MS + number * budget.WINDOW_MS // 4)
    for _ in range(budget.FAILURES_MAX):
        spent = budget.spend(spent, NOW_MS)
    assert budget.paused(spent, NOW_MS)
    assert not budget.paused(spent, NOW_MS - 1)
    assert not budget.paused(spent, NOW_MS + budget.PAUSE_MS)


def test_duplicates_unknown_headers_and_far_skips_never_spend_the_budget() -> None:
    alice, bob, write = talked("free")
    message = write(alice, b"message")
    read(bob, message)
    far = _crafted(alice, alice.mine_public, 0, 10**6, bob.receive_header)
    for _ in range(20):
        for sealed, fault in (
            (message, Replayed),
            (Sealed(message.header, flipped(message.body, 300)), Replayed),
            (Sealed(flipped(message.header, 300), message.body), Unreadable),
            (far, TooFarAhead),
        ):
            with pytest.raises(fault):
                read(bob, sealed)
    assert bob.budget == budget.FULL


@pytest.mark.parametrize("turn", ["same", "next", "old"])
def test_case_16_every_flipped_bit_is_refused_and_the_genuine_message_opens_afterwards(turn: str) -> None:
    alice, bob, write = talked(("bits", turn))
    if turn == "same":
        read(bob, write(alice, b"begin"))
    message = write(alice, b"m" * 20)
    if turn == "old":
        read(bob, write(alice, b"after"))
        read(alice, write(bob, b"turn"))
        read(bob, write(alice, b"next"))
    before = state(bob)
    for bit in range(len(message.header) * 8):
        with pytest.raises(Unreadable):
            read(bob, Sealed(flipped(message.header, bit), message.body))
    for bit in range(len(message.body) * 8):
        with pytest.raises(BodyForged):
            read(bob, Sealed(message.header, flipped(message.body, bit)), NOW_MS + bit * budget.WINDOW_MS)
    assert state(bob) == before
    assert read(bob, message) == b"m" * 20


def test_case_16_a_large_header_is_authenticated_to_its_last_bit() -> None:
    alice, bob = session("large")
    write = writer("large")
    read(bob, write(alice, b"hello"))
    offer = write(bob, b"offer")
    for bit in (*range(0, len(offer.header) * 8, 61), len(offer.header) * 8 - 1):
        with pytest.raises(Unreadable):
            read(alice, Sealed(flipped(offer.header, bit), offer.body))
    assert read(alice, offer) == b"offer"


def test_case_17_skipped_keys_never_exceed_their_limit_and_expire() -> None:
    alice, bob, write = talked("skipped")
    written, at = [], OLD_MS
    for _ in range(5):
        written.append([write(alice, b"skipped") for _ in range(1000)])
        read(bob, write(alice, b"in time"), at)
        assert len(bob.skipped.keys) <= skipped.KEYS_MAX
        read(alice, write(bob, b"turn"), at)
        at += 1000
    assert len(bob.skipped.keys) == skipped.KEYS_MAX
    with pytest.raises(Unreadable):  # dropped, and not taken for a duplicate
        read(bob, written[2][0], at)
    assert read(bob, written[3][0], at) == b"skipped"
    assert read(bob, written[4][999], at) == b"skipped"
    with pytest.raises(Replayed):
        read(bob, written[4][999], at)
    assert len(bob.skipped.lost) <= skipped.LOST_MAX

    expired = at - 2000 + skipped.KEEP_MS
    with pytest.raises(Unreadable):
        read(bob, written[3][1], expired)
    assert read(bob, written[4][1], expired - 1) == b"skipped"
    read(bob, write(alice, b"later"), expired)
    assert len(bob.skipped.keys) == 998
    ratchet.expire(bob, expired + 1000)
    assert not bob.skipped.keys
    with pytest.raises(Unreadable):
        read(bob, written[4][2], expired + 1000)


def test_the_limit_is_met_exactly() -> None:
    for now_ms, limit in ((NOW_MS, MAX_SKIP_YOUNG), (OLD_MS, MAX_SKIP)):
        alice, bob, write = talked(("limit", limit))
        messages = [write(alice, b"%d" % number) for number in range(limit + 2)]
        with pytest.raises(TooFarAhead):
            read(bob, messages[limit + 1], now_ms)
        assert read(bob, messages[limit], now_ms) == b"%d" % limit
        assert read(bob, messages[limit + 1], now_ms) == b"%d" % (limit + 1)
        assert read(bob, messages[0], now_ms) == b"0"


def test_case_22_a_message_of_one_session_is_nothing_in_another() -> None:
    alice, _, write = talked("one")
    other_alice, other_bob, other_write = talked("other")
    before = ratchet.freeze(other_bob)
    message = write(alice, b"for the first session")
    with pytest.raises(Unreadable):
        read(other_bob, message)
    own = other_write(other_alice, b"own")
    assert ratchet.freeze(other_bob) == before
    with pytest.raises(BodyForged):
        read(other_bob, Sealed(own.header, message.body))
    assert read(other_bob, own) == b"own"


def test_case_22_the_session_id_is_authenticated_even_between_equal_keys() -> None:
    alice, bob, write = talked("twin")
    twin = ratchet.thaw(ratchet.freeze(bob))
    twin.sid = b"another session!"
    message = write(alice, b"for one session")
    with pytest.raises(Unreadable):
        read(twin, message)
    assert read(bob, message) == b"for one session"


def test_case_22_a_body_belongs_to_its_header() -> None:
    alice, bob, write = talked("swap")
    one, other = write(alice, b"one"), write(alice, b"other")
    for sealed in (Sealed(one.header, other.body), Sealed(other.header, one.body)):
        with pytest.raises(BodyForged):
            read(bob, sealed)
    same_header = header.pack(alice.mine_public, alice.previous, 0)
    again = sealing.seal(alice.send_header, b"r" * 24, same_header, alice.sid)
    with pytest.raises(BodyForged):  # the same header under another nonce is another header
        read(bob, Sealed(again, one.body))


def test_case_24_whatever_fails_is_a_bare_peer_fault_that_changes_nothing() -> None:
    alice, bob, write = talked("oracle")
    message = write(alice, b"secret")
    stranger = writer("x")(session("stranger")[0], b"secret")
    random = entropy_of("noise")
    before = state(bob)
    seen = []
    for sealed in (
        Sealed(flipped(message.header, 250), message.body),
        Sealed(message.header, flipped(message.body, 250)),
        stranger,
        Sealed(random(80), random(100)),
        Sealed(random(2352), random(100)),
    ):
        with pytest.raises(PeerFault) as caught:
            read(bob, sealed)
        seen.append(caught.value)
    assert all(fault.args == () for fault in seen)  # nothing of the message: only the class, and its sentence
    assert all(fault.__suppress_context__ or fault.__context__ is None for fault in seen[:2])
    assert state(bob) == before
    assert read(bob, message) == b"secret"


def test_a_set_back_author_is_unreadable_or_forged_and_never_wrong() -> None:
    """Alice's database is set back to before she closed a turn; what she then says in it has no place."""
    alice, bob, write = talked("set back")
    read(bob, write(alice, b"begin"))
    backup = ratchet.freeze(alice)
    read(alice, write(bob, b"answer"))
    read(bob, write(alice, b"a new turn"))
    alice = ratchet.thaw(backup)
    with pytest.raises(Unreadable):
        read(bob, write(alice, b"beyond the end of the old turn"))


def test_encryption_draws_entropy_only_for_what_it_makes() -> None:
    alice, bob = session("draws")
    drawn: list[int] = []

    def entropy(length: int) -> bytes:
        drawn.append(length)
        return entropy_of(len(drawn))(length)

    for author, reader in ((alice, bob), (alice, bob), (bob, alice), (bob, alice), (alice, bob)):
        sealed = Sealed(*ratchet.encrypt(author, b"x", entropy, keys.encapsulate, NOW_MS))
        read(reader, sealed)
    assert drawn == [48, 48, 32, 64, 48, 48, 32, 64, 48]
