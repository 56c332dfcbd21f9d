"""Who is visible, kept within bounds: a flood of one place or of many hides nobody who shows a card."""

from features.nearby.question import place_at
from features.nearby.sightings import HEARD_S, PER_PLACE_MAX, SIGHTINGS_MAX, Near, Sightings
from node.network import Address, Circuit, PeerId, circuit_text
from protocol.nearby import Card

CARD = Card("Bo", b"b" * 32)
BO = PeerId(b"bo".ljust(32, b"."))


def at(number: int) -> Address:
    return Address(f"/ip4/10.0.{number // 250}.{number % 250}/tcp/4001")


def peer(number: int) -> PeerId:
    return PeerId(number.to_bytes(32, "big"))


def with_bo() -> Sightings:
    """Bo was seen and has shown his card."""
    found = Sightings()
    assert found.see(BO, Near.NETWORK, (at(9999),), 0.0, 0)
    found.show(BO, CARD, at(9999), 0.0, 0)
    return found


def test_a_flood_of_one_place_makes_room_among_its_own() -> None:
    found = with_bo()
    for number in range(1000):
        assert found.see(peer(number), Near.NETWORK, (at(1),), 1.0, 0)
    assert len(found.everybody()) == 1 + PER_PLACE_MAX
    assert found.everybody()[0].peer == BO


def test_a_flood_of_many_places_is_bounded_and_drops_who_has_shown_no_card() -> None:
    found = with_bo()
    for number in range(1000):
        found.see(peer(number), Near.NETWORK, (at(number),), 1.0, 0)
    assert len(found.everybody()) == SIGHTINGS_MAX
    assert [one.peer for one in found.visible()] == [BO]


def test_who_is_full_of_cards_drops_the_one_that_was_heard_longest_ago() -> None:
    found = Sightings()
    for number in range(SIGHTINGS_MAX + 1):
        found.see(peer(number), Near.NETWORK, (at(number),), float(number), 0)
        found.show(peer(number), CARD, at(number), float(number), 0)
    assert found.get(peer(0)) is None
    assert len(found.everybody()) == SIGHTINGS_MAX


def test_who_is_not_heard_any_more_makes_room() -> None:
    found = with_bo()
    found.see(peer(1), Near.NETWORK, (at(1),), HEARD_S + 1, 0)
    assert [one.peer for one in found.everybody()] == [peer(1)]


def test_everybody_is_looked_at_once_the_newest_first() -> None:
    found = Sightings()
    for number in range(3):
        assert found.see(peer(number), Near.NETWORK, (at(number),), 0.0, 0)
    assert not found.see(peer(0), Near.NETWORK, (at(0),), 0.0, 0)
    order = [one.peer for _ in range(3) if (one := found.unseen())]
    assert order == [peer(0), peer(2), peer(1)]
    assert found.unseen() is None


def test_the_nearest_stands_first_and_a_better_distance_is_kept() -> None:
    found = with_bo()
    found.see(peer(1), Near.NEXT, (at(1),), 0.0, 0)
    found.see(peer(1), Near.CELL, (at(1),), 0.0, 0)
    found.see(peer(1), Near.NEXT, (at(1),), 0.0, 0)
    assert not found.place_of(peer(1)), "no card yet"
    found.show(peer(1), CARD, at(1), 0.0, 0)
    assert [one.near for one in found.visible()] == [Near.NETWORK, Near.CELL]
    assert found.place_of(peer(1)) == "10.0.0.1"


def test_those_behind_one_relay_are_of_one_place() -> None:
    relay = Address("/ip4/10.0.0.1/tcp/4001")
    circuits = [circuit_text(Circuit(relay, BO, peer(number))) for number in range(2)]
    assert place_at(circuits[0]) == place_at(circuits[1])


def test_addresses_are_kept_the_newest_word_first_each_once() -> None:
    found = with_bo()
    found.see(BO, Near.CELL, (at(1), at(9999), at(2)), 0.0, 0)
    found.see(BO, Near.CELL, tuple(map(at, range(10, 20))), 0.0, 0)
    known = found.get(BO)
    assert known is not None
    assert known.addresses == tuple(map(at, range(10, 18)))
