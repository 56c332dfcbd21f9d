"""The routing table: bounded, old peers before new ones, and no network may crowd it."""

from ipaddress import IPv4Address

from hypothesis import given
from hypothesis import strategies as st

from node.kad import space, table
from node.kad.messages import Peer
from node.kad.table import Table
from node.network import PeerId, address_of

OWN = PeerId(b"o" * 32)
HOUSE = IPv4Address("10.0.0.1")


def peer(number: int, ip: str = "") -> Peer:
    """A peer, each in a network of its own unless an IP is said."""
    address = address_of(
        IPv4Address(ip) if ip else IPv4Address(0x08000000 + 256 * (number % 60000)), 1 + number % 60000
    )
    return Peer(PeerId(number.to_bytes(32)), (address,))


def in_bucket(number: int, count: int, of: Table, start: int = 1) -> list[int]:
    """The numbers of peers that lie in one bucket."""
    found: list[int] = []
    while len(found) < count:
        if of.bucket_of(space.position_of(peer(start).id)) == number:
            found.append(start)
        start += 1
    return found


@given(st.lists(st.tuples(st.integers(1, 400), st.sampled_from(["hear", "fail"])), max_size=300))
def test_it_stays_bounded_and_holds_only_who_answered(events: list[tuple[int, str]]) -> None:
    of = Table(OWN)
    alive: set[PeerId] = set()
    for at, (number, event) in enumerate(events):
        if event == "hear":
            of.hear(peer(number), at)
            alive.add(peer(number).id)
        else:
            of.fail(peer(number).id)
            alive.discard(peer(number).id)
            assert peer(number).id not in of
        known = of.nearest(0, 1000)
        assert {one.id for one in known} <= alive
        counts = [of.bucket_of(space.position_of(one.id)) for one in known]
        assert max(map(counts.count, counts), default=0) <= table.BUCKET_PEERS_MAX


@given(st.sets(st.integers(1, 400), max_size=60), st.integers(0, 2**256 - 1))
def test_the_nearest_are_the_nearest(numbers: set[int], target: int) -> None:
    of = Table(OWN)
    for number in sorted(numbers):
        of.hear(peer(number), 0)
    every = sorted(of.nearest(0, 1000), key=lambda one: space.position_of(one.id) ^ target)
    assert of.nearest(target, 20) == tuple(every[:20])


def test_a_newcomer_displaces_nobody_until_somebody_fails() -> None:
    of = Table(OWN)
    full = in_bucket(0, table.BUCKET_PEERS_MAX, of)
    new, *_ = in_bucket(0, 1, of, start=full[-1] + 1)
    for number in [*full, new]:
        of.hear(peer(number), 0)
    assert peer(new).id not in of
    assert not of.wants(peer(new).id)
    of.fail(peer(full[3]).id)
    assert peer(new).id in of
    assert peer(full[3]).id not in of
    assert len(of) == table.BUCKET_PEERS_MAX


def test_of_one_network_two_fit_into_a_bucket_and_ten_into_the_table() -> None:
    of = Table(OWN)
    for at, number in enumerate(in_bucket(0, 10, of)):
        of.hear(peer(number, f"9.9.9.{at}"), 0)
    assert len(of) == table.NETWORK_PER_BUCKET_MAX
    for number in range(1, 400):
        of.hear(peer(number, f"9.9.9.{number % 256}"), 0)
    assert len(of) <= table.NETWORK_PER_TABLE_MAX
    of.hear(peer(1000, "9.9.8.1"), 0)
    assert peer(1000).id in of


def test_in_one_house_all_fit() -> None:
    of = Table(OWN)
    numbers = in_bucket(0, 10, of)
    for number in numbers:
        of.hear(peer(number, str(HOUSE)), 0)
    assert len(of) == len(numbers)


def test_we_are_not_in_our_own_table() -> None:
    of = Table(OWN)
    of.hear(Peer(OWN, peer(1).addresses), 0)
    assert len(of) == 0
    assert not of.wants(OWN)


def test_the_address_that_answered_stands_first_and_others_are_kept() -> None:
    of = Table(OWN)
    first, second = peer(1).addresses[0], peer(2).addresses[0]
    of.hear(Peer(peer(1).id, (first,)), 0)
    of.hear(Peer(peer(1).id, (second,)), 1)
    assert of.nearest(0, 1) == (Peer(peer(1).id, (second, first)),)
    assert of.recent(5) == of.nearest(0, 1)


def test_the_stalest_bucket_is_the_one_that_was_silent_for_longest() -> None:
    of = Table(OWN)
    assert of.stalest() is None
    (old,), (young,) = in_bucket(0, 1, of), in_bucket(1, 1, of)
    of.hear(peer(old), 5)
    of.hear(peer(young), 9)
    assert of.stalest() == (0, 5)
