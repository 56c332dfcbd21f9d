"""What is kept for others: good records alone, the newest of each, and no flood costs anybody but who floods."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.kad import rack, shelf
from node.kad.messages import PEERS_MAX, Peer
from node.kad.rack import Rack
from node.kad.rates import Meter, Rate, TooOften
from node.kad.shelf import Crowded, Outdated, Shelf
from node.network import Address, PeerId
from protocol.faults import Expired, Forged, Malformed, PeerFault
from tests.node.kad.circle import DAY_S, NOW_S, RULES, key_of, note, owner

OWN = PeerId(b"o" * 32)
ANA, BO, EVE = PeerId(b"a" * 32), PeerId(b"b" * 32), PeerId(b"e" * 32)
WHO = owner(1)
KEY = key_of(WHO)


def empty() -> Shelf:
    return Shelf(OWN, RULES)


def provider(number: int) -> Peer:
    return Peer(PeerId(number.to_bytes(32)), (Address("/ip4/1.2.3.4/tcp/5"),))


def test_the_newest_lies_there_and_an_older_one_is_refused() -> None:
    kept = empty()
    kept.put(KEY, note(WHO, b"one", 1), ANA, "a", NOW_S)
    kept.put(KEY, note(WHO, b"two", 2), BO, "b", NOW_S)
    with pytest.raises(Outdated):
        kept.put(KEY, note(WHO, b"one", 1), EVE, "e", NOW_S)
    kept.put(KEY, note(WHO, b"two", 2), EVE, "e", NOW_S)
    assert kept.get(KEY, NOW_S) == note(WHO, b"two", 2)
    assert kept.records == 1


@pytest.mark.parametrize(
    ("raw", "fault"),
    [
        (note(owner(2), b"another's"), Forged),
        (note(WHO, b"x")[:-1] + b"y", Forged),
        (note(WHO, b"x", expiry_s=NOW_S), Expired),
        (b"", Malformed),
    ],
)
def test_a_bad_record_is_refused(raw: bytes, fault: type[PeerFault]) -> None:
    kept = empty()
    with pytest.raises(fault):
        kept.put(KEY, raw, EVE, "e", NOW_S)
    assert kept.get(KEY, NOW_S) is None


def test_a_record_ends_when_it_says_and_at_the_latest_after_26_hours() -> None:
    kept = empty()
    kept.put(KEY, note(WHO, b"short", expiry_s=NOW_S + 10), ANA, "a", NOW_S)
    assert kept.get(KEY, NOW_S + 9) is not None
    assert kept.get(KEY, NOW_S + 10) is None
    kept.put(KEY, note(WHO, b"long", 2, NOW_S + 90 * DAY_S), ANA, "a", NOW_S)
    assert kept.get(KEY, NOW_S + shelf.RECORD_S_MAX - 1) is not None
    kept.expire(NOW_S + shelf.RECORD_S_MAX)
    assert kept.records == 0


def test_a_record_that_is_over_makes_room_for_one_with_a_lower_sequence() -> None:
    kept = empty()
    kept.put(KEY, note(WHO, b"over", 9, NOW_S + 10), ANA, "a", NOW_S)
    kept.put(KEY, note(WHO, b"after", 1), ANA, "a", NOW_S + 10)
    assert kept.get(KEY, NOW_S + 10) == note(WHO, b"after", 1)


def test_a_flood_of_one_peer_pushes_out_its_own() -> None:
    kept = empty()
    kept.put(KEY, note(WHO, b"ana's"), ANA, "a", NOW_S)
    for number in range(2, 3 * shelf.RECORDS_PER_PEER_MAX):
        kept.put(key_of(owner(number)), note(owner(number), b"eve's"), EVE, "e", NOW_S)
    assert kept.records == shelf.RECORDS_PER_PEER_MAX + 1
    assert kept.get(KEY, NOW_S) is not None


def test_a_record_is_not_pushed_out_by_who_gave_it_as_well() -> None:
    kept = empty()
    kept.put(KEY, note(WHO, b"x", 2), EVE, "e", NOW_S)  # she was faster than its owner
    kept.put(KEY, note(WHO, b"x", 2), ANA, "a", NOW_S)
    for number in range(2, 2 * shelf.RECORDS_PER_PEER_MAX):
        kept.put(key_of(owner(number)), note(owner(number), b"y"), EVE, "e", NOW_S)
    assert kept.get(KEY, NOW_S) is not None


laid = st.tuples(st.integers(0, 30), st.integers(0, 8), st.sampled_from("abc"), st.integers(0, 99))


@given(st.lists(laid, max_size=200))
def test_a_rack_keeps_to_its_bounds(events: list[tuple[int, int, str, int]]) -> None:
    of: Rack[int, int] = Rack(10, 3, 5)
    mirror: dict[int, int] = {}
    for where, giver, place, distance in events:
        mirror[where] = distance
        for gone in of.lay(where, distance, distance, PeerId(bytes([giver]) * 32), place):
            del mirror[gone]
        assert {where: of.get(where) for where in of.places()} == mirror
        assert len(of) <= 10
        assert max((len(of.payers_of(where)) for where in of.places()), default=1) in range(1, rack.PAYERS_MAX + 1)
        payers = [place for where in of.places() for place in of.payers_of(where)]
        assert max(map(payers.count, payers), default=0) <= 5


def test_who_pays_for_a_thing_from_two_networks_lets_it_go_once() -> None:
    of: Rack[str, str] = Rack(9, 9, 9)
    for place in "ab":
        of.lay("moved", "x", 1, ANA, place)
    of.drop("moved")
    assert len(of) == 0
    assert of.payers_of("moved") == ()


def test_what_loses_two_payers_at_once_is_said_to_be_gone_once() -> None:
    of: Rack[int, int] = Rack(9, 1, 1)
    of.lay(0, 0, 0, ANA, "b")
    of.lay(0, 0, 0, EVE, "a")
    assert of.lay(1, 0, 0, ANA, "a") == (0,)


def test_a_full_rack_loses_what_lies_farthest_of_who_holds_most() -> None:
    of: Rack[str, str] = Rack(4, 9, 9)
    of.lay("others'", "x", 100, ANA, "a")
    for where, distance in (("near", 1), ("far", 50), ("middle", 20)):
        of.lay(where, "x", distance, EVE, "e")
    assert of.lay("new", "x", 30, EVE, "e") == ("far",)
    assert of.lay("farthest", "x", 90, EVE, "e") == ("farthest",)
    assert of.get("others'") == "x"


def test_a_flood_of_providers_under_one_key_leaves_room_for_others() -> None:
    kept = empty()
    kept.provide(KEY, provider(1), "house", NOW_S)
    for number in range(100, 400):
        kept.provide(KEY, provider(number), f"net {number % 7}", NOW_S)
    named = kept.providers_of(KEY, NOW_S)
    assert provider(1) in named
    assert len(named) == PEERS_MAX
    assert kept.providers <= shelf.PROVIDERS_PER_KEY_MAX


def test_a_provider_is_named_for_an_hour_with_his_newest_addresses() -> None:
    kept = empty()
    moved = Peer(provider(1).id, (Address("/ip4/5.6.7.8/tcp/9"),))
    kept.provide(KEY, provider(1), "a", NOW_S)
    kept.provide(KEY, moved, "b", NOW_S)
    assert kept.providers_of(KEY, NOW_S + shelf.PROVIDER_S - 1) == (moved,)
    assert kept.providers_of(KEY, NOW_S + shelf.PROVIDER_S) == ()
    kept.expire(NOW_S + shelf.PROVIDER_S)
    assert kept.providers == 0


def test_keys_of_one_peer_are_bounded_and_a_full_shelf_says_so() -> None:
    kept = empty()
    for number in range(2 * shelf.PROVIDERS_PER_PEER_MAX):
        kept.provide(number.to_bytes(32), provider(1), "a", NOW_S)
    assert kept.providers == shelf.PROVIDERS_PER_PEER_MAX
    kept.clear()
    assert (kept.records, kept.providers) == (0, 0)


def test_who_asks_often_waits_and_who_floods_is_refused_and_others_are_neither() -> None:
    meter = Meter(Rate(2, 4, 1.0))
    assert [meter.take("eve", 0.0) for _ in range(4)] == [0.0] * 4
    assert [meter.take("eve", 0.0) for _ in range(2)] == [0.5, 1.0]
    with pytest.raises(TooOften):
        meter.take("eve", 0.0)
    assert meter.take("ana", 0.0) == 0.0
    assert meter.take("eve", 3.0) == 0.0


def test_the_fault_of_a_full_shelf_is_the_givers() -> None:
    assert issubclass(Crowded, PeerFault)
