"""The LAN beacon's bytes: a golden sample, laws, and one hostile variant for each check."""

import hashlib
import json
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from Crypto.Cipher import ChaCha20_Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from crypto.faults import Forged, Malformed
from protocol import beacon
from protocol.beacon import Announcement
from protocol.faults import PeerFault
from protocol.ids import DeviceId

GOLDEN = Path(__file__).parents[1] / "golden" / "protocol_beacon.json"
PRESENCE, DEVICE, PEER, NONCE = b"p" * 32, DeviceId(b"d" * 32), b"t" * 32, b"n" * 24
SAID = Announcement(
    1_790_000_123, 4001, PEER, (IPv4Address("192.168.1.5"), IPv6Address("fe80::5"), IPv6Address("fd00::5"))
)
KEYS = beacon.keys_of(PRESENCE)
PACKET = beacon.seal(KEYS, DEVICE, SAID, NONCE)

addresses = st.lists(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)), min_size=1, max_size=8)
announcements = st.builds(
    Announcement,
    st.integers(0, 2**32 - 1),
    st.integers(1, 65_535),
    st.binary(min_size=32, max_size=32),
    addresses.map(tuple),
)


def resealed(body: bytes) -> bytes:
    """A packet whose plaintext is this: only who holds the presence key can make it."""
    front = PACKET[:17]
    cipher = ChaCha20_Poly1305.new(key=KEYS.seal, nonce=NONCE)
    cipher.update(front)
    sealed, tag = cipher.encrypt_and_digest(body)
    return front + NONCE + sealed + tag


def plaintext() -> bytes:
    """What is inside the sample, opened by another library."""
    cipher = ChaCha20_Poly1305.new(key=KEYS.seal, nonce=NONCE)
    cipher.update(PACKET[:17])
    return cipher.decrypt_and_verify(PACKET[41:-16], PACKET[-16:])


def test_the_sample_is_as_it_was_and_as_other_libraries_make_it() -> None:
    golden = json.loads(GOLDEN.read_text())
    assert golden["packet"] == PACKET.hex()
    derived = [
        HKDF(SHA256(), 32, bytes(32), b"weft/1/beacon\x00" + purpose).derive(PRESENCE) for purpose in (b"id", b"seal")
    ]
    assert [KEYS.ids, KEYS.seal] == derived
    quarter = (SAID.time_s // 900).to_bytes(4, "big")
    assert PACKET[1:17] == hashlib.blake2b(DEVICE + quarter, digest_size=16, key=derived[0]).digest()
    body = plaintext()
    assert len(body) == 103
    assert body[:40] == SAID.time_s.to_bytes(4, "big") + (4001).to_bytes(2, "big") + PEER + b"\x01\x02"


@given(announcements)
def test_what_is_said_is_heard_and_every_packet_has_one_size(said: Announcement) -> None:
    packet = beacon.seal(KEYS, DEVICE, said, NONCE)
    assert len(packet) == beacon.PACKET_BYTES
    ipv4 = [one for one in said.addresses if one.version == 4][:2]
    ipv6 = [one for one in said.addresses if one.version == 6][:3]
    assert beacon.open_sealed(KEYS, packet) == replace(said, addresses=(*ipv4, *ipv6))


@given(st.binary(max_size=320))
def test_only_peer_faults_escape(packet: bytes) -> None:
    with pytest.raises(PeerFault):
        beacon.open_sealed(KEYS, packet)


@given(st.integers(0, beacon.PACKET_BYTES * 8 - 1))
def test_no_bit_of_a_packet_can_be_changed(bit: int) -> None:
    changed = bytearray(PACKET)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((Forged, Malformed)):
        beacon.open_sealed(KEYS, bytes(changed))


@pytest.mark.parametrize("packet", [b"", PACKET[:-1], PACKET + b"\x00", b"\x02" + PACKET[1:], b"\x00" + PACKET[1:]])
def test_another_size_or_version_is_no_beacon(packet: bytes) -> None:
    with pytest.raises(Malformed):
        beacon.id_of(packet)


def test_another_presence_key_opens_nothing_and_makes_other_ids() -> None:
    other = beacon.keys_of(b"q" * 32)
    with pytest.raises(Forged):
        beacon.open_sealed(other, PACKET)
    assert beacon.beacon_id(other, DEVICE, 1) != beacon.beacon_id(KEYS, DEVICE, 1)


def test_case_51_two_quarter_hours_of_a_device_have_nothing_in_common() -> None:
    later = replace(SAID, time_s=SAID.time_s + beacon.QUARTER_S)
    packets = [PACKET, beacon.seal(KEYS, DEVICE, later, b"m" * 24)]
    runs = [{packet[at : at + 4] for at in range(1, len(packet) - 3)} for packet in packets]
    assert runs[0] & runs[1] == set()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda body: body[:4] + b"\x00\x00" + body[6:],  # port 0
        lambda body: body[:38] + b"\x03\x02" + body[40:],  # three of IPv4
        lambda body: body[:38] + b"\x01\x04" + body[40:],  # four of IPv6
        lambda body: body[:38] + b"\x00\x00" + bytes(63),  # nobody's address
        lambda body: body[:38] + b"\x01\x01" + body[40:],  # an address more than it counts
        lambda body: body[:-1] + b"\x01",  # something behind the addresses
    ],
)
def test_a_body_that_no_honest_weft_writes_is_malformed(wrong: object) -> None:
    assert beacon.open_sealed(KEYS, resealed(plaintext())) == SAID
    with pytest.raises(Malformed):
        beacon.open_sealed(KEYS, resealed(wrong(plaintext())))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("ahead_s", "offset_s", "fresh"),
    [
        (0, None, True),
        (60, None, True),
        (-60, None, True),
        (61, None, False),
        (-3600, None, False),
        (300, 290, True),
        (300, -300, False),
        (300, 0, False),
        (-840, -800, True),
        (901, 900, False),
    ],
)
def test_what_is_old_is_not_taken_unless_the_clock_is_known_to_be_off(
    ahead_s: int, offset_s: int | None, fresh: bool
) -> None:
    assert beacon.is_fresh(1_790_000_000 + ahead_s, 1_790_000_000, offset_s) is fresh


if __name__ == "__main__":  # writes the sample; run only with a new version of the beacon
    said = {"time_s": SAID.time_s, "port": SAID.port, "addresses": [str(ip_address(one)) for one in SAID.addresses]}
    given_ = {"presence": PRESENCE.hex(), "device": DEVICE.hex(), "peer": PEER.hex(), "nonce": NONCE.hex(), **said}
    GOLDEN.write_text(json.dumps({**given_, "packet": PACKET.hex()}, indent=1) + "\n")
