"""Invitation links and their dialogue: who lacks the secret learns and swaps nothing (docs/protocol/invite.md)."""

import base64
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto import hashing, sealing
from crypto.faults import Expired, Forged, Malformed
from crypto.hashing import Label
from features.contacts.content import Introduction
from protocol import envelope, invite, record, talk
from protocol.faults import OverLimit, UserFault
from protocol.ids import SessionId
from protocol.invite import Endpoint, InviteKeys, Link, Verdict
from tests.protocol.circle import DAY_S, NOW_S, first_words, someone
from tests.protocol.test_ids import rows_of

ANA, BO, EVE = someone("ana"), someone("bo"), someone("eve")
V4, V6 = Endpoint(bytes((192, 0, 2, 7)), 4001), Endpoint(bytes.fromhex("20010db8" + "00" * 11 + "07"), 65535)
LINK = Link(False, NOW_S + DAY_S, ANA.account, bytes(range(16)), b"p" * 32, (V6, V6))
KEYS, OTHER_KEYS = InviteKeys.of(LINK.secret), InviteKeys.of(bytes(16))
T = talk.transcript(b"B" * 32, b"A" * 32, b"b" * 32, b"a" * 32)
OTHER_T = talk.transcript(b"B" * 32, b"E" * 32, b"b" * 32, b"a" * 32)
BUNDLE = ANA.bundle(ANA.one_time())
INIT = first_words(BO, ANA, Introduction(BO.card("Bo"), "hello", (), bytes(32)))

# --- links


def test_the_longest_link_has_173_characters() -> None:
    text = invite.link_text(LINK)
    assert len(text) == invite.TEXT_CHARACTERS_MAX
    assert invite.link_from(f" {text}\n") == LINK
    assert len(base64.urlsafe_b64decode(text.removeprefix("weft:i/") + "===")) == invite.LINK_BYTES_MAX


ENDPOINTS = st.builds(
    Endpoint, st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16), st.integers(1, 65535)
)
LINKS = st.builds(
    Link,
    st.booleans(),
    st.integers(0, 2**32 - 1),
    st.binary(min_size=32, max_size=32),
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=32, max_size=32),
    st.lists(ENDPOINTS, max_size=2).map(tuple),
)


@given(LINKS)
def test_a_link_is_read_as_it_was_written(link: Link) -> None:
    text = invite.link_text(link)
    assert invite.link_from(text) == link
    assert invite.addresses_of(map(invite.address_text, link.addresses)) == link.addresses


def altered(raw: bytes) -> str:
    return "weft:i/" + base64.urlsafe_b64encode(raw).decode().rstrip("=")


RAW = base64.urlsafe_b64decode(invite.link_text(replace(LINK, addresses=(V4,))).removeprefix("weft:i/") + "===")
BAD_LINKS: dict[str, str] = {
    "nothing": "",
    "prefix alone": "weft:i/",
    "another prefix": invite.link_text(LINK).replace("weft:i/", "weft:j/"),
    "padding": invite.link_text(replace(LINK, addresses=(V4,))) + "=",
    "one character more": invite.link_text(LINK) + "A",
    "one character less": invite.link_text(LINK)[:-1],
    "a space inside": invite.link_text(LINK)[:20] + " " + invite.link_text(LINK)[20:],
    "a letter outside base64": invite.link_text(LINK)[:-1] + "ä",
    "a slash of the other alphabet": invite.link_text(LINK)[:-1] + "/",
    "version 0": altered(b"\x00" + RAW[1:]),
    "one byte less": altered(RAW[:-1]),
    "one byte more": altered(RAW + b"\x00"),
    "no address but its type": altered(RAW[:86] + b"\x04"),
    "an address of type 5": altered(RAW[:86] + b"\x05" + RAW[87:]),
    "port 0": altered(RAW[:-2] + bytes(2)),
    "three addresses": altered(RAW[:86] + RAW[86:] * 3),
    "without the transport key": altered(RAW[:54]),
}


@pytest.mark.parametrize("text", BAD_LINKS.values(), ids=BAD_LINKS)
def test_another_text_is_no_link(text: str) -> None:
    with pytest.raises(invite.BadLink):
        invite.link_from(text)


def test_unused_bits_of_the_last_character_are_zero() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    text = invite.link_text(replace(LINK, addresses=()))
    assert len(RAW[:86]) % 3 == 2  # so that two bits of the last character are unused
    at = alphabet.index(text[-1])
    for last in alphabet[at + 1 : at + 4]:
        with pytest.raises(invite.BadLink):
            invite.link_from(text[:-1] + last)


def test_a_newer_link_says_so_and_an_unimportant_flag_is_ignored() -> None:
    for raw in (b"\x02" + RAW[1:], b"\xff" * 90, RAW[:1] + b"\x02" + RAW[2:], RAW[:1] + b"\x09" + RAW[2:]):
        with pytest.raises(invite.NewerLink):
            invite.link_from(altered(raw))
    assert invite.link_from(altered(RAW[:1] + b"\x81" + RAW[2:])).long_term
    assert not invite.link_from(altered(RAW[:1] + b"\xf0" + RAW[2:])).long_term


@pytest.mark.parametrize(
    "changed",
    [
        {"account": b"a" * 31},
        {"secret": b"s" * 17},
        {"peer": b""},
        {"expiry_s": 2**32},
        {"expiry_s": -1},
        {"addresses": (V4,) * 3},
    ],
)
def test_we_cannot_make_a_link_they_could_not_read(changed: dict[str, Any]) -> None:
    with pytest.raises(OverLimit):
        replace(LINK, **changed)


def test_a_link_ends() -> None:
    invite.check_alive(LINK, LINK.expiry_s)
    with pytest.raises(invite.ExpiredLink):
        invite.check_alive(LINK, LINK.expiry_s + 1)
    assert issubclass(invite.ExpiredLink, UserFault)


def test_only_plain_addresses_become_part_of_a_link() -> None:
    plain = ("/ip4/192.0.2.7/tcp/4001", "/ip6/2001:db8::7/tcp/65535")
    assert invite.addresses_of(plain) == (V4, V6)
    assert tuple(map(invite.address_text, (V4, V6))) == plain
    others = (
        "",
        "/",
        "/ip4/192.0.2.7",
        "/ip4/192.0.2.7/udp/4001",
        "/ip4/192.0.2.7/tcp/0",
        "/ip4/192.0.2.7/tcp/65536",
        "/ip4/192.0.2.7/tcp/+1",
        "/ip4/192.0.2.7/tcp/٣",
        "/ip4/192.0.2.7/tcp/4001/p2p/x",
        "/ip4/192.0.2.256/tcp/1",
        "/ip4/::1/tcp/1",
        "/ip6/1.2.3.4/tcp/1",
        "/ip6/fe80::1%eth0/tcp/1",
        "/dns4/example.org/tcp/1",
        "192.0.2.7:1",
    )
    assert invite.addresses_of(others) == ()


def test_link_vectors_of_the_law() -> None:
    rows = rows_of("Invitation links")
    assert len(rows) >= 3
    for raw, text in rows:
        assert altered(bytes.fromhex(raw)) == text
        assert invite.link_text(invite.link_from(text)) == text


# --- keys


def test_the_keys_are_hkdf_of_the_secret_under_the_label() -> None:
    for purpose, key in ((b"mac", KEYS.mac), (b"bundle", KEYS.bundle), (b"init", KEYS.init), (b"dht", KEYS.dht)):
        assert key == hashing.hkdf(LINK.secret, b"weft/1/invite\x00" + purpose, 32)
        assert key == hashing.subkey(LINK.secret, Label.INVITE, purpose)
    assert len({KEYS.mac, KEYS.bundle, KEYS.init, KEYS.dht}) == 4
    for secret in (LINK, KEYS):
        assert LINK.secret.hex() not in repr(secret)
        assert repr(KEYS.mac) not in repr(secret)


# --- the dialogue


def test_the_dialogue() -> None:
    assert invite.which((OTHER_KEYS, KEYS), invite.asker_mac(KEYS, T), T) == 1
    answer = invite.answer(KEYS, T, BUNDLE, bytes(24))
    assert invite.open_answer(KEYS, T, answer, ANA.account, NOW_S) == BUNDLE
    sealed = invite.seal_init(KEYS, T, INIT, bytes(24))
    assert invite.open_init(KEYS, T, sealed) == INIT
    for verdict in Verdict:
        assert invite.open_verdict(KEYS, T, invite.seal_verdict(KEYS, T, verdict, bytes(24))) is verdict
    assert max(map(len, (answer, sealed))) <= invite.FRAME_BYTES_MAX


def test_every_message_hides_its_length_class() -> None:
    assert len(invite.seal_init(KEYS, T, INIT, bytes(24))) == 4096 + 40
    assert len({len(invite.seal_verdict(KEYS, T, verdict, bytes(24))) for verdict in Verdict}) == 1


def test_an_asker_without_a_secret_has_no_invitation() -> None:
    many = tuple(InviteKeys.of(n.to_bytes(16, "big")) for n in range(1, invite.OPEN_MAX + 1))
    assert invite.which(many, invite.asker_mac(KEYS, T), T) is None
    assert invite.which(many, invite.asker_mac(many[-1], T), T) == len(many) - 1
    assert invite.which(many, invite.asker_mac(many[0], T), T) == 0
    assert invite.which((KEYS,), invite.asker_mac(KEYS, OTHER_T), T) is None
    for mac in (b"", bytes(32), invite.asker_mac(KEYS, T)[:31], invite.answer(KEYS, T, BUNDLE, bytes(24))[:32]):
        assert invite.which((KEYS,), mac, T) is None
    assert invite.which((), bytes(32), T) is None


def test_an_answer_of_somebody_else_is_refused() -> None:
    answer = invite.answer(KEYS, T, BUNDLE, bytes(24))
    reflected = invite.asker_mac(KEYS, T) + answer[32:]
    cases = (
        (OTHER_KEYS, T, answer, ANA.account),
        (KEYS, OTHER_T, answer, ANA.account),
        (KEYS, T, answer, BO.account),
        (KEYS, T, reflected, ANA.account),
        (KEYS, T, answer[:32], ANA.account),
        (KEYS, T, answer[:-1], ANA.account),
        (KEYS, T, b"", ANA.account),
        (KEYS, T, bytes(4000), ANA.account),
    )
    for keys, transcript, raw, account in cases:
        with pytest.raises(Forged):
            invite.open_answer(keys, transcript, raw, account, NOW_S)


def test_a_bundle_of_another_account_under_the_right_secret_is_refused() -> None:
    # Whoever has the link too (it was forwarded) cannot put himself in the inviter's place.
    mine = EVE.bundle()
    box = sealing.seal(KEYS.bundle, bytes(24), record.encode(mine), ANA.account)
    mac = hashing.mac(KEYS.mac, b"\x02" + T)
    with pytest.raises(Forged):
        invite.open_answer(KEYS, T, mac + box, ANA.account, NOW_S)
    with pytest.raises(Forged):
        invite.open_answer(KEYS, T, invite.answer(KEYS, T, mine, bytes(24)), ANA.account, NOW_S)


def test_an_expired_bundle_and_one_that_is_none_are_refused() -> None:
    answer = invite.answer(KEYS, T, BUNDLE, bytes(24))
    with pytest.raises(Expired):
        invite.open_answer(KEYS, T, answer, ANA.account, BUNDLE.not_after_s + 1)
    mac = hashing.mac(KEYS.mac, b"\x02" + T)
    for inside in (b"", b"\x80", record.encode(BUNDLE) + b"\x00", record.encode(ANA.certificate)):
        box = sealing.seal(KEYS.bundle, bytes(24), inside, ANA.account)
        with pytest.raises(Malformed):
            invite.open_answer(KEYS, T, mac + box, ANA.account, NOW_S)


def test_an_init_is_read_in_its_own_dialogue_only() -> None:
    sealed = invite.seal_init(KEYS, T, INIT, bytes(24))
    for keys, transcript, raw in ((OTHER_KEYS, T, sealed), (KEYS, OTHER_T, sealed), (KEYS, T, sealed[:-1])):
        with pytest.raises(Forged):
            invite.open_init(keys, transcript, raw)
    with pytest.raises(Forged):
        invite.open_verdict(KEYS, OTHER_T, invite.seal_verdict(KEYS, T, Verdict.STORED, bytes(24)))


def test_nothing_but_an_init_and_nothing_but_a_verdict_is_taken() -> None:
    message = envelope.Message(bytes(80), bytes(40))
    restart = envelope.Restart(SessionId(bytes(16)), INIT)
    for inside in (envelope.enclose(message), envelope.enclose(restart), b"", bytes(1024)):
        with pytest.raises(Malformed):
            invite.open_init(KEYS, T, sealing.seal(KEYS.init, bytes(24), inside, T))
    for raw in (invite.seal_init(KEYS, T, INIT, bytes(24)), sealing.seal(KEYS.init, bytes(24), b"\x82\x11\x04", T)):
        with pytest.raises(Malformed):
            invite.open_verdict(KEYS, T, raw)
    with pytest.raises(Malformed):
        invite.open_init(KEYS, T, invite.seal_verdict(KEYS, T, Verdict.STORED, bytes(24)))
