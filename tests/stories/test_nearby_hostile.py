"""What strangers can do to somebody who is visible, and what those who listen learn: case 51 in nearby mode."""

import re
from ipaddress import IPv4Address
from typing import Any

import pytest
import trio

from crypto.keys import DhKey
from features.nearby import content, sightings
from lab import world
from lab.lookup import Table
from lab.world import World
from node import frames
from node.network import Address, address_of, parts_of
from protocol import beacon, invite, nearby, record
from protocol.faults import PeerFault, Unavailable
from protocol.nearby import Verdict
from tests.features.test_nearby import all_visible
from tests.protocol import hostile
from tests.stories.strangers_nearby import Stranger, stranger
from tests.stories.test_nearby import PLACE, accept_the_only, cafe, greet, greeted, seen_by, sees, visible


@pytest.mark.depth
def test_a_stranger_who_greets_a_thousand_times_is_heard_once_and_keeps_nobody_out() -> None:
    async def story(w: World) -> None:
        ana, bo = await all_visible(w, "ana", "bo")
        async with stranger(w) as mallory:
            told = [await mallory.greet(ana, f"number {number}") for number in range(1000)]
            assert told.count(Verdict.TAKEN) == 1
            assert set(told[1:]) == {Verdict.ANOTHER}
        assert len(await greeted(ana)) == 1
        await greet(bo, "Ana")
        assert len(await greeted(ana)) == 2

    world.run(story, 601)


@pytest.mark.depth
def test_a_thousand_strangers_fill_a_part_of_the_list_and_who_is_seen_gets_in() -> None:
    async def story(w: World) -> None:
        ana, bo = await all_visible(w, "ana", "bo")
        told = []
        for number in range(1000):
            async with stranger(w, number=number + 1) as one:
                told.append(await one.greet(ana))
        assert told.count(Verdict.TAKEN) == content.WAITING_UNSEEN_MAX
        assert set(told) == {Verdict.TAKEN, Verdict.FULL}
        await greet(bo, "Ana")
        assert [row["name"] for row in await greeted(ana)].count("Bo") == 1

    world.run(story, 602)


def test_many_hosts_of_one_address_who_show_cards_count_as_few() -> None:
    async def story(w: World) -> None:
        ana, bo = await all_visible(w, "ana", "bo")
        w.places.move("mallory", "cafe")
        async with trio.open_nursery() as nursery:

            async def pretend(number: int, told: list[Verdict]) -> None:
                async with stranger(w, number=number) as one:
                    await one.serve_card()
                    w.places.spread("mallory", one.announce())
                    await trio.sleep(1)
                    told.append(await one.greet(ana))
                    await trio.sleep(10)

            told: list[Verdict] = []
            for number in range(1, 41):
                nursery.start_soon(pretend, number, told)
            await trio.sleep(5)
            rows = await seen_by(ana)
            assert set(rows) == {"Bo", "Mallory"}
            assert len(await ana.call("nearby.list")) == 1 + sightings.PER_PLACE_MAX
        seen, unseen = content.WAITING_PER_PLACE_MAX, content.WAITING_UNSEEN_MAX
        assert told.count(Verdict.TAKEN) == seen + unseen
        await greet(bo, "Ana")

    world.run(story, 603)


@pytest.mark.depth
def test_a_flood_of_packets_makes_few_dials_and_hides_nobody() -> None:
    async def story(w: World) -> None:
        (ana,) = await cafe(w, "ana")
        bo = await w.person("bo")
        await visible(ana)
        await visible(bo)
        w.places.move("mallory", "cafe")
        async with stranger(w) as mallory:
            for number in range(2000):
                forged = parts_of(w.network.address(f"nobody {number % 200}"))[0]
                peer = number.to_bytes(4, "big") * 8
                packet = mallory.announce(address_of(forged, 4001), peer)
                w.places.spread("mallory", packet, forged)  # type: ignore[arg-type]
                if number % 50 == 0:
                    await trio.sleep(0.05)
            w.places.move("bo", "cafe")
            await w.until(lambda: sees(ana, "Bo"), patience_s=60)
            assert ana.node is not None
            session = ana.node.core.services["nearby"].visibility.session
            assert len(session.sightings.everybody()) <= sightings.SIGHTINGS_MAX

    world.run(story, 604)


@pytest.mark.parametrize("source", ["8.8.8.8", "224.0.0.1", "10.0.0.99"])
def test_a_packet_makes_nobody_dial_elsewhere_than_where_it_came_from(source: str) -> None:
    """8.8.8.8: a source of another network, which anybody can write. The last: addresses that are not the source's."""

    async def story(w: World) -> None:
        (ana,) = await cafe(w, "ana")
        await visible(ana)
        w.places.move("mallory", "cafe")
        async with stranger(w) as mallory:
            await mallory.serve_card()
            packet = mallory.announce(address_of(IPv4Address(source), parts_of(mallory.host.addresses()[0])[1]))
            w.places.spread("mallory", packet, None if source == "10.0.0.99" else IPv4Address(source))
            await trio.sleep(1)
        assert ana.node is not None
        assert ana.node.core.services["nearby"].visibility.session.sightings.everybody() == ()

    world.run(story, 605)


def test_two_who_hear_and_cannot_dial_each_other_do_not_shout() -> None:
    """Guest networks often let packets to everybody through and keep devices apart."""

    async def story(w: World) -> None:
        ana, bo = await cafe(w, "ana", "bo")
        w.network.cut("ana", "bo")
        w.places.tap = []
        for person in (ana, bo):
            await visible(person)
        await trio.sleep(600)
        for name in ("ana", "bo"):
            count = len([one for one in w.places.tap if one.name == name and opened(w, one.packet)])
            assert 3 + 8 <= count <= 3 + 13 + 2, "the burst, one a minute, an answer"
        assert await seen_by(ana) == {}

    world.run(story, 612)


def test_garbage_on_the_throw_away_host_harms_nobody() -> None:
    async def story(w: World) -> None:
        ana, bo = await all_visible(w, "ana", "bo")
        async with stranger(w) as mallory:
            good = [record.encode(one) for one in (nearby.CardWanted(), nearby.Asking(b"t" * 16))]
            good.append(record.encode(nearby.Greeting(bytes(1096))))
            answered = 0
            for raw in hostile.inputs("nearby", good, 300):
                try:
                    answered += await mallory.say(ana, raw[:2000]) is not None
                except (PeerFault, Unavailable):
                    continue
            assert answered < 150
        assert await greeted(ana) == []
        await greet(bo, "Ana")
        assert len(await greeted(ana)) == 1

    world.run(story, 606)


def test_nobody_learns_a_decision_without_the_ticket_and_the_box() -> None:
    async def story(w: World) -> None:
        ana, _ = await all_visible(w, "ana", "bo")
        ticket = b"a ticket of 16 b"
        async with stranger(w) as mallory, stranger(w, number=2) as eve:
            await mallory.greet(ana, ticket=ticket)
            assert await mallory.decision(ana, ticket) is None
            await accept_the_only(ana)
            eve.box = type(eve.box)(b"another box".ljust(32, b"."))
            with pytest.raises(PeerFault):
                await eve.decision(ana, ticket)
            with pytest.raises(Unavailable):
                await eve.decision(ana, b"no ticket at all")
            link = await mallory.decision(ana, ticket)
            assert link is not None
            assert not invite.link_from(link).long_term

    world.run(story, 607)


def test_who_is_blocked_and_knows_the_card_is_told_that_his_greeting_waits_and_is_not_heard() -> None:
    async def story(w: World) -> None:
        ana, _ = await all_visible(w, "ana", "bo")
        async with stranger(w) as mallory:
            assert await mallory.greet(ana) is Verdict.TAKEN
            await ana.call("nearby.block", id=(await greeted(ana))[0]["id"])
            assert await mallory.greet(ana, "listen!") is Verdict.TAKEN
            assert await mallory.decision(ana, (1).to_bytes(4, "big") + mallory.host.peer[:12]) is None
        assert await greeted(ana) == []

    world.run(story, 611)


def test_an_answer_that_is_no_invitation_for_one_makes_no_contact() -> None:
    async def story(w: World) -> None:
        (ana,) = await cafe(w, "ana")
        await visible(ana)
        dora = await w.person("dora")
        long_term = (await dora.call("contacts.invite", kind="long-term", expires_s=86_400))["link"]
        own = (await ana.call("contacts.invite"))["link"]
        reasons = []
        for number, link in enumerate((long_term, "weft:i/AAAA", own), 1):
            async with stranger(w, number=number) as mallory:
                await answers_with(w, mallory, link)
                await w.until(lambda: sees(ana, "Mallory"), patience_s=5)
                await ana.call("nearby.greet", id=(await seen_by(ana))["Mallory"]["id"], text="hello")
                await trio.sleep(20)
                row = (await ana.call("nearby.greetings"))[-1]
                assert row["state"] == "failed"
                reasons.append(row["reason"])
        assert [reason.split(":")[0].split(".")[0] for reason in reasons] == [
            "the answer is not an invitation for you alone",
            "the answer is no invitation",
            "That is your own invitation",
        ]
        assert await ana.call("contacts.list") == []

    world.run(story, 608)


async def answers_with(w: World, mallory: Stranger, link: str) -> None:
    """A stranger who is seen in the café, takes every greeting, and answers it with this link."""
    taken: list[nearby.Words] = []

    async def accept(_: str, stream: Any) -> None:
        raw = await frames.FrameReader(stream, nearby.FRAME_BYTES_MAX).read()
        assert raw is not None
        match nearby.question_of(raw):
            case nearby.CardWanted():
                answer: object = nearby.Card("Mallory", mallory.box.public)
            case nearby.Greeting() as greeting:
                taken.append(nearby.open_words(greeting, mallory.box, stream.peer + mallory.host.peer))
                answer = nearby.Heard(Verdict.TAKEN)
            case nearby.Asking(ticket):
                said = nearby.Decision(link)
                answer = nearby.seal_decision(said, taken[0].box, ticket, DhKey(b"e" * 32), bytes(24))
        await frames.write(stream, record.encode(answer))

    mallory.host.serve((nearby.PROTOCOL,), accept)
    await mallory.host.listen((Address("/ip4/0.0.0.0/tcp/0"),))
    w.places.move("mallory", "cafe")
    w.places.spread("mallory", mallory.announce())


def test_case_51_three_quarters_of_an_hour_have_nothing_in_common_for_who_listens() -> None:
    """Off: nothing. On: the throw-away key of a half hour, which is another in the next."""

    async def story(w: World) -> None:
        (ana,) = await cafe(w, "ana")
        await trio.sleep(2 * nearby.SLOT_S - w.now_ms() / 1000 % nearby.SLOT_S + 1)  # a half hour begins
        w.places.tap = []
        await trio.sleep(3 * beacon.QUARTER_S)
        off = quarters(w)
        assert len(off) == 3
        assert {len(packet) for packets in off for packet in packets} == {beacon.PACKET_BYTES}
        assert shared(off, 4) == set()
        await trio.sleep(beacon.QUARTER_S)
        await visible(ana, for_s=2 * 3600)
        w.places.tap = []
        await trio.sleep(4 * beacon.QUARTER_S - 5)
        on = quarters(w)
        assert len(on) == 4
        assert {len(packet) for packets in on for packet in packets} == {beacon.PACKET_BYTES}
        assert shared(on, 4) == set()
        assert len({packet[17:41] for packets in on for packet in packets}) == sum(map(len, on)), "a nonce came twice"
        keys = [{said.peer for packet in packets if (said := opened(w, packet))} for packets in on]
        assert keys[0] == keys[1]
        assert keys[2] == keys[3]
        assert len(keys[0] | keys[2]) == 2, "another key in the other half hour"
        inside = [b"".join(map(plain, packets)) for packets in on]
        assert all(inside)
        assert ana.node is not None
        me = ana.node.core.identity
        for secret in (ana.node.core.network.peer, me.account, me.certificate.device, me.presence, b"Ana"):
            assert not [one for one in inside if secret in one]

    world.run(story, 609)


def quarters(w: World) -> list[list[bytes]]:
    """What was sent since the tap was set, by the quarter of an hour."""
    assert w.places.tap is not None
    by_quarter: dict[int, list[bytes]] = {}
    for one in w.places.tap:
        by_quarter.setdefault(int(world.EPOCH_MS / 1000 + one.at) // beacon.QUARTER_S, []).append(one.packet)
    return list(by_quarter.values())


def shared(by_quarter: list[list[bytes]], size: int) -> set[bytes]:
    """Runs of bytes that packets of two quarters of an hour have in common, behind the version."""
    runs = [
        {packet[at : at + size] for packet in packets for at in range(1, len(packet) - size + 1)}
        for packets in by_quarter
    ]
    return {run for n, one in enumerate(runs) for other in runs[n + 1 :] for run in one & other}


def opened(w: World, packet: bytes) -> beacon.Announcement | None:
    """What a packet of nearby mode says, to anybody; None for the beacon of contacts."""
    try:
        return beacon.open_sealed(nearby._KEYS, packet)
    except PeerFault:
        return None


def plain(packet: bytes) -> bytes:
    """All that a packet of nearby mode says, as bytes."""
    try:
        said = beacon.open_sealed(nearby._KEYS, packet)
    except PeerFault:
        return b""
    return said.peer + said.port.to_bytes(2, "big") + b"".join(one.packed for one in said.addresses)


def test_a_throw_away_host_says_nothing_that_names_the_account_device_or_node() -> None:
    """The cable of this world has no Noise: it shows what strangers are told, and the DHT."""

    async def story(w: World) -> None:
        table = w.table = Table(w.network)
        w.network.tap = []
        w.places.tap = []
        ana, bo = await all_visible(w, "ana", "bo", place=PLACE)
        await greet(bo, "Ana", "hello there")
        await ana.call("nearby.list")
        await accept_the_only(ana)
        bo_is_told = len(record.encode(nearby.Reply(bytes(328)))) + 4

        async def told() -> bool:
            return [row["state"] for row in await bo.call("nearby.greetings")] == ["accepted"]

        await w.until(told, patience_s=30)
        secrets: list[bytes] = []
        peers = []
        for person in (ana, bo):
            assert person.node is not None
            me = person.node.core.identity
            peers.append(person.node.core.network.peer)
            secrets += [me.account, me.certificate.device, me.identity_key.public, me.presence, me.device_key.seed]
        pieces = [piece for _, _, _, piece in w.network.tap]
        assert bo_is_told in map(len, pieces)
        said = b"".join([*pieces, *(one.packet for one in w.places.tap)])
        assert len(said) > 4000
        assert [one for one in (*secrets, *peers) if one in said] == []
        assert b"hello there" not in said
        given = {one.peer for _, one in table.provided}
        assert given.isdisjoint(peers)
        assert len(given) == 2
        assert not re.search(b"weft:i/", said)

    world.run(story, 610)
