"""What is made of what peers say: nobody is believed alone."""

from hypothesis import given
from hypothesis import strategies as st

from node.network import Address
from node.relay import reachability
from node.relay.reachability import SIGHTINGS_MAX, Sighting, Sightings
from node.relay.state import Mapping, Reach


def at(ip: str, port: int = 4001) -> Address:
    return Address(f"/ip{6 if ':' in ip else 4}/{ip}/tcp/{port}")


HOME = (at("192.168.1.5"),)
PUBLIC = (at("44.0.0.5"),)
NAT = "44.0.0.1"


def test_nobody_said_anything() -> None:
    assert reachability.judge((), HOME).reach is Reach.UNKNOWN
    assert reachability.judge((), PUBLIC).reach is Reach.UNKNOWN
    assert reachability.judge((), ()).reach is Reach.UNKNOWN


def test_one_liar_decides_nothing() -> None:
    lie = Sighting(at("44.9.9.9", 7), at("44.9.9.9", 7), dialled_back=True)
    for own in (HOME, PUBLIC):
        found = reachability.judge((lie,), own)
        assert (found.reach, found.public) == (Reach.UNKNOWN, None)
    true = Sighting(at(NAT, 9), at(NAT))
    found = reachability.judge((lie, true, true), HOME)
    assert found.observed == at(NAT)


def test_a_nat_that_keeps_the_port() -> None:
    found = reachability.judge((Sighting(None, at(NAT)), Sighting(at(NAT, 9), at(NAT))), HOME)
    assert (found.reach, found.mapping) == (Reach.BEHIND_NAT, Mapping.KEPT)
    assert found.public == found.observed == at(NAT)


def test_a_nat_with_another_port_for_all() -> None:
    found = reachability.judge((Sighting(None, at(NAT, 7)), Sighting(None, at(NAT, 7))), HOME)
    assert (found.mapping, found.public, found.observed) == (Mapping.ONE, None, at(NAT, 7))


def test_a_nat_with_a_port_for_each() -> None:
    found = reachability.judge((Sighting(None, at(NAT, 7)), Sighting(None, at(NAT, 8))), HOME)
    assert (found.mapping, found.public, found.observed) == (Mapping.MANY, None, None)


def test_a_public_address_is_believed_when_somebody_dialled_it() -> None:
    said = (Sighting(at("44.0.0.5", 9)), Sighting(at("44.0.0.5", 8)))
    found = reachability.judge(said, PUBLIC)
    assert (found.reach, found.mapping) == (Reach.UNKNOWN, Mapping.NONE)
    found = reachability.judge((*said, Sighting(dialled_back=True)), PUBLIC)
    assert (found.reach, found.public) == (Reach.PUBLIC, PUBLIC[0])
    found = reachability.judge((*said, Sighting(dialled_back=False)), PUBLIC)
    assert found.reach is Reach.BEHIND_NAT
    assert "firewall" in found.reason


def test_a_port_that_was_forwarded_is_public() -> None:
    said = (Sighting(None, at(NAT)), Sighting(None, at(NAT), dialled_back=True))
    found = reachability.judge(said, HOME)
    assert (found.reach, found.public) == (Reach.PUBLIC, at(NAT))


def test_private_observations_say_nothing_of_the_network() -> None:
    said = (Sighting(at("192.168.1.5")), Sighting(at("192.168.1.5")))
    assert reachability.judge(said, HOME).reach is Reach.UNKNOWN


SAID = st.builds(
    Sighting,
    st.none() | st.sampled_from([at(NAT), at("44.0.0.5"), at("10.0.0.1")]),
    st.none() | st.sampled_from([at(NAT), at(NAT, 7), at("44.0.0.5")]),
    st.none() | st.booleans(),
)


@given(st.lists(SAID, max_size=6), st.sampled_from([HOME, PUBLIC, (), HOME + PUBLIC]))
def test_a_verdict_has_a_reason_and_public_ones_an_address(said: list[Sighting], own: tuple[Address, ...]) -> None:
    found = reachability.judge(said, own)
    assert found.reason
    assert found.public is None or not found.public.startswith("/ip4/192.")
    if found.reach is Reach.PUBLIC:
        assert any(one.dialled_back for one in said)


def test_the_newest_places_are_remembered() -> None:
    sightings = Sightings()
    for number in range(SIGHTINGS_MAX + 5):
        sightings.saw(str(number), at(NAT))
        sightings.saw_port(str(number), at(NAT, 1 + number))
    assert len(sightings.said) == SIGHTINGS_MAX
    assert sightings.newest_port() == at(NAT, SIGHTINGS_MAX + 5)
    sightings.clear()
    assert sightings.newest_port() is None
