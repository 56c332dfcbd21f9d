"""Nearby mode's bytes: cells against published geohashes, the packet, the sealed boxes; one hostile variant a check."""

import hashlib
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from Crypto.Cipher import ChaCha20_Poly1305
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from crypto.faults import Expired, Forged, Malformed, PeerFault
from crypto.hashing import Label, hash_of
from crypto.keys import DhKey
from protocol import beacon, nearby, record
from protocol.beacon import Announcement
from protocol.ids import DeviceId
from protocol.nearby import BadPlace, Cell, Decision, Words

NOW_S = 1_790_000_123
PEER, NONCE = b"t" * 32, b"n" * 24
SAID = Announcement(NOW_S, 4001, PEER, (IPv4Address("192.168.1.5"),))
PACKET = nearby.packet(SAID, NONCE)
ENDS = b"a" * 32 + b"b" * 32
BOX, OTHER, EPHEMERAL = DhKey(b"x" * 32), DhKey(b"y" * 32), DhKey(b"e" * 32)
WORDS = Words(b"k" * 16, OTHER.public, "Bo", "hello")
GREETING = nearby.seal_words(WORDS, BOX.public, ENDS, EPHEMERAL, NONCE)

latitudes = st.floats(-90, 90).map(lambda one: round(one, 6))  # 6 digits are 0.1 m
longitudes = st.floats(-180, 180).map(lambda one: round(one, 6))
cells = st.builds(Cell, st.integers(0, 8191), st.integers(0, 4095))


@pytest.mark.parametrize(
    ("place", "geohash"),
    [
        ("42.6,-5.6", "ezs42"),  # the example of Wikipedia's page on geohash
        ("57.64911, 10.40744", "u4pru"),  # the one of its inventor: u4pruydqqvj
        ("37.8324,112.5584", "ww8p1"),  # of the library node-geohash: ww8p1r4t8
        ("-90,-180", "00000"),
        ("90,180", "zzzzz"),
    ],
)
def test_a_place_is_in_the_cell_that_others_published(place: str, geohash: str) -> None:
    assert nearby.cell_text(nearby.cell_of(place)) == geohash


def test_the_neighbours_are_those_that_others_published() -> None:
    found = [nearby.cell_text(one) for one in nearby.around(nearby.cell_from("dqcjq"))]  # of the library node-geohash
    assert found == ["dqcjt", "dqcjw", "dqcjx", "dqcjm", "dqcjr", "dqcjj", "dqcjn", "dqcjp"]


@given(cells)
def test_a_geohash_is_read_back(cell: Cell) -> None:
    text = nearby.cell_text(cell)
    assert len(text) == nearby.CELL_CHARS
    assert nearby.cell_from(text) == cell


@given(cells)
def test_whose_neighbour_i_am_is_mine(cell: Cell) -> None:
    found = nearby.around(cell)
    assert len(set(found)) == (5 if cell.row in (0, 4095) else 8)
    assert cell not in found
    assert all(cell in nearby.around(one) for one in found)


@given(latitudes, longitudes)
def test_a_place_lies_within_its_cell(latitude: float, longitude: float) -> None:
    cell = nearby.cell_of(f"{latitude},{longitude}")
    west, south = cell.column * 360 / 8192 - 180, cell.row * 180 / 4096 - 90
    assert west <= longitude <= west + 360 / 8192
    assert south <= latitude <= south + 180 / 4096


@pytest.mark.parametrize("place", ["", "52.5", "52,5,13,4", "91,0", "0,181", "-90.1,0", "nan,0", "0,inf", "here,there"])
def test_what_is_no_place_is_refused(place: str) -> None:
    with pytest.raises(BadPlace):
        nearby.cell_of(place)


def test_the_key_of_a_cell_tells_cells_and_half_hours_apart() -> None:
    here = nearby.cell_from("ezs42")
    slot = nearby.slot(NOW_S)
    expected = hash_of(Label.NEARBY, b"cellezs42" + slot.to_bytes(4, "big"))
    assert nearby.cell_key(here, slot) == expected
    assert nearby.slot(slot * 1800 + 1799) == slot
    keys = {nearby.cell_key(cell, half) for cell in (here, *nearby.around(here)) for half in (slot, slot + 1)}
    assert len(keys) == 18


def test_a_packet_has_the_size_and_the_form_of_the_beacon_of_contacts() -> None:
    presence = beacon.keys_of(b"p" * 32)
    other = beacon.seal(presence, DeviceId(b"d" * 32), SAID, b"m" * 24)
    assert len(PACKET) == len(other) == beacon.PACKET_BYTES
    assert PACKET[0] == other[0]


def test_everybody_reads_a_packet_with_keys_that_the_page_names() -> None:
    seed = hash_of(Label.NEARBY, b"lan")
    keys = beacon.keys_of(seed)
    cipher = ChaCha20_Poly1305.new(key=keys.seal, nonce=PACKET[17:41])
    cipher.update(PACKET[:17])
    body = cipher.decrypt_and_verify(PACKET[41:-16], PACKET[-16:])
    assert body[6:38] == PEER
    quarter = (NOW_S // 900).to_bytes(4, "big")
    assert PACKET[1:17] == hashlib.blake2b(PEER + quarter, digest_size=16, key=keys.ids).digest()
    assert nearby.announced(PACKET, NOW_S) == SAID


@given(st.integers(0, beacon.PACKET_BYTES * 8 - 1))
def test_no_bit_of_a_packet_can_be_changed(bit: int) -> None:
    changed = bytearray(PACKET)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((Forged, Malformed)):
        nearby.announced(bytes(changed), NOW_S)


def test_the_id_of_another_key_is_malformed() -> None:
    keys = beacon.keys_of(hash_of(Label.NEARBY, b"lan"))
    forged = beacon.seal(keys, DeviceId(b"u" * 32), SAID, NONCE)
    with pytest.raises(Malformed):
        nearby.announced(forged, NOW_S)


@pytest.mark.parametrize("off_s", [901, -901, 2_000_000])
def test_an_old_packet_or_one_of_the_future_is_expired(off_s: int) -> None:
    assert nearby.announced(PACKET, NOW_S + 900) == SAID
    with pytest.raises(Expired):
        nearby.announced(PACKET, NOW_S + off_s)


@given(st.binary(max_size=320))
def test_only_peer_faults_escape(raw: bytes) -> None:
    with pytest.raises(PeerFault):
        nearby.announced(raw, NOW_S)
    with pytest.raises(PeerFault):
        nearby.question_of(raw + b"\xff")


@given(st.text(max_size=125))
def test_a_greeting_is_opened_by_whom_it_is_for_and_has_one_size(text: str) -> None:
    said = replace(WORDS, text=text)
    sealed = nearby.seal_words(said, BOX.public, ENDS, EPHEMERAL, NONCE)
    assert nearby.open_words(sealed, BOX, ENDS) == said
    assert len(record.encode(sealed)) == len(record.encode(GREETING)) <= nearby.FRAME_BYTES_MAX


def test_another_box_another_end_and_a_changed_byte_open_nothing() -> None:
    with pytest.raises(Forged):
        nearby.open_words(GREETING, OTHER, ENDS)
    with pytest.raises(Forged):  # who heard it cannot give it out as his own
        nearby.open_words(GREETING, BOX, ENDS[32:] + ENDS[:32])
    for at in (0, 40, 700, len(GREETING.sealed) - 1):
        changed = bytearray(GREETING.sealed)
        changed[at] ^= 1
        with pytest.raises(Forged):
            nearby.open_words(nearby.Greeting(bytes(changed)), BOX, ENDS)


def test_a_key_of_low_order_is_forged() -> None:
    with pytest.raises(Forged):
        nearby.seal_words(WORDS, bytes(32), ENDS, EPHEMERAL, NONCE)
    with pytest.raises(Forged):
        nearby.open_words(nearby.Greeting(bytes(32) + GREETING.sealed[32:]), BOX, ENDS)


def test_a_greeting_opens_with_another_library() -> None:
    front = GREETING.sealed[:32]
    agreed = X25519PrivateKey.from_private_bytes(BOX.secret).exchange(X25519PublicKey.from_public_bytes(front))
    purpose = b"weft/1/nearby\x00" + front + BOX.public + b"words" + ENDS
    key = HKDF(SHA256(), 32, bytes(32), purpose).derive(agreed)
    cipher = ChaCha20_Poly1305.new(key=key, nonce=GREETING.sealed[32:56])
    plain = cipher.decrypt_and_verify(GREETING.sealed[56:-16], GREETING.sealed[-16:])
    assert plain.rstrip(b"\x00")[:-1] == record.encode(WORDS)


@pytest.mark.parametrize("link", [None, "weft:i/" + "A" * 166])
def test_yes_and_not_yet_have_one_size(link: str | None) -> None:
    reply = nearby.seal_decision(Decision(link), BOX.public, WORDS.ticket, EPHEMERAL, NONCE)
    assert nearby.open_decision(reply, BOX, WORDS.ticket) == Decision(link)
    assert len(record.encode(reply)) == 5 + 32 + 24 + 256 + 16
    with pytest.raises(Forged):
        nearby.open_decision(reply, BOX, b"q" * 16)
    with pytest.raises(Forged):
        nearby.open_decision(reply, OTHER, WORDS.ticket)


def test_what_was_sealed_as_a_greeting_is_no_decision() -> None:
    sealed = nearby._seal(record.encode(WORDS), BOX.public, b"words" + ENDS, EPHEMERAL, NONCE, nearby.DECISION_BYTES)
    with pytest.raises(Forged):
        nearby.open_decision(nearby.Reply(sealed), BOX, WORDS.ticket)
