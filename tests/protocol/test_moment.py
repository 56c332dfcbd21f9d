"""Contents of feeds: what they hold, for whom, and that nobody else gets anything out of them."""

import random
from typing import Any

import pytest
from Crypto.Cipher import ChaCha20_Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto import hashing, sealing
from crypto.faults import Forged, Malformed
from crypto.hashing import Label
from crypto.keys import Entropy
from protocol import entry, moment
from protocol.faults import OverLimit
from protocol.moment import Slot, Spot
from tests import depth
from tests.protocol import two_keys

KEY, OTHER, WRAP = b"k" * 32, b"o" * 32, b"w" * 32
SPOT = Spot(b"a" * 32, b"l" * 16, 7)
ELSEWHERE = (
    Spot(b"b" * 32, SPOT.log, SPOT.seq),
    Spot(SPOT.author, b"m" * 16, SPOT.seq),
    Spot(SPOT.author, SPOT.log, 8),
    Spot(SPOT.author, SPOT.log, 0),
)
NONCE = bytes(range(24))
law = settings(max_examples=5 * depth.EXAMPLES, deadline=None)
keys32 = st.binary(min_size=32, max_size=32)
nonces = st.binary(min_size=24, max_size=24)
spots = st.builds(Spot, keys32, st.binary(min_size=16, max_size=16), st.integers(0, entry.SEQ_MAX))
slots = st.lists(st.builds(Slot, keys32, keys32), max_size=moment.SLOTS, unique_by=lambda one: one.wrap)
saids = st.binary(max_size=600) | st.integers(0, entry.SAID_BYTES_MAX).map(bytes)


def draws(seed: object = "draws") -> Entropy:
    return random.Random(str(seed)).randbytes


def content(said: bytes = b"said", *held: Slot, key: bytes = KEY, spot: Spot = SPOT, seed: object = 0) -> bytes:
    drawn = draws(seed)
    return moment.seal(key, spot, said, held, drawn(24), drawn)


# --- what is sealed is found


@law
@given(keys32, spots, saids, slots, st.integers())
def test_what_is_said_is_opened_and_each_audience_finds_what_is_for_it(
    key: bytes, spot: Spot, said: bytes, held: list[Slot], seed: int
) -> None:
    made = content(said, *held, key=key, spot=spot, seed=seed)
    assert moment.is_under(key, spot, made)
    assert moment.unseal(key, spot, made) == said
    assert [moment.held(one.wrap, spot, made) for one in held] == [one.holds for one in held]
    assert len(made) <= entry.CONTENT_BYTES_MAX


@law
@given(keys32, keys32, spots, spots, slots)
def test_nothing_is_found_with_another_key_or_in_another_place(
    key: bytes, other: bytes, spot: Spot, elsewhere: Spot, held: list[Slot]
) -> None:
    made = content(b"said", *held, key=key, spot=spot)
    for tried, at in ((other, spot), (key, elsewhere), (other, elsewhere)):
        if (tried, at) == (key, spot):
            continue
        assert not moment.is_under(tried, at, made)
        with pytest.raises(Forged):
            moment.unseal(tried, at, made)
    for one in held:
        if elsewhere != spot:
            assert moment.held(one.wrap, elsewhere, made) is None
    if other not in [one.wrap for one in held]:
        assert moment.held(other, spot, made) is None


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_author_log_and_place_are_bound_each(elsewhere: Spot) -> None:
    made = content(b"said", Slot(WRAP, KEY))
    assert moment.held(WRAP, SPOT, made) == KEY
    assert moment.held(WRAP, elsewhere, made) is None
    assert not moment.is_under(KEY, elsewhere, made)
    with pytest.raises(Forged):
        moment.unseal(KEY, elsewhere, made)


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_a_sealed_part_that_is_moved_does_not_open_under_the_commitment_of_its_new_place(elsewhere: Spot) -> None:
    made, there = content(), content(b"there", spot=elsewhere)
    start = moment.SLOTS * moment.SLOT_BYTES + moment.COMMITMENT_BYTES
    moved = there[:start] + made[start:]
    assert moment.is_under(KEY, elsewhere, moved)
    with pytest.raises(Forged):
        moment.unseal(KEY, elsewhere, moved)


def test_slots_lie_in_any_order_and_all_orders_come() -> None:
    found = set()
    for seed in range(400):
        made = content(b"said", *(Slot(bytes([n]) * 32, bytes([n]) * 32) for n in range(4)), seed=seed)
        at = [made[n * 48 : n * 48 + 48] for n in range(4)]
        order = [next(n for n in range(4) if opens(bytes([n]) * 32, SPOT, made, one) is not None) for one in at]
        found.add(tuple(order))
    assert len(found) == 24


def test_a_content_holds_for_four_audiences_and_60_kib() -> None:
    with pytest.raises(AssertionError):
        content(b"", *(Slot(bytes([n]) * 32, KEY) for n in range(5)))
    content(bytes(entry.SAID_BYTES_MAX))
    with pytest.raises(OverLimit):
        content(bytes(entry.SAID_BYTES_MAX + 1))


# --- what a content shows


def test_all_contents_of_one_padded_length_have_one_length_whatever_they_are_for() -> None:
    lengths = set()
    for size in (0, 1, *(n + d for n in entry.PADDED_BYTES[:-1] for d in (-2, -1, 0)), entry.SAID_BYTES_MAX):
        padded = next(n for n in entry.PADDED_BYTES if size < n)
        for held in range(moment.SLOTS + 1):
            made = content(bytes(size), *(Slot(bytes([n]) * 32, KEY) for n in range(held)), seed=(size, held))
            assert len(made) == moment.CONTENT_BYTES_MIN - entry.PADDED_BYTES[0] + padded
            lengths.add(len(made))
    assert len(lengths) == len(entry.PADDED_BYTES) == 10


def test_a_slot_that_holds_nothing_looks_like_one_that_does() -> None:
    """Each bit of the slots is set as often, for no audience and for four: of 4,000 within 5 standard deviations."""
    rounds = 4_000
    for held in (0, 1, 4):
        counts = [0] * (8 * moment.SLOTS * moment.SLOT_BYTES)
        ones = [Slot(bytes([n]) * 32, KEY) for n in range(held)]
        for seed in range(rounds):
            slots_of = int.from_bytes(content(b"", *ones, seed=(held, seed))[: 4 * 48], "big")
            for bit in range(0, len(counts), 61):
                counts[bit] += slots_of >> bit & 1
        seen = counts[::61]
        assert all(abs(one - rounds / 2) < 5 * (rounds / 4) ** 0.5 for one in seen)


def test_one_thing_said_twice_has_nothing_in_common() -> None:
    ones = (Slot(WRAP, KEY),)
    first, second = (content(b"said", *ones, seed=seed) for seed in range(2))
    commitment = slice(192, 224)
    assert first[commitment] == second[commitment]  # of one key in one place: it is written once
    blocks = [
        {one[at : at + 16] for at in (*range(0, 192, 16), *range(224, len(one) - 15, 16))} for one in (first, second)
    ]
    assert not blocks[0] & blocks[1]


# --- chains


@law
@given(keys32, st.integers(0, 40), st.integers(0, 40))
def test_a_chain_that_is_stepped_twice_is_where_it_would_be_at_once(chain: bytes, first: int, then: int) -> None:
    assert moment.stepped(moment.stepped(chain, first), then) == moment.stepped(chain, first + then)
    assert moment.stepped(chain, 1) == moment.step(chain)
    assert moment.stepped(chain, 0) == chain


@law
@given(keys32, keys32, st.integers(1, 60))
def test_no_key_of_a_chain_comes_twice_or_in_another(chain: bytes, other: bytes, places: int) -> None:
    found = []
    for one in {chain, other}:
        for place in range(places):
            stands = moment.stepped(one, place)
            found += [stands, moment.wrap_key(stands)]
    assert len(set(found)) == len(found)


def test_who_joins_opens_nothing_from_before() -> None:
    chain = moment.first_chain(b"s" * 32, SPOT.log)
    contents = []
    for seq in range(12):
        spot = Spot(SPOT.author, SPOT.log, seq)
        contents.append((spot, content(b"said", Slot(moment.wrap_key(chain), KEY), spot=spot, seed=seq)))
        chain = moment.step(chain)
    joined = moment.stepped(moment.first_chain(b"s" * 32, SPOT.log), 5)
    reach = [moment.wrap_key(moment.stepped(joined, places)) for places in range(12)] + [joined]
    opened = [spot.seq for spot, made in contents if any(moment.held(one, spot, made) for one in reach)]
    assert opened == list(range(5, 12))


@law
@given(keys32, st.lists(st.binary(min_size=16, max_size=16), min_size=2, max_size=4, unique=True))
def test_a_root_leads_to_the_chains_of_later_logs_alone(root: bytes, logs: list[bytes]) -> None:
    first = moment.first_chain(root, logs[0]), moment.first_root(root, logs[0])
    found = [first]
    for log in logs[1:]:
        found.append(moment.next_chain(found[-1][1], log))
    keys = [key for pair in found for key in pair]
    assert len({*keys, root}) == len(keys) + 1
    assert moment.next_chain(first[1], logs[1]) == found[1]  # of each log another
    after = [moment.next_chain(first[1], log) for log in logs[1:]]
    assert len({key for pair in after for key in pair}) == 2 * len(after)
    reach = {moment.stepped(chain, places) for chain, _ in found[1:] for places in range(4)}
    assert not reach & {moment.stepped(first[0], places) for places in range(4)}


@law
@given(keys32, keys32, keys32)
def test_the_key_of_an_answer_takes_both(key: bytes, wrap: bytes, other: bytes) -> None:
    found = [moment.answer_key(key, wrap)]
    if other not in (key, wrap):
        found += [moment.answer_key(key, other), moment.answer_key(other, wrap)]
    if key != wrap:
        found.append(moment.answer_key(wrap, key))
    assert len(set(found)) == len(found)
    assert not set(found) & {key, wrap, other, moment.name_of(key), moment.wrap_key(wrap)}


@law
@given(keys32, keys32, nonces, nonces, st.text(max_size=20), st.text(max_size=20))
def test_what_only_its_author_makes_is_found_again_and_is_another_for_each_post_and_audience(
    secret: bytes, other: bytes, nonce: bytes, again: bytes, tag: str, another: str
) -> None:
    secrets = {secret, other}
    assert len({moment.own_key(one, drawn) for one in secrets for drawn in (nonce, again)}) == len(
        {(one, drawn) for one in secrets for drawn in (nonce, again)}
    )
    names = {moment.audience_id(one, name) for one in secrets for name in (tag, another)}
    assert len(names) == len({(one, name) for one in secrets for name in (tag, another)})
    assert {len(one) for one in names} == {16}
    assert moment.own_key(secret, nonce) == moment.own_key(secret, nonce)


# --- an author who lies


def test_a_sealed_part_that_two_keys_open_to_two_texts_opens_for_one_of_them_alone() -> None:
    nonce, keys = _grown_alike()
    first = b"we meet at nine"
    padded = sealing.pad(first + bytes(127 - len(first) - 1) + b"!", entry.PADDED_BYTES)
    ciphertext = xored(padded, two_keys.stream(keys[0], nonce, len(padded)))
    both = nonce + two_keys.sealed(keys, nonce, ciphertext, 2, SPOT.name, draws("both"))

    texts = [sealing.unpad(sealing.open_sealed(key, both, SPOT.name), entry.PADDED_BYTES) for key in keys]
    assert texts[0].startswith(first)
    assert texts[0] != texts[1]
    assert len(texts[0]) == len(texts[1]) == 127
    for committed, refused in ((KEY, OTHER), (OTHER, KEY)):
        lie = draws("slots")(4 * 48) + subkey(committed, b"commit" + SPOT.name) + both
        assert moment.unseal(committed, SPOT, lie) == texts[committed == OTHER]
        assert not moment.is_under(refused, SPOT, lie)
        with pytest.raises(Forged):
            moment.unseal(refused, SPOT, lie)


def test_a_slot_that_two_audiences_open_to_two_keys_leads_one_of_them_nowhere() -> None:
    made = content(b"said")
    slot = two_keys.sealed((WRAP, OTHER), moment.nonce_of(made), bytes(32), 0, SPOT.name, draws("slot"))
    # The author knows what the first audience finds only once the slot is made: that becomes the key of the post.
    found = moment.held(WRAP, SPOT, slot + made[48:])
    assert found is not None
    nonce = moment.nonce_of(made)
    lie = slot + moment.seal(found, SPOT, b"said", (), nonce, draws("lie"))[48:]
    other = moment.held(OTHER, SPOT, lie)
    assert other not in (None, found)
    assert other is not None
    assert moment.unseal(found, SPOT, lie) == b"said"
    with pytest.raises(Forged):
        moment.unseal(other, SPOT, lie)


def test_a_slot_that_is_copied_from_another_content_holds_nothing_there() -> None:
    """Who carries contents cannot pass a post on under his own name: slots are bound to their place and their nonce."""
    made = content(b"said", Slot(WRAP, KEY))
    again = content(b"said", Slot(WRAP, OTHER), seed="again")
    assert moment.held(WRAP, SPOT, made[:192] + again[192:]) is None


def _grown_alike() -> tuple[bytes, tuple[bytes, bytes]]:
    """A nonce under which both keys hide the last byte alike, so that both texts end where a padded one does."""
    keys = subkey(KEY, b"content" + SPOT.name), subkey(OTHER, b"content" + SPOT.name)
    for number in range(1 << 16):
        nonce = number.to_bytes(24, "big")
        if len({two_keys.stream(key, nonce, 128)[-1] for key in keys}) == 1:
            return nonce, keys
    raise AssertionError


def xored(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


# --- what is broken


def test_each_bit_counts() -> None:
    made = content(b"said", Slot(WRAP, KEY))
    for bit in range(8 * 192, 8 * len(made)):
        broken = bytearray(made)
        broken[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Forged):
            moment.unseal(KEY, SPOT, bytes(broken))


def test_each_bit_of_a_slot_counts() -> None:
    made = content(b"said", Slot(WRAP, KEY))
    (at,) = [n for n in range(0, 192, 48) if opens(WRAP, SPOT, made, made[n : n + 48]) is not None]
    for bit in range(48 * 8):
        broken = bytearray(made)
        broken[at + bit // 8] ^= 1 << bit % 8
        assert moment.held(WRAP, SPOT, bytes(broken)) is None
        assert moment.unseal(KEY, SPOT, bytes(broken)) == b"said"


def test_what_is_too_short_is_malformed_and_what_is_cut_does_not_open() -> None:
    made = content(bytes(200), Slot(WRAP, KEY))
    for size in range(len(made)):
        cut = made[:size]
        asked: tuple[Any, ...] = (
            lambda cut=cut: moment.nonce_of(cut),
            lambda cut=cut: moment.held(WRAP, SPOT, cut),
            lambda cut=cut: moment.is_under(KEY, SPOT, cut),
            lambda cut=cut: moment.unseal(KEY, SPOT, cut),
        )
        if size < moment.CONTENT_BYTES_MIN:
            for one in asked:
                with pytest.raises(Malformed):
                    one()
        else:
            with pytest.raises(Forged):
                moment.unseal(KEY, SPOT, cut)


@pytest.mark.parametrize("padded", [bytes(128), b"said\x80" + bytes(124), b"\x80" + bytes(63), b"x" * 256, b""])
def test_who_has_a_key_and_pads_otherwise_than_the_protocol_says_is_malformed(padded: bytes) -> None:
    sealed = sealing.seal(subkey(KEY, b"content" + SPOT.name), NONCE, padded, SPOT.name)
    with pytest.raises(Malformed):
        moment.unseal(KEY, SPOT, bytes(192) + subkey(KEY, b"commit" + SPOT.name) + sealed)


# --- the same by other libraries


def subkey(secret: bytes, purpose: bytes) -> bytes:
    """HKDF-SHA-256 by OpenSSL, from the words of the protocol."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=b"weft/1/moment\x00" + purpose).derive(secret)


def opens(key: bytes, spot: Spot, made: bytes, sealed: bytes, nonce: bytes | None = None) -> bytes | None:
    """XChaCha20-Poly1305 by PyCryptodome."""
    cipher = ChaCha20_Poly1305.new(key=key, nonce=made[224:248] if nonce is None else nonce)
    cipher.update(spot.author + spot.log + spot.seq.to_bytes(8, "big"))
    try:
        return cipher.decrypt_and_verify(sealed[:-16], sealed[-16:])
    except ValueError:
        return None


@law
@given(keys32, keys32, spots, nonces)
def test_every_key_is_what_another_hkdf_makes_of_the_words_of_the_protocol(
    secret: bytes, wrap: bytes, spot: Spot, nonce: bytes
) -> None:
    assert moment.step(secret) == subkey(secret, b"step")
    assert moment.wrap_key(secret) == subkey(secret, b"wrap")
    assert moment.name_of(secret) == subkey(secret, b"name")
    assert moment.answer_key(secret, wrap) == subkey(secret + wrap, b"answer")
    assert moment.own_key(secret, nonce) == subkey(secret, b"post" + nonce)
    assert moment.audience_id(secret, "Familie Ö") == subkey(secret, "audienceFamilie Ö".encode())[:16]
    assert moment.first_chain(secret, spot.log) == subkey(secret, b"all" + spot.log)
    assert Label.MOMENT.value == "weft/1/moment"
    assert hashing.subkey(secret, Label.MOMENT, b"x") == subkey(secret, b"x")


@law
@given(keys32, spots, saids, slots)
def test_another_library_reads_what_was_sealed(key: bytes, spot: Spot, said: bytes, held: list[Slot]) -> None:
    made = content(said, *held, key=key, spot=spot)
    place = spot.author + spot.log + spot.seq.to_bytes(8, "big")
    assert made[192:224] == subkey(key, b"commit" + place)
    padded = opens(subkey(key, b"content" + place), spot, made, made[248:])
    assert padded is not None
    assert padded.rstrip(b"\x00") == said + b"\x80"
    for one in held:
        found = [opens(one.wrap, spot, made, made[at : at + 48]) for at in range(0, 192, 48)]
        assert [each for each in found if each is not None] == [one.holds]
