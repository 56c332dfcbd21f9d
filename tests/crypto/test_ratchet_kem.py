"""The sparse ML-KEM step: when it happens, that it happens once, and what a leaked state opens after it."""

import pytest

from crypto import chain, header, keys, ratchet, sealing
from crypto.faults import BodyForged, Forged, PeerFault
from crypto.keys import KemKey
from crypto.ratchet import DAY_MS, OFFER_AFTER, Ratchet
from tests.crypto.pairs import NOW_MS, Sealed, Write, entropy_of, read, session, state, talked, writer


def _large(sealed: Sealed) -> bool:
    return len(sealed.header) == ratchet.HEADER_LARGE_BYTES


def _ping_pong(alice: Ratchet, bob: Ratchet, write: Write, messages: int) -> list[bool]:
    """Which of the messages carried KEM fields."""
    large = []
    for number in range(messages):
        author, reader = (alice, bob) if number % 2 == 0 else (bob, alice)
        sealed = write(author, b"ping")
        large.append(_large(sealed))
        assert read(reader, sealed) == b"ping"
    return large


def test_the_first_turns_offer_and_answer_and_the_init_does_not() -> None:
    alice, bob = session("first")
    large = _ping_pong(alice, bob, writer("first"), 6)
    assert large == [False, True, True, True, False, False]  # -, B's ek, A's ct and ek, B's ct
    assert alice.mixed == bob.mixed == 2
    assert alice.root == bob.root


def test_an_offer_comes_again_after_50_messages_or_a_day() -> None:
    alice, bob = session("again")
    write = writer("again")
    large = _ping_pong(alice, bob, write, 200)
    later = [number for number, one in enumerate(large) if one and number > 3]
    assert later[0] <= 3 + OFFER_AFTER
    assert len(later) >= 3 * 3
    alice, bob, write = talked("day", 3)
    tomorrow = writer("tomorrow", NOW_MS + DAY_MS)
    assert not _large(write(alice, b"today"))
    alice, bob, write = talked("day", 3)
    assert _large(tomorrow(alice, b"tomorrow"))
    alice, bob, write = talked("day", 3)
    assert not _large(writer("nearly", NOW_MS + DAY_MS - 1)(alice, b"nearly"))


def test_long_turns_count_too() -> None:
    alice, bob, write = talked("long", 3)
    for _ in range(OFFER_AFTER):
        read(bob, write(alice, b"one way"))
    assert _large(write(bob, b"this turn offers"))


@pytest.mark.parametrize("offset", range(0, 60, 7))
def test_case_18_within_60_messages_both_ends_mixed_and_a_state_leaked_before_opens_nothing_after(offset: int) -> None:
    """The thief has both ends' state, all traffic and every later X25519 secret: only the KEM is left."""
    alice, bob, write = talked(("leak", offset), 5)
    _ping_pong(alice, bob, write, offset - offset % 2)
    mixed = alice.mixed, bob.mixed
    thief_root = alice.root
    thieves = [ratchet.thaw(ratchet.freeze(alice)), ratchet.thaw(ratchet.freeze(bob))]
    mixes = 0
    for number in range(60):
        author, reader = (alice, bob) if number % 2 == 0 else (bob, alice)
        begins = not author.send_chain
        sealed = write(author, b"ping")
        if begins:  # the thief takes the root step with the true DH secret, and no KEM secret
            dh = keys.agree(keys.DhKey(author.mine), author.theirs)
            thief_root, thief_chain, _ = chain.root_step(thief_root, dh, b"")
            mixes += author.root != thief_root
            assert (author.root == thief_root) == (mixes == 0)  # until the first mix the thief follows, then never
            assert (author.send_chain[:4] == chain.skip(thief_chain, 1)[0][:4]) == (mixes == 0)
        read(reader, sealed)
    assert mixes > 0
    assert alice.mixed - mixed[0] >= 2
    assert bob.mixed - mixed[1] >= 2
    _nothing_opens(thieves, [write(alice, b"after"), write(alice, b"after, too")])


def _nothing_opens(thieves: list[Ratchet], messages: list[Sealed]) -> None:
    for thief in thieves:
        for sealed in messages:
            with pytest.raises(PeerFault):
                read(thief, sealed)


@pytest.mark.parametrize("leak", range(0, 54, 3))
def test_case_18_52_messages_after_a_leak_the_kem_has_healed_both_ends(leak: int) -> None:
    """DR 4.4: an offer made after the leak is answered at most 52 messages later, from both ends."""
    alice, bob, write = talked("heal", 5)
    _ping_pong(alice, bob, write, leak)
    author, reader = (alice, bob) if leak % 2 == 0 else (bob, alice)
    stale = {one.offer for one in (alice, bob)}
    healed: dict[bool, int] = {}
    for number in range(1, 53):
        offers = {id(one): one.offer for one in (alice, bob)}
        sealed = write(author, b"ping")
        answered = offers[id(reader)]
        read(reader, sealed)
        if answered and answered not in stale:
            healed.setdefault(reader is alice, number)
        author, reader = reader, author
    assert set(healed) == {True, False}


def test_case_18_a_stolen_state_opens_nothing_that_was_before() -> None:
    alice, bob, write = talked("before")
    earlier = []
    for _ in range(3):
        for author, reader in ((alice, bob), (bob, alice)):
            sealed = write(author, b"earlier")
            read(reader, sealed)
            earlier.append(sealed)
    for thief in (alice.clone(), bob.clone()):
        _nothing_opens([thief], earlier)
        stolen = [part for part in ratchet.freeze(thief) if isinstance(part, bytes) and len(part) == 32]
        stolen += [chain.skip(key, 2)[1][step] for key in list(stolen) for step in (0, 1)]
        for sealed in earlier:
            for key in stolen:
                with pytest.raises(Forged):
                    sealing.open_sealed(key, sealed.body, thief.sid + sealed.header)


@pytest.mark.parametrize("order", [(0,), (1,), (2,), (2, 0, 1), (1, 1, 2, 0), (2, 2, 0, 0)])
def test_case_23_a_pq_turn_lost_doubled_or_reordered_mixes_its_secret_once(order: tuple[int, ...]) -> None:
    alice, bob = session(("pq", order))
    write = writer(("pq", order))
    read(bob, write(alice, b"hello"))
    for author, reader in ((bob, alice), (alice, bob), (bob, alice)):  # an offer, an answer with an offer, an answer
        turn = [write(author, b"%d" % number) for number in range(3)]
        assert all(_large(sealed) for sealed in turn)
        seen: set[int] = set()
        mixed = reader.mixed
        for number in order:
            if number in seen:
                with pytest.raises(PeerFault):
                    read(reader, turn[number])
                continue
            assert read(reader, turn[number]) == b"%d" % number
            seen.add(number)
        assert reader.mixed - mixed <= 1
    read(bob, write(alice, b"settle"))
    read(alice, write(bob, b"settle"))
    assert alice.mixed == bob.mixed == 2
    assert alice.root == bob.root


def test_confirmed_fields_are_repeated_no_more_and_the_rest_of_the_turn_opens_in_any_order() -> None:
    alice, bob = session("confirm")
    write = writer("confirm")
    read(bob, write(alice, b"hello"))
    offers = [write(bob, b"offer 0"), write(bob, b"offer 1")]
    turn = ratchet.last_sent(bob).turn
    assert read(alice, offers[1]) == b"offer 1"
    ratchet.confirm(bob, b"another!")
    assert _large(write(bob, b"offer 2"))
    ratchet.confirm(bob, turn)
    small = write(bob, b"small")
    assert not _large(small)
    assert read(alice, small) == b"small"
    assert read(alice, offers[0]) == b"offer 0"
    answer = write(alice, b"answer")
    assert _large(answer)
    assert read(bob, answer) == b"answer"
    assert alice.mixed == bob.mixed == 1


def test_an_offer_without_an_answer_and_an_answer_without_an_offer_are_forged() -> None:
    alice, bob = session("strip")
    write = writer("strip")
    read(bob, write(alice, b"hello"))
    read(alice, write(bob, b"offer"))
    before = state(bob)
    stripped = alice.clone()
    write(stripped, b"begin")
    stripped.fields = b""
    with pytest.raises(BodyForged):
        read(bob, write(stripped, b"the answer is stripped"))
    assert state(bob) == before
    alice, bob, write = talked("unasked", 4)
    before = state(bob)
    write(alice, b"begin")
    alice.fields = header.pack_fields(header.KemFields(b"", b"c" * 1088))
    with pytest.raises(BodyForged):
        read(bob, write(alice, b"an answer that nobody asked for"))
    assert state(bob) == before


@pytest.mark.parametrize("fields", [bytes(1184 + 1088), b"\xff" * 1184 + bytes(1088)])
def test_case_6_a_header_with_no_or_an_invalid_kem_key_is_forged(fields: bytes) -> None:
    alice, bob, write = talked("fields", 4)
    before = state(bob)
    write(alice, b"begin")
    alice.fields = fields
    with pytest.raises(BodyForged):
        read(bob, write(alice, b"fields"))
    assert state(bob) == before


def test_a_random_answer_of_the_right_length_opens_nothing() -> None:
    alice, bob = session("random")
    write = writer("random")
    read(bob, write(alice, b"hello"))
    read(alice, write(bob, b"offer"))
    before = state(bob)
    write(alice, b"begin")
    ek = alice.fields[:1184]
    alice.fields = ek + entropy_of("noise")(1088)
    with pytest.raises(BodyForged):
        read(bob, write(alice, b"noise"))
    assert state(bob) == before


def test_the_offered_key_is_erased_with_its_answer() -> None:
    alice, bob = session("erase")
    write = writer("erase")
    read(bob, write(alice, b"hello"))
    offer = write(bob, b"offer")
    assert KemKey(bob.offer).public == bob.fields[:1184]
    assert not alice.offer
    read(alice, offer)
    read(bob, write(alice, b"answer"))
    assert not bob.offer
    assert not bob.mine
    assert not bob.fields
