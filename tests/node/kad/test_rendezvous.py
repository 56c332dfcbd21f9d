"""The records that lie in the DHT are those of protocol/rendezvous.py: the shelf takes them as they are."""

import pytest

from crypto import keys
from node.kad.shelf import Outdated, Rules, Shelf
from node.lookup import RECORD_BYTES_MAX
from node.network import PeerId
from protocol import ids, presence_record, rendezvous
from protocol.faults import Forged
from protocol.presence_record import Presence, Whereabouts

NOW_S = 1_800_000_000
OWN, ANA = PeerId(b"o" * 32), PeerId(b"a" * 32)
RULES = Rules(rendezvous.check, rendezvous.newer)


def record(sequence: int) -> tuple[bytes, bytes]:
    """A DHT key, and an account's record of today under it."""
    epoch = rendezvous.epoch_of(NOW_S)
    names = presence_record.keys_of(b"p" * 32, epoch)
    device = ids.DeviceId(keys.SigningKey(b"d" * 32).public)
    here = Whereabouts(device, b"t" * 32, ("/ip4/1.2.3.4/tcp/5",), NOW_S)
    signer = rendezvous.appoint(names.name, epoch, b"s" * 32)
    raw = presence_record.seal(signer, names, Presence((here,)), sequence, bytes(24))
    return rendezvous.dht_key(names.name.public), raw


def test_a_record_of_an_account_is_kept_and_the_newest_wins() -> None:
    shelf = Shelf(OWN, RULES)
    key, old = record(NOW_S - 60)
    _, new = record(NOW_S)
    assert len(new) <= RECORD_BYTES_MAX
    shelf.put(key, old, ANA, "a", NOW_S)
    shelf.put(key, new, ANA, "a", NOW_S)
    with pytest.raises(Outdated):
        shelf.put(key, old, ANA, "a", NOW_S)
    assert shelf.get(key, NOW_S) == new
    assert shelf.get(key, rendezvous.ends_s(rendezvous.epoch_of(NOW_S))) is None


def test_under_another_key_it_is_forged() -> None:
    _, raw = record(NOW_S)
    with pytest.raises(Forged):
        Shelf(OWN, RULES).put(bytes(32), raw, ANA, "a", NOW_S)
