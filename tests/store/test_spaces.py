"""Who shares which log: what a grant makes and ends, whom a log is told of, who may know which."""

from dataclasses import replace

import pytest

from crypto.faults import Forged, Malformed
from crypto.keys import SigningKey
from protocol import identity as documents
from protocol import ids, sync
from protocol import log as chains
from protocol.grant import Role
from store import logs, people, spaces
from store.database import Tx
from store.logs import State
from store.people import ContactState
from store.spaces import LOGS_EVER_MAX, LOGS_OF_CONTACT_MAX, OURS, TooManyLogs
from tests.store.space_kit import SECRET, Sharers, open_sharers, stranger, told


def state_of(tx: Tx, log_id: bytes) -> State:
    found = logs.by_id(tx, log_id)
    assert found is not None
    return found.state


def laid(tx: Tx, contact: int, number: int, role: Role = Role.NOTES) -> spaces.Space:
    """A log that somebody's device writes."""
    secret = number.to_bytes(32, "big")
    begun = logs.begin(tx, chains.log_id(secret, bytes(32), 0), bytes(32), secret, own=False)
    spaces.put_back(tx, begun.number, contact, told(role, f"log {number}", secret))
    return spaces.space(tx, begun.number)


async def test_a_grant_is_of_the_device_that_says_it_and_counts_once() -> None:
    async with open_sharers() as two:
        two.hear(spaces.granted, told())
        (one,) = spaces.of(two.theirs, two.bo.contact)
        assert one.log.id == chains.log_id(SECRET, two.ana.mine.device, 0)
        assert (one.log.author, one.log.own, one.log.secret) == (two.ana.mine.device, False, SECRET)
        assert (one.name, one.role, one.epoch, one.previous) == ("trip", Role.NOTES, 0, 0)
        two.hear(spaces.granted, told(Role.SPINE, "another name", previous=bytes(16)))
        assert spaces.of(two.theirs, two.bo.contact) == (one,)


async def test_a_feed_of_a_lost_device_is_of_the_device_whose_certificate_comes_along() -> None:
    async with open_sharers() as two:
        account, lost = two.ana.mine.account_key(), SigningKey(b"l" * 32)
        device = ids.DeviceId(lost.public)
        writer = documents.certify(account, device, bytes(32), 1, 1, 2)  # of long ago
        with pytest.raises(Malformed):
            two.hear(spaces.granted, replace(told(Role.NOTES), writer=writer))
        other = documents.certify(SigningKey(b"o" * 32), device, bytes(32), 1, 1, 2)
        for false in (other, replace(other, account=writer.account), replace(writer, device=ids.DeviceId(bytes(32)))):
            with pytest.raises(Forged):  # so nobody claims what a device of somebody else writes
                two.hear(spaces.granted, replace(told(Role.FEED), writer=false))
        assert spaces.of(two.theirs, two.bo.contact) == ()
        two.hear(spaces.granted, replace(told(Role.FEED), writer=writer))
        (one,) = spaces.of(two.theirs, two.bo.contact)
        assert (one.log.id, one.log.author) == (chains.log_id(SECRET, device, 0), device)


async def test_a_log_of_a_lost_device_is_not_granted_by_itself() -> None:
    async with open_sharers() as two:
        tx = two.mine
        begun = logs.begin(tx, chains.log_id(SECRET, bytes(32), 0), bytes(32), SECRET, own=False)
        spaces.put_back(tx, begun.number, OURS, told(Role.FEED))
        spaces.add_reader(tx, begun.number, two.ana.contact)
        assert spaces.untold(tx) == ()
        assert spaces.unaware(tx, begun.number) == {two.ana.contact}
        spaces.told(tx, begun.number, two.ana.contact)
        assert spaces.unaware(tx, begun.number) == frozenset()


async def test_256_logs_of_one_contact_that_go_on_are_taken_and_no_more() -> None:
    async with open_sharers() as two:
        tx, chen = two.theirs, stranger(two.theirs, "Chen")
        for number in range(10):
            laid(tx, chen.id, number)
        for number in range(100, 110):
            logs.end(tx, laid(tx, two.bo.contact, number).log.number)
        for number in range(200, 200 + LOGS_OF_CONTACT_MAX - 1):
            laid(tx, two.bo.contact, number)
        two.hear(spaces.granted, told())
        for secret in (SECRET, bytes(32)):
            with pytest.raises(TooManyLogs):
                two.hear(spaces.granted, told(secret=secret))
        assert len(spaces.of(tx, two.bo.contact)) == LOGS_OF_CONTACT_MAX + 10
        assert logs.by_id(tx, chains.log_id(bytes(32), two.ana.mine.device, 0)) is None

        newest = spaces.of(tx, two.bo.contact)[-1]
        for secret in (b"1" * 32, b"2" * 32, b"3" * 32):  # one that takes the place of another
            two.hear(spaces.granted, told(secret=secret, previous=newest.log.id))
            newest = spaces.of(tx, two.bo.contact)[-1]
            assert newest.log.secret == secret
        over = spaces.space(tx, newest.previous)
        for previous in (over.log.id, chains.log_id((3).to_bytes(32, "big"), bytes(32), 0), bytes(16)):
            with pytest.raises(TooManyLogs):  # what is over already, or is somebody else's, makes no room
                two.hear(spaces.granted, told(secret=bytes(32), previous=previous))


async def test_however_many_are_over_one_contact_grants_4096_in_all() -> None:
    async with open_sharers() as two:
        tx = two.theirs
        tx.execute(
            "WITH RECURSIVE n (i) AS (SELECT 1000 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " INSERT INTO log SELECT i, CAST(i AS BLOB), x'00', 0, x'00', ?, -1 FROM n",
            (998 + LOGS_EVER_MAX, State.OVER),
        )
        tx.execute("INSERT INTO space SELECT number, ?, 3, 'moments', x'00', 0, 0, 0 FROM log", (two.bo.contact,))
        two.hear(spaces.granted, told(Role.FEED))
        assert len(spaces.of(tx, two.bo.contact)) == LOGS_EVER_MAX
        newest = spaces.of(tx, two.bo.contact)[-1]
        with pytest.raises(TooManyLogs):
            two.hear(spaces.granted, told(Role.FEED, secret=bytes(32), previous=newest.log.id))
        assert state_of(tx, newest.log.id) is State.OK  # nothing was ended


async def test_a_successor_ends_the_log_before_of_the_same_contact() -> None:
    async with open_sharers() as two:
        two.hear(spaces.granted, told())
        (before,) = spaces.of(two.theirs, two.bo.contact)
        two.hear(spaces.granted, told(secret=bytes(32), previous=before.log.id))
        _, after = spaces.of(two.theirs, two.bo.contact)
        assert after.previous == before.log.number
        assert state_of(two.theirs, before.log.id) is State.OVER
        lost = laid(two.theirs, two.bo.contact, 5)  # of another device of hers, which a restored one goes on
        two.hear(spaces.granted, told(secret=b"r" * 32, previous=lost.log.id))
        assert state_of(two.theirs, lost.log.id) is State.OVER


@pytest.mark.parametrize("whose", ["nobody's", "ours", "somebody else's", "the same"])
async def test_a_previous_that_is_not_hers_ends_nothing(whose: str) -> None:
    async with open_sharers() as two:
        tx = two.theirs
        chen = stranger(tx, "Chen")
        ours = spaces.begin(tx, two.bo.mine.device, Role.NOTES, "o", b"o" * 32, 0, bytes(32), (), 0, 1)
        previous = {
            "nobody's": bytes(16),
            "ours": ours.log.id,
            "somebody else's": laid(tx, chen.id, 1).log.id,
            "the same": chains.log_id(SECRET, two.ana.mine.device, 0),
        }[whose]
        two.hear(spaces.granted, told(previous=previous))
        (found,) = spaces.of(tx, two.bo.contact)
        assert found.previous == 0
        assert {one.state for one in logs.every(tx)} == {State.OK}


async def test_a_frozen_log_stays_frozen_though_it_has_a_successor() -> None:
    async with open_sharers() as two:
        two.hear(spaces.granted, told())
        (before,) = spaces.of(two.theirs, two.bo.contact)
        two.theirs.execute("UPDATE log SET state = ? WHERE number = ?", (State.FROZEN, before.log.number))
        two.hear(spaces.granted, told(secret=bytes(32), previous=before.log.id))
        assert state_of(two.theirs, before.log.id) is State.FROZEN


async def test_what_a_reader_is_told_is_what_he_then_has() -> None:
    async with open_sharers() as two:
        own, his = two.begin("our trip")
        assert (own.contact, own.log.own, his.contact, his.log.own) == (OURS, True, two.bo.contact, False)
        assert (own.log.id, own.name, own.anchor, own.epoch) == (his.log.id, his.name, his.anchor, his.epoch)
        after = spaces.begin(
            two.mine, two.ana.mine.device, Role.NOTES, "trip", bytes(32), 3, bytes(32), (), own.log.number, 1
        )
        assert spaces.grant(two.mine, after.log.number).previous == own.log.id
        assert repr(SECRET) not in repr(own)


def _begin(two: Sharers, role: Role, name: str, *readers: int) -> spaces.Space:
    secret = name.encode().ljust(32, b"-")
    return spaces.begin(two.mine, two.ana.mine.device, role, name, secret, 0, bytes(32), readers, 0, 1)


async def test_who_is_no_contact_yet_or_in_doubt_is_told_later_and_who_was_told_not_again() -> None:
    async with open_sharers() as two:
        tx = two.mine
        asked, doubted = stranger(tx, "Asked", ContactState.PENDING), stranger(tx, "Doubted")
        people.set_alarm(tx, doubted.id, people.STOPS)
        one = _begin(two, Role.NOTES, "a", two.ana.contact, asked.id, doubted.id)
        other = _begin(two, Role.NOTES, "b", two.ana.contact)
        assert spaces.untold(tx) == ((one.log.number, two.ana.contact), (other.log.number, two.ana.contact))
        spaces.told(tx, one.log.number, two.ana.contact)
        spaces.add_reader(tx, one.log.number, two.ana.contact)  # he is one already
        assert spaces.untold(tx) == ((other.log.number, two.ana.contact),)
        logs.end(tx, other.log.number)
        assert spaces.untold(tx) == ()
        people.set_state(tx, asked.id, ContactState.ACTIVE, "")
        people.set_alarm(tx, doubted.id, "")
        assert spaces.untold(tx) == ((one.log.number, asked.id), (one.log.number, doubted.id))
        spaces.drop_reader(tx, one.log.number, asked.id)
        assert spaces.readers(tx, one.log.number) == (two.ana.contact, doubted.id)
        assert spaces.untold(tx) == ((one.log.number, doubted.id),)


async def test_a_contact_may_know_what_he_was_granted_what_he_writes_and_what_others_write() -> None:
    async with open_sharers() as two:
        tx, bo = two.mine, two.ana.contact
        chen, eve = stranger(tx, "Chen"), stranger(tx, "Eve")
        for_bo, for_both = _begin(two, Role.NOTES, "a", bo), _begin(two, Role.NOTES, "b", bo, chen.id)
        _begin(two, Role.NOTES, "for nobody")
        of_bo, of_chen, of_eve = (laid(tx, who, number) for number, who in enumerate((bo, chen.id, eve.id)))

        def names(who: int, count: int = sync.LOGS_MAX) -> list[bytes]:
            return [one.log.id for one in spaces.known_to(tx, who, count)]

        expected = [for_both, for_bo, of_bo, of_eve, of_chen]  # ours first, then his, then those of others
        assert names(bo) == [one.log.id for one in expected]
        assert names(bo, 3) == [one.log.id for one in expected[:3]]
        assert names(chen.id)[:2] == [for_both.log.id, of_chen.log.id]
        people.set_state(tx, eve.id, ContactState.BLOCKED, "")
        assert of_eve.log.id not in names(bo)
        logs.end(tx, for_bo.log.number)
        assert for_bo.log.id in names(bo)  # what is over stays shared
        later = [laid(tx, who, number) for number, who in enumerate((bo, chen.id), start=10)]
        for one in later:
            logs.end(tx, one.log.number)
        of_others = [one for one in names(bo) if one in {each.log.id for each in (*later, of_bo, of_chen)}]
        assert of_others == [of_bo.log.id, later[0].log.id, of_chen.log.id, later[1].log.id]  # what goes on goes first


async def test_the_spine_of_a_device_is_the_newest_that_goes_on() -> None:
    async with open_sharers() as two:
        me = two.ana.mine.device
        assert spaces.newest_spine(two.mine, OURS, me) is None
        _begin(two, Role.NOTES, "n")
        first, second = _begin(two, Role.SPINE, "spine"), _begin(two, Role.SPINE, "spine 2")
        found = spaces.newest_spine(two.mine, OURS, me)
        assert found == second
        logs.end(two.mine, second.log.number)
        assert spaces.newest_spine(two.mine, OURS, me) == first
        assert spaces.newest_spine(two.mine, OURS, bytes(32)) is None
        assert spaces.newest_spine(two.mine, two.ana.contact, me) is None


async def test_a_backup_takes_the_place_of_nothing() -> None:
    async with open_sharers() as two:
        own, _ = two.begin()
        spaces.put_back(two.mine, own.log.number, two.ana.contact, told(name="another"))
        assert spaces.space(two.mine, own.log.number) == own


async def test_in_which_logs_one_goes_on_is_found_by_an_index() -> None:
    async with open_sharers() as two:
        tx = two.theirs
        steps = tx.all("EXPLAIN QUERY PLAN SELECT log FROM space WHERE previous = 1")
        assert [row[3] for row in steps] == ["SEARCH space USING COVERING INDEX space_previous (previous=?)"]
