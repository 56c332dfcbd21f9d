"""The doctor on how a node is reached: every verdict, from what is known of relays and NATs."""

import pytest

from node.doctor import reach
from node.doctor.findings import Level
from node.network import Address, PeerId
from node.relay.state import Load, Mapping, Punches, Reach, Reachability, Reserved

WAY = Address("/ip4/44.0.0.1/tcp/4001")
HELD = (Reserved(PeerId(b"r" * 32), WAY, 3600),)
KNOWN = {one: Reachability(one, "so they say", Mapping.KEPT, WAY) for one in Reach}


@pytest.mark.parametrize(
    ("known", "held", "level", "words"),
    [
        (Reach.PUBLIC, (), Level.OK, "/ip4/44.0.0.1/tcp/4001"),
        (Reach.BEHIND_NAT, HELD, Level.OK, "through relays"),
        (Reach.BEHIND_NAT, (), Level.WARNING, "Forward the port"),
        (Reach.UNKNOWN, (), Level.UNKNOWN, "so they say"),
    ],
)
def test_reachability(known: Reach, held: tuple[Reserved, ...], level: Level, words: str) -> None:
    found = reach.reachability(KNOWN[known], held)
    assert (found.name, found.level, words in found.sentence) == ("reachability", level, True)
    assert bool(found.next) == (level is Level.WARNING)


@pytest.mark.parametrize("mapping", Mapping)
def test_nat(mapping: Mapping) -> None:
    found = reach.nat(mapping)
    wanted = {Mapping.MANY: Level.WARNING, Mapping.UNKNOWN: Level.UNKNOWN}.get(mapping, Level.OK)
    assert (found.name, found.level) == ("nat", wanted)


@pytest.mark.parametrize(
    ("known", "held", "wants", "offers", "level", "words"),
    [
        (Reach.BEHIND_NAT, HELD, True, False, Level.OK, "through 1 relay: …"),
        (Reach.PUBLIC, (), True, False, Level.OK, "need none"),
        (Reach.UNKNOWN, (), True, True, Level.OK, "need none"),
        (Reach.BEHIND_NAT, (), False, False, Level.OK, "Switched off"),
        (Reach.BEHIND_NAT, (), True, False, Level.WARNING, "None was found"),
        (Reach.UNKNOWN, (), True, False, Level.UNKNOWN, "not known yet"),
    ],
)
def test_relay(known: Reach, held: tuple[Reserved, ...], wants: bool, offers: bool, level: Level, words: str) -> None:
    found = reach.relay(KNOWN[known], held, wants, offers, now_ms=0)
    assert (found.name, found.level, words in found.sentence) == ("relay", level, True)


def test_the_offered_relay_is_named_while_it_is_on_and_warned_of_when_its_day_is_used_up() -> None:
    assert reach.offered(Load(False, 0, 64, 0, 32, 0, 10)) == []
    (fine,) = reach.offered(Load(True, 3, 64, 1, 32, 500, 1000))
    assert (fine.level, "3 of 64 reservations, 1 of 32 circuits" in fine.sentence) == (Level.OK, True)
    (full,) = reach.offered(Load(True, 3, 64, 1, 32, 1000, 1000))
    assert (full.level, full.next.startswith("weft config set relay.")) == (Level.WARNING, True)


@pytest.mark.parametrize(
    ("punches", "level", "words"),
    [
        (Punches(0, 0, ""), Level.OK, "Not needed"),
        (Punches(2, 1, "why"), Level.OK, "2 of 3"),
        (Punches(0, 1, "why"), Level.WARNING, "last: why"),
    ],
)
def test_hole_punching(punches: Punches, level: Level, words: str) -> None:
    found = reach.punching(punches)
    assert (found.name, found.level, words in found.sentence) == ("hole punching", level, True)
