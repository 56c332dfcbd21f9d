"""The room of contacts in a simulated world: what every call answers, every fault it names, and cases 34 and 35."""

import trio

from crypto import safety
from features.contacts import adding, asking, view
from lab import world
from lab.world import Person, World, befriend
from protocol import ids, invite
from store import people
from store.database import Tx
from tests.features.kit import Faults, only

LINK_OF_A_NEWER_WEFT = "weft:i/Ag" + "A" * 118
DAY_S = 86_400


async def introduced(w: World, asker: Person, inviter: Person) -> None:
    """A request of the asker stands with the inviter."""
    made = await inviter.call("contacts.invite", kind="long-term", expires_s=30 * DAY_S)
    await asker.call("contacts.add", link=made["link"], name=inviter.name, greeting=f"{asker.name} here")

    async def stands() -> bool:
        return any(one["announced"].lower() == asker.name for one in await inviter.call("contacts.requests"))

    await w.until(stands)


def test_every_fault_that_a_call_names_is_met() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("bobby")
        await befriend(alice, bob)
        await befriend(alice, chen)
        faults = Faults(alice)
        for verb in ("accept", "reject"):
            assert await faults.code(f"contacts.{verb}", id_or_name="nobody") == "contact.unknown"
            assert await faults.code(f"contacts.{verb}", id_or_name="bo") == "contact.ambiguous"
            assert await faults.code(f"contacts.{verb}", id_or_name="bob") == "contact.not_request"
        named = ("show", "block", "unblock", "safety", "verify", "unverify", "trust", "compare")
        for verb in named:
            unknown = await faults.of(f"contacts.{verb}", name="nobody")
            assert (unknown.code, unknown.exit) == ("contact.unknown", 5)
            assert await faults.code(f"contacts.{verb}", name="bo") == "contact.ambiguous"
        assert await faults.code("contacts.rename", name="nobody", new="x") == "contact.unknown"
        assert await faults.code("contacts.rename", name="bo", new="x") == "contact.ambiguous"
        assert await faults.code("contacts.rename", name="bob", new="BOBBY") == "contact.name_taken"
        assert await faults.code("contacts.rename", name="bob", new="two\nlines") == "limit"
        assert await faults.code("contacts.verify", name="bob", how="no") == "usage"
        assert await faults.code("contacts.invite", expires_s=15 * DAY_S) == "limit"
        before = await alice.call("contacts.invitations")
        for far_s in (0, -1, 2**32, 10**15):
            assert await faults.code("contacts.invite", kind="long-term", expires_s=far_s) == "limit"
        assert await alice.call("contacts.invitations") == before
        assert await faults.code("contacts.invite", kind="twice") == "usage"
        assert await faults.code("contacts.revoke", id="ZZZZ") == "invitation.unknown"
        assert await faults.code("contacts.revoke", id="?") == "id.malformed"
        await met_when_adding(w, faults, bob)
        await bob.kill()

        async def away() -> bool:
            return not (await alice.call("contacts.show", name="bob"))["online"]

        await w.until(away)
        offline = await faults.of("contacts.compare", name="bob")
        assert (offline.code, offline.exit) == ("contact.offline", 6)
        await w.person("dora")
        await introduced(w, w.people["dora"], alice)
        assert await faults.code("contacts.accept", id_or_name="dora", name="bob") == "contact.name_taken"
        assert faults.missing("contacts") == set()

    world.run(story, seed=201)


async def met_when_adding(w: World, faults: Faults, bob: Person) -> None:
    """The faults of `add`: nothing is added by any of them."""
    dora = await w.person("eve")
    theirs = (await dora.call("contacts.invite", expires_s=60))["link"]
    before = await faults.person.call("contacts.list")
    assert await faults.code("contacts.add", link="weft:i/AAAA") == "link.bad"
    no_key = ids.account_text(ids.AccountId(bytes(32)))
    for no_account in (no_key, f"{no_key[:-1]}q", "WF1"):
        assert await faults.code("contacts.add", link=no_account) == "account.malformed"
    own_account = ids.account_text(faults.person.node.core.identity.account) if faults.person.node else ""
    assert await faults.code("contacts.add", link=own_account) == "contact.self"
    assert await faults.code("contacts.find", handle="ab") == "handle.malformed"
    assert await faults.code("contacts.find", handle="bob@example.org") == "lookup.unavailable"
    assert await faults.code("contacts.add", link=LINK_OF_A_NEWER_WEFT) == "link.newer"
    assert await faults.code("contacts.add", link=theirs, greeting="x" * 501) == "limit"
    assert await faults.code("contacts.add", link=theirs, name="bob") == "contact.another_account"
    own = (await faults.person.call("contacts.invite"))["link"]
    assert await faults.code("contacts.add", link=own) == "contact.self"
    of_bob = (await bob.call("contacts.invite"))["link"]
    assert await faults.code("contacts.add", link=of_bob) == "contact.exists"
    await trio.sleep(61)
    assert await faults.code("contacts.add", link=theirs) == "link.expired"
    after = await faults.person.call("contacts.list")
    assert [(one["name"], one["account"], one["state"]) for one in before] == [
        (one["name"], one["account"], one["state"]) for one in after
    ]


def test_who_is_not_reached_is_shown_with_the_reason_and_what_happens_next() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        link = (await alice.call("contacts.invite"))["link"]
        account = ids.account_text(alice.node.core.identity.account) if alice.node else ""
        await alice.kill()
        assert (await bob.call("contacts.add", link=link, name="alice"))["reason"] == ""

        async def told(dht: str) -> None:
            """Waits for the reason; each question is a new one, so nothing of the one before is left."""

            async def is_so() -> bool:
                return bool((await only(bob))["reason"])

            await w.until(is_so)
            refused = "its address: the connection was refused"
            assert (await only(bob))["reason"] == f"{refused}, and {dht}; {asking.NEXT}"

        await told("this node is in no DHT, in which its record could be looked up")
        table = w.share_lookup()
        await w.person("chen")
        await bob.kill()
        await bob.start()
        await told("no record of this invitation is in the DHT")
        table.is_down = True
        await trio.sleep(60)
        assert (await bob.call("contacts.add", link=link, name="alice"))["reason"] == ""
        await told("no other node answers")
        assert (await bob.call("contacts.add", link=account, name="alice"))["reason"] == ""
        await trio.sleep(1)
        assert (await only(bob))["reason"] == f"no other node answers; {asking.NEXT}"
        table.is_down = False
        await bob.call("contacts.add", link=link, name="alice")
        await alice.start()
        await w.until(lambda: world.both_active(alice, bob))
        assert (await only(bob))["reason"] == ""

    world.run(story, seed=214)


def test_invitations_are_made_listed_and_revoked() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        once = await alice.call("contacts.invite", expires_s=600)
        long = await alice.call("contacts.invite", kind="long-term", expires_s=30 * DAY_S)
        parsed = invite.link_from(once["link"])
        assert (once["kind"], parsed.long_term, parsed.expiry_s * 1000) == ("once", False, once["expires_ms"])
        assert once["expires_ms"] == (w.now_ms() // 1000 + 600) * 1000
        rows = await alice.call("contacts.invitations")
        assert {row["id"]: (row["kind"], row["spent_by"]) for row in rows} == {
            once["id"]: ("once", ""),
            long["id"]: ("long-term", ""),
        }
        assert await alice.call("contacts.revoke", id=long["id"][-6:].lower()) == {"id": long["id"]}
        await bob.call("contacts.add", link=long["link"], name="alice")
        await trio.sleep(120)
        assert (await only(bob))["state"] == "asked"  # answered like an unknown link
        assert await alice.call("contacts.list") == []
        await bob.call("contacts.add", link=once["link"])
        await w.until(lambda: world.has_active(bob, "alice"))
        (row,) = await alice.call("contacts.invitations")
        assert row["spent_by"] == (await only(alice))["account"]

    world.run(story, seed=202)


def test_a_request_is_accepted_under_a_name_or_rejected() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
        await introduced(w, bob, alice)
        request = await only(alice, "contacts.requests")
        assert (request["announced"], request["greeting"], request["state"]) == ("Bob", "bob here", "request")
        accepted = await alice.call("contacts.accept", id_or_name=request["account"], name="Robert")
        assert (accepted["name"], accepted["state"], accepted["verified"]) == ("Robert", "active", "no")
        await w.until(lambda: world.has_active(bob, "alice"))
        await introduced(w, chen, alice)
        rejected = await alice.call("contacts.reject", id_or_name="chen")
        assert (rejected["state"], rejected["reason"]) == ("refused", "you rejected the request")
        assert await alice.call("contacts.requests") == []
        await trio.sleep(60)
        assert (await only(chen))["state"] == "waiting"  # nothing was sent back

    world.run(story, seed=203)


def test_a_contact_is_shown_renamed_and_found() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        shown = await alice.call("contacts.show", name="b")
        assert (shown["name"], shown["announced"], shown["state"], shown["alarm"]) == ("Bob", "Bob", "active", "")
        assert [len(one["device"]) for one in shown["devices"]] == [16]
        safety = await alice.call("contacts.safety", name="bob")
        assert shown["safety_number"] == safety["digits"]
        assert await bob.call("contacts.safety", name="alice") == safety  # the same 60 digits and the same code
        renamed = await alice.call("contacts.rename", name="bob", new="Robert")
        assert (renamed["name"], renamed["announced"]) == ("Robert", "Bob")
        assert (await only(bob))["name"] == "alice"
        for how in ("digits", "qr", "words"):
            assert (await alice.call("contacts.verify", name="Robert", how=how))["verified"] == how
        assert (await alice.call("contacts.unverify", name="Robert"))["verified"] == "no"

    world.run(story, seed=204)


def test_a_blocked_contact_is_not_met_and_the_others_get_a_new_presence_key() -> None:
    async def story(w: World) -> None:
        alice, bob, chen = await w.person("alice"), await w.person("bob"), await w.person("chen")
        await befriend(alice, bob)
        await befriend(alice, chen)
        blocked = await alice.call("contacts.block", name="bob")
        assert (blocked["state"], blocked["reason"], blocked["online"]) == (
            "blocked",
            "you blocked this contact",
            False,
        )
        assert (await Faults(alice).of("chat.send", to="bob", text="no")).code == "contact.blocked"
        epochs = "SELECT p.epoch FROM presence p JOIN contact c ON c.id = p.contact WHERE c.folded = 'alice'"

        async def epoch(person: Person) -> int:
            assert person.node is not None
            row = await person.node.core.database.transact(lambda tx: tx.one(epochs))
            assert row is not None
            return int(row[0])

        async def renewed() -> bool:
            return await epoch(chen) == 2

        await w.until(renewed)
        assert await epoch(bob) == 1
        assert (await alice.call("contacts.unblock", name="bob"))["state"] == "active"
        assert (await alice.call("contacts.unblock", name="chen"))["state"] == "active"  # no block, no change

    world.run(story, seed=205)


def test_who_was_blocked_before_anything_was_agreed_is_refused_afterwards() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        made = await bob.call("contacts.invite")
        await bob.kill()
        await alice.call("contacts.add", link=made["link"], name="bob")
        await alice.call("contacts.block", name="bob")
        await bob.start()
        await trio.sleep(120)
        assert (await alice.call("contacts.unblock", name="bob"))["state"] == "refused"
        assert await bob.call("contacts.list") == []

    world.run(story, seed=206)


def test_a_link_is_followed_across_restarts_and_ends_with_a_reason() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        made = await alice.call("contacts.invite", expires_s=3600)
        await alice.kill()
        asked = await bob.call("contacts.add", link=made["link"], name="alice")
        assert (asked["state"], asked["name"]) == ("asked", "alice")
        await bob.kill()
        await bob.start()
        assert (await bob.call("contacts.add", link=made["link"], name="Alice B"))["name"] == "Alice B"
        await trio.sleep(3700)

        async def refused() -> bool:
            row = await only(bob)
            return row["state"] == "refused" and "expired" in row["reason"]

        await w.until(refused, patience_s=2000)
        await alice.start()
        again = await alice.call("contacts.invite")
        await bob.call("contacts.add", link=again["link"])
        await w.until(lambda: world.has_active(bob, "Alice B"))

    world.run(story, seed=207)


def test_case_34_a_known_name_with_another_account_stops_sending_until_it_is_decided() -> None:
    async def story(w: World) -> None:
        alice, bob, mallory = await w.person("alice"), await w.person("bob"), await w.person("mallory")
        await befriend(alice, bob)
        await alice.call("contacts.verify", name="bob", how="qr")
        faults = Faults(alice)
        link = (await mallory.call("contacts.invite"))["link"]
        refused = await faults.of("contacts.add", link=link, name="BOB")
        assert (refused.code, refused.exit) == ("contact.another_account", 7)
        assert (await only(alice))["verified"] == "qr"
        added = await alice.call("contacts.add", link=link, name="Bob", replace=True)
        assert (added["name"], added["verified"], added["alarm"]) == ("Bob", "no", "account_changed")
        await w.until(lambda: world.has_active(mallory, "alice"))
        for decision in ("verify", "trust"):
            stopped = await faults.of("chat.send", to="Bob", text="the code is 1234")
            assert (stopped.code, stopped.exit) == ("contact.account_changed", 7)
            await faults.of("chat.send_all", to="Bob", texts=["one", "two"])
            assert (await alice.call("contacts.unverify", name="Bob"))["alarm"] == "account_changed"
            decided = await alice.call(f"contacts.{decision}", name="Bob")
            assert (decided["alarm"], decided["verified"]) == ("", "digits" if decision == "verify" else "no")
            await alice.call("chat.send", to="Bob", text=decision)
            await raise_again(alice, "Bob")
            await alice.call("contacts.unverify", name="Bob")

        async def both_came() -> bool:
            return await world.texts(mallory, "alice") == ["verify", "trust"]

        await w.until(both_came)
        old = await alice.call("contacts.show", name="Bob (old)")
        assert (old["state"], old["verified"], old["alarm"]) == ("active", "qr", "")
        assert await world.texts(bob, "alice") == []

    world.run(story, seed=208)


async def raise_again(person: Person, name: str) -> None:
    """The alarm of case 34, and what the other side could do to replace it by a weaker one."""

    def raised(tx: Tx) -> None:
        contact = people.find_contact(tx, name)
        people.set_alarm(tx, contact.id, "account_changed")
        for weaker in ("device_lists", "recovered", "link_twice"):
            people.set_alarm(tx, contact.id, weaker)
        people.tell_restart(tx, contact.id)

    assert person.node is not None
    await person.node.core.database.transact(raised)


def test_case_35_another_account_or_device_list_gives_another_number_and_code() -> None:
    async def story(w: World) -> None:
        alice, bob, mallory = await w.person("alice"), await w.person("bob"), await w.person("mallory")
        await befriend(alice, mallory)  # who says he is Bob
        await befriend(mallory, bob)  # and to Bob that he is Alice
        seen_by_alice = await alice.call("contacts.safety", name="mallory")
        seen_by_bob = await bob.call("contacts.safety", name="mallory")
        assert seen_by_alice["digits"] != seen_by_bob["digits"]
        assert seen_by_alice["qr"] != seen_by_bob["qr"]
        assert alice.node is not None
        assert mallory.node is not None
        me, them = alice.node.core.identity, mallory.node.core.identity
        shown = await alice.call("contacts.show", name="mallory")
        assert shown["account"] == ids.account_text(them.account)
        assert ids.account_text(ids.AccountId(them.certificate.device)) != shown["account"]
        # An account id in a device id's place makes another number: neither string stands for the other.
        assert seen_by_alice["digits"] == safety.safety_number(me.account, them.account)
        assert seen_by_alice["digits"] != safety.safety_number(me.account, them.certificate.device)

    world.run(story, seed=209)


def test_words_are_compared_live_whoever_begins_and_used_once() -> None:
    async def story(w: World) -> None:
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        rounds: list[list[str]] = []
        for first, second, gap_s in (("alice", "bob", 0.0), ("bob", "alice", 5.0), ("alice", "bob", 60.0)):
            found: dict[str, list[str]] = {}

            async def compare(mine: str, theirs: str, found: dict[str, list[str]] = found) -> None:
                found[mine] = (await w.people[mine].call("contacts.compare", name=theirs))["words"]

            async with trio.open_nursery() as nursery:
                nursery.start_soon(compare, first, second)
                await trio.sleep(gap_s)
                nursery.start_soon(compare, second, first)
            assert found["alice"] == found["bob"]
            rounds.append(found["alice"])
            for one, other in ((alice, "bob"), (bob, "alice")):
                await one.call("contacts.verify", name=other, how="words")
                assert one.node is not None
                assert await one.node.core.database.transact(view.comparing, 1) is None
        assert len({tuple(words) for words in rounds}) == 3

    world.run(story, seed=210)


def test_a_link_is_followed_without_the_white_space_around_it() -> None:
    link = invite.link_text(invite.Link(False, 9, ids.AccountId(b"a" * 32), b"s" * 16, b"p" * 32, ()))
    assert adding.wanted(f"{' ' * 5000}{link}\n", 0).followed == link  # what is followed goes into a backup
