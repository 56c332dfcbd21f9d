"""Strangers find one another by what lies in a DHT: an account id, a link whose maker has moved or is away, a handle.

The worlds' table stands for the DHT (lab/lookup.py): what is shown here is what nodes put there, ask for and believe.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import trio

from features.contacts import asking, publishing
from features.contacts.faults import UnknownInvitation
from lab import world
from lab.lookup import Table
from lab.world import Person, World, befriend, texts
from node.network import address_of, parts_of
from protocol import account_record, handle_record, ids, invitation_record, invite, record, rendezvous
from protocol.ids import AccountId
from protocol.rendezvous import Record
from store import findable, settings
from tests.features.kit import only

DAY_S = 86_400
HANDLE = "ana@example.org"


def node_of(person: Person) -> Any:
    assert person.node is not None
    return person.node.core


def account_text(person: Person) -> str:
    return ids.account_text(node_of(person).identity.account)


def key_of(account: AccountId, w: World, later_days: int = 0) -> bytes:
    """Where the record of an account lies today."""
    return rendezvous.dht_key(account_record.name_of(account, rendezvous.epoch_of(w.now_ms() // 1000) + later_days))


async def set_to(person: Person, name: str, value: str) -> None:
    await node_of(person).database.transact(settings.put, name, value)


async def published(w: World, table: Table, person: Person) -> None:
    """Waits until the record of an account lies there."""
    account = node_of(person).identity.account

    async def lies() -> bool:
        return table.kept(key_of(account, w)) is not None

    await w.until(lies)


async def put_again(w: World, table: Table, person: Person) -> set[bytes]:
    """Everything that a person has to say lies there anew: under which keys."""
    await person.stop()
    count = len(table.put_by)
    await person.start()
    await trio.sleep(2 * publishing.LOOK_S)
    return {key for _, who, key in table.put_by[count:] if who == person.name}


async def requested(w: World, inviter: Person, greeting: str) -> dict[str, Any]:
    """Waits for the request that says this."""

    async def stands() -> bool:
        return any(one["greeting"] == greeting for one in await inviter.call("contacts.requests"))

    await w.until(stands)
    return await only(inviter, "contacts.requests")


async def in_state(w: World, person: Person, state: str, reason: str = "") -> None:
    """Waits until the one contact of a person is in this state for this reason."""

    async def is_so() -> bool:
        row = await only(person)
        return row["state"] == state and reason in row["reason"]

    await w.until(is_so, patience_s=2000)


def test_who_has_the_account_id_makes_a_request_that_waits_for_approval() -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        alice, bob = await w.person("alice"), await w.person("bob")
        await published(w, table, alice)
        await bob.call("contacts.add", link=account_text(alice), name="alice", greeting="we met on the train")
        request = await requested(w, alice, "we met on the train")
        await in_state(w, bob, "waiting")
        assert request["account"] == account_text(bob)
        assert await alice.call("contacts.invitations") == []  # what the record names is of no person's making
        reserved = await node_of(alice).database.transact(findable.reserved)
        with pytest.raises(UnknownInvitation):
            await alice.call("contacts.revoke", id=ids.ulid(reserved))
        await alice.call("contacts.accept", id_or_name=request["name"], name="bob")
        await w.until(lambda: world.both_active(alice, bob))
        await bob.call("chat.send", to="alice", text="found you")

        async def arrived() -> bool:
            return await texts(alice, "bob") == ["found you"]

        await w.until(arrived)

    world.run(story, seed=901)


def test_it_goes_on_until_the_account_is_there_and_says_why_it_waits() -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        alice, bob, _ = await w.person("alice"), await w.person("bob"), await w.person("chen")
        account = account_text(alice)
        await alice.stop()
        table.plant(key_of(ids.account_from(account), w), b"")
        await bob.call("contacts.add", link=account.upper(), name="alice", greeting="hello")
        await in_state(w, bob, "asked", "no record of this account was found in the DHT")
        await bob.stop()
        await bob.start()
        await trio.sleep(1800)
        alice.port += 1
        await alice.start()
        await requested(w, alice, "hello")
        await in_state(w, bob, "waiting")

    world.run(story, seed=902)


def test_a_node_in_no_dht_says_so_and_all_else_is_as_before() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
        await bob.call("contacts.add", link=account_text(alice), name="alice")
        await in_state(w, bob, "asked", "this node is in no DHT")
        await befriend(alice, chen)

    world.run(story, seed=903)


def test_an_invitation_is_found_where_its_maker_has_moved() -> None:
    async def story(w: World) -> None:
        w.share_lookup()
        alice, bob = await w.person("alice"), await w.person("bob")
        made = await alice.call("contacts.invite")
        await alice.kill()
        alice.port += 1
        await alice.start()
        await bob.call("contacts.add", link=made["link"], name="alice")
        await w.until(lambda: world.both_active(alice, bob))

    world.run(story, seed=904)


def test_an_invitation_whose_maker_is_away_is_known_to_be_genuine_and_goes_on_by_itself() -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        alice, bob, _ = await w.person("alice"), await w.person("bob"), await w.person("chen")
        made = await alice.call("contacts.invite")
        secret = invite.link_from(made["link"]).secret
        keys = invitation_record.keys_of(invite.InviteKeys.of(secret), rendezvous.epoch_of(w.now_ms() // 1000))

        async def lies() -> bool:
            return table.kept(rendezvous.dht_key(keys.name.public)) is not None

        await w.until(lies)
        await alice.kill()
        await bob.call("contacts.add", link=made["link"], name="alice")
        await in_state(w, bob, "asked", f"{asking.AWAY}; {asking.NEXT}")
        alice.port += 1
        await alice.start()
        await w.until(lambda: world.both_active(alice, bob), patience_s=2000)
        assert rendezvous.dht_key(keys.name.public) not in await put_again(w, table, alice)  # it is spent

    world.run(story, seed=905)


def test_who_does_not_want_to_be_found_is_not_and_what_was_found_before_leads_nowhere() -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        alice, bob = await w.person("alice"), await w.person("bob")
        await published(w, table, alice)
        await set_to(alice, "find.account", "no")
        await trio.sleep(2 * publishing.LOOK_S)
        await bob.call("contacts.add", link=account_text(alice), name="alice", greeting="hello")
        await trio.sleep(600)
        await in_state(w, bob, "asked")
        assert await put_again(w, table, alice) == set()
        assert await alice.call("contacts.requests") == []
        await set_to(alice, "find.account", "")
        await requested(w, alice, "hello")

    world.run(story, seed=906)


def test_a_handle_gives_claims_that_nobody_has_verified_at_most_eight() -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        alice, bob, eve = await w.person("alice"), await w.person("bob"), await w.person("eve")
        assert await bob.call("contacts.find", handle=HANDLE) == []
        await set_to(alice, "find.handle", HANDLE)
        await trio.sleep(2 * publishing.LOOK_S)
        mine = {"account": account_text(alice), "claims": "Alice"}
        assert await bob.call("contacts.find", handle=" Ana@EXAMPLE.org") == [mine]
        await bob.call("contacts.add", link=mine["account"], name="alice", greeting="is it you?")
        await requested(w, alice, "is it you?")
        # Whoever knows the handle writes all slots; what he writes counts until the next that is written.
        epoch = rendezvous.epoch_of(w.now_ms() // 1000)
        stretched = handle_record.stretch(HANDLE, handle_record.month_of(epoch), world.CHEAP)
        forged = handle_record.Claim(node_of(eve).identity.account, "Alice")
        for slot in range(handle_record.SLOTS):
            keys = handle_record.keys_of(stretched, slot, epoch)
            signer = rendezvous.appoint(keys.name, epoch, bytes(32))
            table.plant(
                rendezvous.dht_key(keys.name.public),
                handle_record.seal(signer, keys, forged, w.now_ms() // 1000, bytes(24)),
            )
        assert await bob.call("contacts.find", handle=HANDLE) == [{"account": account_text(eve), "claims": "Alice"}]
        for slot in range(handle_record.SLOTS):
            table.plant(rendezvous.dht_key(handle_record.keys_of(stretched, slot, epoch).name.public), b"garbage")
        assert await bob.call("contacts.find", handle=HANDLE) == []

    world.run(story, seed=907)


@pytest.mark.parametrize("kind", ["garbage", "of another account", "for another account", "of yesterday"])
def test_what_a_keeper_makes_up_is_nothing_and_the_genuine_record_is_found_later(kind: str) -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        alice, bob, eve = await w.person("alice"), await w.person("bob"), await w.person("eve")
        await published(w, table, alice)
        await published(w, table, eve)
        mine, theirs = (node_of(one).identity.account for one in (alice, eve))
        epoch = rendezvous.epoch_of(w.now_ms() // 1000)
        signer = account_record.certify(node_of(eve).identity.account_key(), epoch, bytes(32))
        link = invite.Link(True, w.now_ms() // 1000 + DAY_S, theirs, bytes(16), bytes(32), ())
        said = account_record.Findable(invite.link_bytes(link), bytes(32), ("/ip4/10.0.0.9/tcp/1",))
        forged = account_record.seal(signer, mine, epoch, said, 1, bytes(24))
        before = account_record.certify(node_of(alice).identity.account_key(), epoch - 1, bytes(32))
        planted = {
            "garbage": b"\xff" * 99,
            "of another account": table.kept(key_of(theirs, w)),
            "for another account": forged,
            "of yesterday": account_record.seal(before, mine, epoch - 1, said, w.now_ms() // 1000 - DAY_S, bytes(24)),
        }
        lying = planted[kind]
        assert lying is not None
        table.plant(key_of(mine, w), lying)
        await bob.call("contacts.add", link=account_text(alice), name="alice", greeting="hello")
        await in_state(w, bob, "asked", "no record of this account was found")
        assert await eve.call("contacts.requests") == []
        await put_again(w, table, alice)
        await requested(w, alice, "hello")

    world.run(story, seed=908)


def test_an_older_record_of_the_day_costs_time_and_no_more() -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        alice, bob = await w.person("alice"), await w.person("bob")
        await published(w, table, alice)
        key = key_of(node_of(alice).identity.account, w)
        old = table.kept(key)
        await alice.kill()
        alice.port += 1
        await alice.start()
        await trio.sleep(2 * publishing.LOOK_S)
        newest = table.kept(key)
        assert old is not None
        assert newest is not None
        assert newest != old
        # In one minute, and by a node that remembers nothing of its last life.
        assert record.decode(Record, newest, 4096).sequence > record.decode(Record, old, 4096).sequence
        table.plant(key, old)
        await bob.call("contacts.add", link=account_text(alice), name="alice", greeting="hello")
        await in_state(w, bob, "asked", "found in the DHT, but its node does not answer")
        table.plant(key, newest)
        await requested(w, alice, "hello")

    world.run(story, seed=909)


def runs(records: Sequence[bytes], size: int = 5) -> set[bytes]:
    return {raw[at : at + size] for raw in records for at in range(len(raw) - size + 1)}


@pytest.mark.depth
def test_case_53_three_days_in_the_store_of_a_keeper_tell_nothing_that_stays() -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        alice, bob = await w.person("alice"), await w.person("bob")
        for person in (alice, bob):
            node_of(person).beacon.turn(False)  # three days of beacons take longer than all else
        await set_to(alice, "find.handle", HANDLE)
        await alice.call("contacts.invite", kind="long-term", expires_s=30 * DAY_S)
        first_s = w.now_ms() // 1000
        seen: dict[int, dict[bytes, set[bytes]]] = {}
        while (now_s := w.now_ms() // 1000) < first_s + 3 * DAY_S:
            for _, who, key in table.put_by:
                raw = table.kept(key)
                if who == "alice" and raw is not None and record.decode(Record, raw, 4096).expiry_s > now_s:
                    found = rendezvous.check(key, raw, now_s)
                    parts = (found.name, found.signer, found.certificate, found.sealed, found.signature)
                    seen.setdefault(found.expiry_s, {}).setdefault(key, set()).add(b"".join(parts))
            await trio.sleep(1800)
        days = [seen[ends] for ends in sorted(seen)]
        assert len(days) >= 3
        assert all(len(keys) == 3 for keys in days[:3])  # the account, the invitation, the handle: which is which?
        for one, other in pairwise(days):
            assert one.keys().isdisjoint(other.keys())
            mine = [raw for kept in one.values() for raw in kept]
            theirs = [raw for kept in other.values() for raw in kept]
            assert runs(mine) & runs(theirs) == set()
        first_put: dict[str, int] = {}
        for at, who, _ in table.put_by:
            clock_s = (first_s + int(at)) % DAY_S
            if clock_s >= 22 * 3600:
                first_put.setdefault(who, clock_s)
        assert max(first_put.values()) <= 23 * 3600 + 2 * publishing.LOOK_S
        assert abs(first_put["alice"] - first_put["bob"]) > 2 * publishing.LOOK_S  # not all the world at once
        for key in days[1]:
            assert 2 <= [put for _, _, put in table.put_by].count(key) <= 4  # and again after half a day

    world.run(story, seed=910)


def test_an_invitation_that_is_revoked_or_over_is_not_published_again() -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        alice, bob = await w.person("alice"), await w.person("bob")
        await set_to(alice, "find.account", "no")
        await trio.sleep(2 * publishing.LOOK_S)
        made = await alice.call("contacts.invite", kind="long-term", expires_s=30 * DAY_S)
        short = await alice.call("contacts.invite", expires_s=3600)
        await trio.sleep(30)
        assert len({key for _, _, key in table.put_by}) >= 2
        assert short["id"] != made["id"]
        await alice.call("contacts.revoke", id=made["id"])
        await bob.call("contacts.add", link=made["link"], name="alice")
        await trio.sleep(60)
        assert (await only(bob))["reason"] not in ("", f"{asking.AWAY}; {asking.NEXT}")  # she is there, and refused
        assert len(await put_again(w, table, alice)) == 1
        await trio.sleep(3600)
        assert await put_again(w, table, alice) == set()

    world.run(story, seed=911)


def test_while_the_dht_is_down_nothing_is_lost_and_it_is_put_when_it_is_back() -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        table.is_down = True
        alice, bob = await w.person("alice"), await w.person("bob")
        await bob.call("contacts.add", link=account_text(alice), name="alice", greeting="hello")
        await in_state(w, bob, "asked", "no other node answers")
        assert table.put_by == []
        for _ in range(9):
            await alice.call("contacts.invite")
        count = len(table.asked)
        await trio.sleep(publishing.RETRY_S[-1])
        asked = [who for _, who, _ in table.asked[count:] if who == "alice"]
        rounds = len(publishing.RETRY_S) + 2
        assert len(asked) <= rounds * publishing.FAILURES_MAX  # whoever answers nothing is not asked for each record
        table.is_down = False
        await requested(w, alice, "hello")

    world.run(story, seed=913)


def test_who_starts_before_the_dht_answers_is_there_within_seconds_after() -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        table.is_down = True
        alice, _ = await w.person("alice"), await w.person("bob")
        await trio.sleep(1)
        table.is_down = False
        await trio.sleep(publishing.LOOK_S / 3)
        assert table.kept(key_of(node_of(alice).identity.account, w)) is not None

    world.run(story, seed=912)


def test_who_has_the_link_displaces_the_record_and_leads_nobody_astray() -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        alice, bob, eve = await w.person("alice"), await w.person("bob"), await w.person("eve")
        made = await alice.call("contacts.invite", kind="long-term", expires_s=30 * DAY_S)
        await trio.sleep(30)
        link = invite.link_from(made["link"])
        keys = invitation_record.keys_of(invite.InviteKeys.of(link.secret), rendezvous.epoch_of(w.now_ms() // 1000))
        key = rendezvous.dht_key(keys.name.public)
        genuine = table.kept(key)
        assert genuine is not None
        said = invitation_record.open_sealed(keys, genuine, link.account, w.now_ms() // 1000)
        to_eve = replace(said, addresses=tuple(node_of(eve).network.addresses()), peer=node_of(eve).network.peer)
        signer = rendezvous.appoint(keys.name, keys.epoch, bytes(32))
        table.plant(key, invitation_record.seal(signer, keys, to_eve, w.now_ms() // 1000, bytes(24)))
        await alice.kill()
        await bob.call("contacts.add", link=made["link"], name="alice", greeting="hello")
        await trio.sleep(120)
        # Only the address of the link was dialled: eve was asked nothing, and nobody vouches for the invitation.
        refused = "its address: the connection was refused, and no record of this invitation is in the DHT"
        assert (await only(bob))["reason"] == f"{refused}; {asking.NEXT}"
        await alice.start()
        await requested(w, alice, "hello")

    world.run(story, seed=913)


def test_two_who_ask_each_other_by_their_accounts_are_contacts_without_a_request() -> None:
    async def story(w: World) -> None:
        w.share_lookup()
        alice, bob = await w.person("alice"), await w.person("bob")
        await bob.call("contacts.add", link=account_text(alice), name="alice")
        await alice.call("contacts.add", link=account_text(bob), name="bob")
        await w.until(lambda: world.both_active(alice, bob))

    world.run(story, seed=914)


def test_adding_the_account_of_a_request_accepts_it() -> None:
    async def story(w: World) -> None:
        w.share_lookup()
        alice, bob = await w.person("alice"), await w.person("bob")
        await bob.call("contacts.add", link=account_text(alice), name="alice", greeting="hello")
        await requested(w, alice, "hello")
        await alice.call("contacts.add", link=account_text(bob), name="bob")
        await w.until(lambda: world.both_active(alice, bob))

    world.run(story, seed=915)


def test_who_is_asked_again_is_looked_up_again_and_otherwise_less_and_less() -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        bob, eve = await w.person("bob"), await w.person("eve")
        await set_to(eve, "find.account", "no")
        await trio.sleep(2 * publishing.LOOK_S)
        account = node_of(eve).identity.account
        await bob.call("contacts.add", link=account_text(eve), name="eve")
        await trio.sleep(2 * 3600)
        asked = [at for at, _, key in table.asked if key == key_of(account, w)]
        assert 10 <= len(asked) <= 20
        await bob.call("contacts.add", link=account_text(eve), name="eve")
        await trio.sleep(1)
        assert len([at for at, _, key in table.asked if key == key_of(account, w)]) == len(asked) + 1

    world.run(story, seed=916)


def test_who_goes_to_another_network_is_to_be_found_there_within_seconds() -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        alice, _ = await w.person("alice"), await w.person("bob")
        await published(w, table, alice)
        await trio.sleep(600)
        node_of(alice).network.move(5001)
        w.places.move("alice", "cafe")
        moved_at = trio.current_time()
        await trio.sleep(10)
        key = key_of(node_of(alice).identity.account, w)
        assert [at for at, who, what in table.put_by if (who, what) == ("alice", key) and at >= moved_at]

    world.run(story, seed=918)


def test_a_new_address_is_put_within_a_minute() -> None:
    async def story(w: World) -> None:
        table = w.share_lookup()
        alice, _ = await w.person("alice"), await w.person("bob")
        await published(w, table, alice)
        account = node_of(alice).identity.account
        ip, port = parts_of(w.network.address("alice"))
        await node_of(alice).network.listen((address_of(ip, port + 7),))
        await trio.sleep(1.2 * publishing.LOOK_S + 1)
        now_s = w.now_ms() // 1000
        raw = table.kept(key_of(account, w))
        assert raw is not None
        found = account_record.open_sealed(account, rendezvous.epoch_of(now_s), raw, now_s)
        assert found.addresses == tuple(node_of(alice).network.addresses())
        assert len(found.addresses) == 2

    world.run(story, seed=917)
