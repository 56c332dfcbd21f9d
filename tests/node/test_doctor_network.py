"""The doctor on networks and contacts: local networks that let little through, and a simulated world of nodes."""

from collections.abc import Sequence
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from lab import world
from lab.world import Person, World, befriend
from node import profile
from node.doctor import contacts, findings, nearby, ports, store
from node.doctor.findings import Finding, Level
from node.doctor.nearby import INVITE, PROBES, judge, probe
from node.doctor.patient import Patient
from node.lan import Heard, Interface, Lan, Sent, Way
from node.node import migrations
from store import examination, intake, people
from store.database import Tx
from store.faults import StoreFull
from store.people import ContactState
from tests.node import patients

WLAN = Interface("wlan0", 3, ((IPv4Address("192.168.1.5"), IPv4Address("192.168.1.255")),), (IPv6Address("fe80::5"),))
ETH = Interface("eth0", 2, ((IPv4Address("10.0.0.5"), None),), ())


class Deaf:
    """A Lan on which only these ways come back; `refused` says what the system answers to the others at once."""

    def __init__(self, passing: Sequence[Way], refused: str = "") -> None:
        self._passing = passing
        self._refused = refused
        self._send, self._receive = trio.open_memory_channel[Heard](1000)

    def interfaces(self) -> tuple[Interface, ...]:
        return (WLAN,)

    async def send(self, interface: Interface, packet: bytes) -> tuple[Sent, ...]:
        await trio.lowlevel.checkpoint()
        ways: list[tuple[Way, Any]] = []
        for address, broadcast in interface.ipv4:
            ways += [(Way.MULTICAST, address), *([(Way.BROADCAST, address)] if broadcast else [])]
        ways += [(Way.MULTICAST6, address) for address in interface.ipv6]
        for way, source in ways:
            if way in self._passing:
                self._send.send_nowait(Heard(packet, source, interface.name))
        self._send.send_nowait(Heard(b"a beacon of somebody", IPv4Address("192.168.1.9"), interface.name))
        return tuple(Sent(way, source, "" if way in self._passing else self._refused) for way, source in ways)

    async def receive(self) -> Heard:
        return await self._receive.receive()


def chance() -> Any:
    """Packets that differ, as random ones do."""
    count = iter(range(1000))
    return lambda size: next(count).to_bytes(size, "big")


ALL = (Way.MULTICAST, Way.BROADCAST, Way.MULTICAST6)
PASSING: list[tuple[tuple[Way, ...], Level, str, str]] = [
    (ALL, Level.OK, "IPv4 multicast, IPv4 broadcast, IPv6 multicast: sent 3, heard 3 of own.", ""),
    ((Way.BROADCAST,), Level.WARNING, "IPv4 multicast and IPv6 multicast blocked", ""),
    ((Way.MULTICAST, Way.MULTICAST6), Level.WARNING, "IPv4 broadcast: sent 3, heard 0 of own", ""),
    ((Way.MULTICAST6,), Level.WARNING, "found by IPv6 multicast", ""),
    ((), Level.FAILURE, "IPv6 multicast: sent 3, heard 0 of own). Allow UDP 47474", INVITE),
]


@pytest.mark.parametrize(("passing", "level", "said", "next"), PASSING)
async def test_what_comes_back_is_counted_for_each_way(
    autojump_clock: MockClock, passing: tuple[Way, ...], level: Level, said: str, next: str
) -> None:
    tried = await probe(Deaf(passing), [WLAN], chance())
    assert {one.way: one.heard for one in tried["wlan0"]} == {way: PROBES * (way in passing) for way in ALL}
    found = judge("wlan0", tried["wlan0"], works=bool(passing))
    assert (found.name, found.level, found.next) == ("lan wlan0", level, next)
    assert said in found.sentence


async def test_what_the_system_refuses_is_told(autojump_clock: MockClock) -> None:
    tried = await probe(Deaf((Way.BROADCAST,), "No route to host"), [WLAN, ETH], chance())
    assert (
        "IPv4 multicast, IPv6 multicast: sent 0, heard 0 of own (No route to host)"
        in judge("wlan0", tried["wlan0"], works=True).sentence
    )
    assert judge("eth0", tried["eth0"], works=True).level is Level.WARNING  # contacts are found on the other one
    assert judge("eth0", tried["eth0"], works=False).level is Level.FAILURE


def as_patient(w: World, person: Person) -> Patient:
    """A node of the world as the doctor sees it, its database in line."""
    assert person.node is not None
    core = person.node.core
    ask = partial(examination.asked, core.database)
    place = profile.Profile(person.name, w.folder / person.name)
    return Patient(place, core.ground, migrations(core.features), core=core, ask=ask)


async def looked_at(w: World, person: Person) -> list[Finding]:
    """What the doctor finds about a person's contacts."""
    return await contacts.contacts(as_patient(w, person))


def test_a_contact_is_online_then_away_with_mail_then_at_home_without_a_talk() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        assert await looked_at(w, alice) == [
            Finding("contacts", Level.OK, "None yet. Invite somebody:", "weft invite --qr")
        ]
        await befriend(alice, bob)
        assert alice.node is not None
        database = alice.node.core.database

        async def online() -> bool:
            return bool((await alice.call("contacts.show", name="bob"))["online"])

        async def delivered() -> bool:
            return await online() and not await database.transact(examination.waiting, frozenset(), w.now_ms())

        await w.until(delivered)
        (found,) = await looked_at(w, alice)
        assert found == findings.ok("contact Bob", "Online, speaks version 2 of the protocol, as you.")
        await bob.kill()

        async def away() -> bool:
            return not await online()

        await w.until(away)
        (found,) = await looked_at(w, alice)
        assert (found.level, "refused" in found.sentence, "nothing waits" in found.sentence) == (Level.OK, True, True)
        for text in ("one", "two"):
            await alice.call("chat.send", to="bob", text=text)
        (found,) = await looked_at(w, alice)
        assert (found.level, found.next) == (Level.WARNING, "weft status Bob")
        assert "2 messages wait for" in found.sentence
        await alice.call("contacts.block", name="bob")
        (found,) = await looked_at(w, alice)
        assert (found.level, "blocked by you" in found.sentence) == (Level.OK, True)

    world.run(story, 47)


def test_what_a_contact_answers_when_it_is_dialled_is_told() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        assert alice.node is not None
        database = alice.node.core.database
        await bob.call("contacts.block", name="alice")  # who still listens, but does not let her in

        async def away() -> bool:
            return not (await alice.call("contacts.show", name="bob"))["online"]

        await w.until(away)
        (found,) = await looked_at(w, alice)
        assert "a node answers at /ip4/" in found.sentence
        await database.transact(lambda tx: tx.execute("UPDATE device SET addresses = x'80'"))
        (found,) = await looked_at(w, alice)
        assert "no address of it is known" in found.sentence

    world.run(story, 48)


def test_alarms_and_requests_say_what_to_type() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        assert alice.node is not None
        database = alice.node.core.database
        await alice.call("contacts.rename", name="bob", new="Bob; rm -rf")
        await database.transact(people.set_alarm, 1, "link_twice")
        (found,) = await looked_at(w, alice)
        assert (found.level, found.next) == (Level.WARNING, "weft contacts show 'Bob; rm -rf'")
        assert "link twice" in found.sentence
        await database.transact(people.set_alarm, 1, intake.ALARM)
        (found,) = await looked_at(w, alice)
        assert (found.level, found.next) == (Level.WARNING, "weft log proofs")
        assert "two histories of a log" in found.sentence
        await database.transact(people.set_alarm, 1, "")
        for state, level, said in (
            (ContactState.REQUEST, Level.WARNING, "weft requests"),
            (ContactState.REFUSED, Level.WARNING, "weft invite --qr"),
            (ContactState.WAITING, Level.OK, ""),
            (ContactState.ASKED, Level.WARNING, "weft status 'Bob; rm -rf'"),
        ):
            await database.transact(people.set_state, 1, state, "")
            (found,) = await looked_at(w, alice)
            assert (found.level, found.next) == (level, said)

    world.run(story, 49)


async def test_of_thousands_those_with_trouble_are_shown_and_the_rest_counted(tmp_path: Path) -> None:
    made = await patients.make(tmp_path)
    count = 3 * contacts.SHOWN_MAX

    def fill(tx: Tx) -> None:
        for number in range(count):
            account = number.to_bytes(32, "big")
            people.add_contact(tx, account, f"c{number}", ContactState.ACTIVE, "", made.ground.now_ms())  # type: ignore[arg-type]
        people.set_alarm(tx, count, "new_device")

    async with made.database() as database:
        await database.transact(fill)
    found = await made.findings(names=("contacts",))
    assert len(found) == contacts.SHOWN_MAX + 1
    assert (found[0].name, found[0].level) == (f"contact c{count - 1}", Level.WARNING)
    assert {one.level for one in found[1:-1]} == {Level.UNKNOWN}
    assert found[-1].sentence.startswith(f"{count - contacts.SHOWN_MAX} more: 0 online")


def interface(number: int, address: str) -> Interface:
    ip = ip_address(address)
    ipv4 = ((ip, None),) if isinstance(ip, IPv4Address) else ()
    return Interface(f"eth{number}", number, ipv4, (ip,) if isinstance(ip, IPv6Address) else ())


def test_of_many_interfaces_those_that_matter_are_shown_first() -> None:
    few = [interface(1, "fe80::1"), interface(2, "10.0.0.2")]
    assert ports.shortened(few, {"eth2"}) == "eth2 10.0.0.2, eth1 fe80::1"
    assert ports.shortened(few, ()) == "eth2 10.0.0.2, eth1 fe80::1"
    many = [interface(number, f"fe80::{number}") for number in range(200)]
    many += [interface(200, "10.0.0.200"), interface(201, "169.254.0.1"), interface(202, "44.9.0.1")]
    shown = "eth199 fe80::199, eth200 10.0.0.200, eth202 44.9.0.1, eth0 fe80:: and 199 more"
    assert ports.shortened(many, {"eth199"}) == shown
    assert ports.shortened(many[:4], ()).endswith("eth3 fe80::3")
    assert ports.shortened(many[:5], ()).endswith("eth3 fe80::3 and 1 more")


def test_the_store_of_a_running_node_is_read_table_by_table_and_its_trouble_told() -> None:
    async def story(w: World) -> None:
        alice = await w.person("alice")
        patient = as_patient(w, alice)
        assert patient.core is not None
        (found,) = await store.store(patient)
        assert (found.level, "integrity ok" in found.sentence) == (Level.OK, True)
        assert found.sentence.endswith("each commit on the disk.")
        patient.core.database.trouble = StoreFull()
        (found,) = await store.store(patient)
        assert (found.level, found.next) == (Level.FAILURE, "df -h")
        assert found.sentence == StoreFull.lasting

    world.run(story, 51)


def test_the_lan_of_a_node_is_tried_where_it_listens_unless_it_is_switched_off() -> None:
    async def story(w: World) -> None:
        alice = await w.person("alice")
        w.places.move("alice", "home")
        assert alice.node is not None
        beacon, on_lan = await nearby.nearby(as_patient(w, alice))
        assert (beacon.name, beacon.level) == ("beacon", Level.OK)
        assert on_lan == findings.ok("lan air0", "IPv4 multicast: sent 3, heard 3 of own.")
        w.places.tap = []
        patient = as_patient(w, alice)
        (off,) = await nearby.nearby(
            Patient(patient.place, patient.ground, (), core=patient.core, settings={"lan.beacon": False})
        )
        assert (off.level, off.next) == (Level.OK, "weft config set lan.beacon yes")
        assert w.places.tap == []
        w.places.taken = True
        taken = (await nearby.nearby(patient))[-1]
        assert (taken.level, taken.next) == (Level.FAILURE, INVITE)

    world.run(story, 50)


def is_a_lan(lan: Deaf) -> Lan:
    """Deaf keeps the interface, which mypy checks here."""
    return lan
