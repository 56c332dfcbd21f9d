"""Contacts, their lists and devices: names, and the cases 32, 33, 34 and 39 of docs/threats.md."""

from pathlib import Path

import pytest

from protocol import identity as documents
from protocol import ids
from protocol.faults import UserFault
from store import devices, identity, outbox, people, presence, settings
from store.database import Tx, Worker, open_database
from store.faults import AccountChanged, AmbiguousContact, BadName, Blocked, NameTaken, UnknownContact
from store.people import ContactState, Refusal, Verified
from tests.store import kit
from tests.store.kit import Side

DAY_S = 86_400


def account(n: int) -> ids.AccountId:
    return ids.AccountId(bytes([n]) * 32)


async def test_names_are_unique_in_any_case_and_found_by_beginnings(tmp_path: Path) -> None:
    def look(tx: Tx) -> None:
        def add(n: int, name: str) -> people.Contact:
            return people.add_contact(tx, account(n), name, ContactState.ACTIVE, "", 5)

        assert [add(1, "Bo").name, add(2, "bo").name, add(3, "Bo").name] == ["Bo", "bo 2", "Bo 3"]
        assert people.find_contact(tx, "BO").account == account(1)
        assert people.find_contact(tx, " bo 2 ").account == account(2)
        with pytest.raises(AmbiguousContact) as ambiguous:
            people.find_contact(tx, "b")
        assert ambiguous.value.exit == 5
        with pytest.raises(UnknownContact, match="Zoe"):
            people.find_contact(tx, "Zoe")
        with pytest.raises(UnknownContact):
            people.find_contact(tx, "")
        assert people.find_contact(tx, ids.account_text(account(3))).account == account(3)
        nameless = add(4, "")
        assert nameless.name == ids.account_text(account(4))[:12]
        people.rename(tx, nameless.id, "Straße")
        assert people.find_contact(tx, "STRASSE").id == nameless.id
        people.rename(tx, nameless.id, "strasse")
        with pytest.raises(NameTaken):
            people.rename(tx, nameless.id, "BO")
        for bad in ("", "  ", "two\nlines", "x" * 65, "\ud800"):
            with pytest.raises(BadName):
                people.rename(tx, nameless.id, bad)
        assert len(people.free_name(tx, "é" * 32).encode()) == 64
        assert [one.account for one in people.contacts(tx)] == [account(n) for n in (1, 2, 3, 4)]
        assert people.count_requests(tx) == 0

    async with open_database(tmp_path / "x.db", kit.KEY, kit.MIGRATIONS, Worker.INLINE) as db:
        await db.transact(look)


async def test_identity_survives_and_shows_no_secret(tmp_path: Path) -> None:
    clock = kit.Clock()
    async with kit.open_side(tmp_path / "a.db", "Ana", clock) as ana:
        made = ana.mine
        await ana.run(identity.rotate_transport, bytes(32), clock.ms + 5)
        assert await ana.run(presence.renew, b"p" * 32) == (2, b"p" * 32)
        await ana.run(identity.set_own_name, made, "Ana Two", clock.ms)
        with pytest.raises(UserFault):
            await ana.run(identity.set_own_name, made, "x" * 65, clock.ms)
    async with kit.open_side(tmp_path / "a.db", "Ana", clock) as ana:
        kept = ana.mine
        assert (kept.account, kept.device, kept.certificate, kept.lists) == (
            made.account,
            made.device,
            made.certificate,
            made.lists,
        )
        assert (kept.name, kept.transport_seed, kept.presence_epoch) == ("Ana Two", bytes(32), 2)
        assert identity.transport_is_old(kept, clock.ms + 8 * DAY_S * 1000)
        assert not identity.transport_is_old(kept, clock.ms + DAY_S * 1000)
        for secret in (kept.recovery, kept.device_key.seed, kept.presence):
            assert secret.hex() not in repr(kept)
        with pytest.raises(TypeError):
            kept.__reduce__()


async def test_settings_are_kept(tmp_path: Path) -> None:
    async with open_database(tmp_path / "x.db", kit.KEY, kit.MIGRATIONS, Worker.INLINE) as db:
        await db.transact(settings.put, "a", "1")
        await db.transact(settings.put, "a", "2")
        assert await db.transact(settings.get, "a") == "2"
        assert await db.transact(settings.all_set) == {"a": "2"}
        await db.transact(settings.drop, "a")
        assert await db.transact(settings.get, "a") is None


class Account:
    """Ana's account, as its owner changes it: lists that follow one another, and false ones."""

    def __init__(self, ana: Side) -> None:
        self.key = ana.mine.account_key()
        self.now_s = ana.clock.ms // 1000
        self.first = ana.mine.lists[0]
        self.certificate = ana.mine.certificate
        other = kit.entropy_of("second device")
        self.device = ids.DeviceId(other(32))
        self.second = documents.certify(self.key, self.device, other(32), 2, self.now_s - 10, self.now_s + DAY_S * 365)

    def next(self, before: documents.DeviceList, *certificates: documents.Certificate) -> documents.DeviceList:
        return documents.next_list(self.key, before, certificates, (), self.now_s)


async def test_case_32_a_rolled_back_forked_or_broken_list_raises_the_alarm(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        owner = Account(ana)
        second = owner.next(owner.first, owner.certificate, owner.second)
        third = owner.next(second, owner.certificate)
        assert await bo.run(people.pin_lists, bo.contact, (second,)) is documents.Standing.NEWER
        forked = documents.next_list(owner.key, owner.first, (owner.certificate,), (), owner.now_s + 1)
        fourth = owner.next(third, owner.certificate)
        for lists, fault in (
            ((owner.first,), documents.ListRolledBack),
            ((forked,), documents.ListForked),
            ((fourth,), documents.ListBroken),
        ):
            await bo.run(people.set_alarm, bo.contact, "")
            refused = await bo.run(people.meet, bo.contact, owner.certificate, lists, bo.clock.ms)
            assert isinstance(refused, Refusal)
            assert isinstance(refused.reason, fault)
            contact = await bo.run(people.contact, bo.contact)
            assert contact.alarm == "device_lists"  # committed: it is returned, not raised
            assert await bo.run(people.newest_list, bo.contact) == second
        assert await bo.run(people.pin_lists, bo.contact, (third, fourth)) is documents.Standing.NEWER
        recovered = documents.recovered_list(owner.key, None, (owner.certificate,), owner.now_s + 50)
        assert await bo.run(people.pin_lists, bo.contact, (recovered,)) is documents.Standing.RECOVERED
        assert (await bo.run(people.contact, bo.contact)).alarm == "recovered"


async def test_case_33_a_device_that_the_account_did_not_sign_gets_nothing(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        owner = Account(ana)
        stranger = kit.entropy_of("stranger")
        forged = documents.Certificate(
            owner.certificate.account, owner.device, stranger(32), 2, owner.now_s - 5, owner.now_s + DAY_S, stranger(64)
        )
        for certificate in (forged, owner.second):  # not signed; signed but in no list
            refused = await bo.run(people.meet, bo.contact, certificate, ana.mine.lists, bo.clock.ms)
            assert isinstance(refused, Refusal)
        assert await bo.run(devices.device_by_key, owner.device) is None
        await bo.post("for one device")
        assert await bo.run(lambda tx: tx.all("SELECT DISTINCT device FROM delivery")) == [(bo.device,)]


async def test_case_39_a_revoked_device_is_refused_and_gets_nothing_more(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        owner = Account(ana)
        await bo.run(people.set_verified, bo.contact, Verified.DIGITS, bo.clock.ms)
        two = owner.next(owner.first, owner.certificate, owner.second)
        met = await bo.run(people.meet, bo.contact, owner.second, (two,), bo.clock.ms)
        assert isinstance(met, devices.Device)
        known = await bo.run(people.contact, bo.contact)
        assert (known.verified, known.alarm) == (Verified.DIGITS, "new_device")  # the mark is about the account
        await bo.post("for both")
        rows = await bo.run(lambda tx: tx.all("SELECT device FROM delivery ORDER BY device"))
        assert rows == [(bo.device,), (met.id,)]
        await ana.post("last words")
        outgoing = await ana.seal()
        revoked = documents.Revocation(documents.certificate_hash(owner.certificate), owner.now_s, 1)
        three = documents.next_list(owner.key, two, (owner.second,), (revoked,), owner.now_s)
        assert isinstance(await bo.run(people.meet, bo.contact, owner.second, (three,), bo.clock.ms), devices.Device)
        assert await bo.seal() == ()
        accepted = await bo.accept(*(one.envelope for one in outgoing))
        assert accepted.held == (0,)
        assert "last words" not in await bo.notes()
        refused = await bo.run(people.meet, bo.contact, owner.certificate, (three,), bo.clock.ms)
        assert isinstance(refused, Refusal)
        assert isinstance(refused.reason, documents.Revoked)


async def test_case_34_an_account_change_blocks_sending_until_it_is_decided(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await ana.run(people.set_alarm, ana.contact, "account_changed")
        with pytest.raises(AccountChanged, match="another account") as refused:
            await ana.post("secret")
        assert refused.value.exit == 7
        assert refused.value.next == "weft contacts verify Bo"
        assert await ana.run(lambda tx: tx.all("SELECT * FROM message")) == []
        await ana.run(people.set_alarm, ana.contact, "")
        await ana.post("fine")
        await kit.carry(ana, bo)
        assert await bo.notes() == ["fine"]


async def test_closed_contacts_get_nothing_and_give_nothing(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, bo):
        await kit.converse(ana, bo)
        await ana.post("waits")
        await bo.post("comes")
        outgoing = await bo.seal()
        for state in (ContactState.BLOCKED, ContactState.REFUSED, ContactState.REQUEST):
            await ana.run(people.set_state, ana.contact, state, "because")
            with pytest.raises(Blocked):
                await ana.post("no")
            assert await ana.seal() == ()
            assert (await ana.accept(*(one.envelope for one in outgoing))).held == (0,)
            assert await ana.run(lambda tx: tx.all("SELECT * FROM quarantine")) == []
        await ana.run(people.set_state, ana.contact, ContactState.ACTIVE, "")
        assert (await ana.accept(*(one.envelope for one in outgoing))).held == ()
        assert await ana.run(outbox.waiting, ana.device) == 1
        assert len(await ana.seal()) == 1


async def test_the_first_device_takes_over_what_was_posted_before(tmp_path: Path) -> None:
    clock = kit.Clock()
    async with kit.open_side(tmp_path / "a", "Ana", clock) as ana, kit.open_side(tmp_path / "b", "Bo", clock) as bo:
        contact = await ana.run(people.add_contact, bo.mine.account, "Bo", ContactState.ASKED, "", clock.ms)
        ana.contact = contact.id
        await ana.post("early")
        device = await ana.run(devices.add_device, contact.id, bo.mine.certificate)
        again = await ana.run(devices.add_device, contact.id, bo.mine.certificate)
        assert device == again
        ana.device = device.id
        await kit.know(bo, ana)
        await bo.give_bundle(ana)
        await kit.carry(ana, bo)
        assert await bo.notes() == ["early"]
        other = await ana.run(people.add_contact, account(7), "", ContactState.ACTIVE, "", clock.ms)
        with pytest.raises(documents.NotListed):
            await ana.run(devices.add_device, other.id, bo.mine.certificate)


async def test_routes_and_hellos_are_kept(tmp_path: Path) -> None:
    async with kit.open_pair(tmp_path) as (ana, _):
        await ana.run(devices.set_route, ana.device, b"p" * 32, ("/ip4/127.0.0.1/tcp/1",))
        await ana.run(devices.heard_hello, ana.device, ("/ip4/127.0.0.1/tcp/2",), b"n" * 32, 7, ana.clock.ms)
        await ana.run(devices.heard_hello, ana.device, ("/ip4/127.0.0.1/tcp/2",), b"n" * 32, 3, ana.clock.ms)
        known = await ana.run(devices.device, ana.device)
        assert (known.peer, known.next_peer, known.counter) == (b"p" * 32, b"n" * 32, 7)
        assert known.addresses == ("/ip4/127.0.0.1/tcp/2",)
        assert await ana.run(devices.announced_peers, ana.device) == (b"p" * 32, b"n" * 32)
        assert (await ana.run(people.contact, ana.contact)).seen_ms == ana.clock.ms
        await ana.run(presence.keep, ana.contact, 2, b"b" * 32)
        await ana.run(presence.keep, ana.contact, 1, b"a" * 32)
        assert await ana.run(presence.of, ana.contact) == (2, b"b" * 32)
