"""The record that tells where to knock: for who has the link, by who made it, and for nobody else."""

from dataclasses import replace

import pytest

from crypto.faults import Forged, Malformed
from crypto.xwing import InboxKey
from protocol import door_record, invitation_record, invite, rendezvous
from protocol.door_record import Doors, Place
from tests.protocol.circle import NOW_S
from tests.protocol.meetings import ANA, BUNDLE, EPOCH, EVE, NONCE, PEER, SECRET, SEED, SEQUENCE

KEYS = door_record.keys_of(SECRET, EPOCH)
INBOX = InboxKey(b"k" * 32).public
PLACES = tuple(Place(PEER, ("/ip4/192.0.2.9/tcp/4001",), bytes((n,)) * 32) for n in range(2))
SAID = door_record.tell(KEYS, ANA.device_key, INBOX, 22, PLACES)


def laid(said: Doors = SAID, keys: rendezvous.Keys = KEYS) -> bytes:
    return door_record.seal(rendezvous.appoint(keys.name, EPOCH, SEED), keys, said, SEQUENCE, NONCE)


def test_what_is_told_is_heard() -> None:
    assert door_record.open_sealed(KEYS, laid(), BUNDLE, NOW_S) == SAID


def test_the_largest_fits_a_record() -> None:
    largest = tuple(replace(one, addresses=("/" + "a" * 191,) * 4) for one in PLACES)
    said = door_record.tell(KEYS, ANA.device_key, INBOX, 32, largest)
    assert len(laid(said)) <= rendezvous.RECORD_BYTES_MAX
    assert door_record.open_sealed(KEYS, laid(said), BUNDLE, NOW_S) == said


def test_it_has_nothing_in_common_with_the_answer_of_its_invitation_or_of_another_day() -> None:
    names = {KEYS.name.public, door_record.keys_of(SECRET, EPOCH + 1).name.public}
    names |= {invitation_record.keys_of(invite.InviteKeys.of(SECRET), EPOCH).name.public}
    names |= {door_record.keys_of(b"S" * 16, EPOCH).name.public}
    assert len(names) == 4


@pytest.mark.parametrize("field", ["inbox", "bits", "places"])
def test_who_has_the_link_sends_nobody_elsewhere(field: str) -> None:
    others = {"inbox": InboxKey(b"e" * 32).public, "bits": 0, "places": PLACES[:1]}
    said = replace(SAID, **{field: others[field]})  # type: ignore[arg-type]
    for forged in (said, door_record.tell(KEYS, EVE.device_key, said.inbox, said.bits, said.places)):
        with pytest.raises(Forged):
            door_record.open_sealed(KEYS, laid(forged), BUNDLE, NOW_S)


def test_yesterdays_doors_are_not_todays() -> None:
    yesterday = door_record.tell(door_record.keys_of(SECRET, EPOCH - 1), ANA.device_key, INBOX, 22, PLACES)
    with pytest.raises(Forged):
        door_record.open_sealed(KEYS, laid(yesterday), BUNDLE, NOW_S)


def test_an_inbox_that_is_no_key_is_forged() -> None:
    said = door_record.tell(KEYS, ANA.device_key, b"\xff" * 1216, 0, PLACES)
    with pytest.raises(Forged):
        door_record.open_sealed(KEYS, laid(said), BUNDLE, NOW_S)


def test_another_record_under_the_name_is_malformed() -> None:
    raw = rendezvous.write(rendezvous.appoint(KEYS.name, EPOCH, SEED), KEYS.seal, PLACES[0], SEQUENCE, NONCE)
    with pytest.raises(Malformed):
        door_record.open_sealed(KEYS, raw, BUNDLE, NOW_S)
