"""Feeds that are handed over: who may say so, what it makes, and who is told of it by us."""

from dataclasses import replace

import pytest

from crypto.faults import Forged
from protocol import grant, record
from protocol.grant import Handover, Role
from store import authoring, handovers, logs, people, spaces
from store.database import Tx
from store.handovers import Debt
from store.logs import State
from store.people import ContactState
from store.spaces import OURS, Space, TooManyLogs
from tests.store.space_kit import Sharers, open_sharers, stranger
from tests.store.test_spaces import laid


def succeed(two: Sharers, own: Space, is_handed: bool = True) -> Space:
    """The successor of a log of Ana's."""
    of = spaces.space(two.mine, own.log.number)
    begun = authoring.succeed(two.mine, of, of.anchor, two.key, two.now_ms, two.ana.entropy)
    if is_handed:
        handovers.make(two.mine, begun, two.key, two.ana.entropy)
    return begun


def handover(two: Sharers, begun: Space) -> Handover:
    found = handovers.of(two.mine, begun.log.number)
    assert found is not None
    return found


def ids(tx: Tx, contact_id: int) -> list[bytes]:
    return [one.log.id for one in spaces.of(tx, contact_id) if one.role is Role.FEED]


def is_by_cy(two: Sharers) -> None:
    """From now on what Bo hears is said by Cy: Ana's feeds are another contact's, and her ratchet is not hers."""
    cy = stranger(two.theirs, "Cy")
    two.theirs.execute("UPDATE space SET contact = ? WHERE contact = ?", (cy.id, two.bo.contact))


def ana(two: Sharers) -> int:
    """Ana, as Bo knows her, where Cy stands in her place."""
    return people.find_contact(two.theirs, "Cy").id


async def test_a_handover_counts_as_a_grant_whoever_passes_it_on() -> None:
    async with open_sharers() as two:
        own, his = two.begin("moments", Role.FEED)
        begun = succeed(two, own)
        is_by_cy(two)
        two.hear(handovers.heard, handover(two, begun))
        _, one = spaces.of(two.theirs, ana(two))
        assert (one.log.id, one.log.author, one.log.secret) == (begun.log.id, begun.log.author, begun.log.secret)
        assert (one.role, one.name, one.anchor, one.epoch) == (Role.FEED, "moments", begun.anchor, begun.epoch)
        assert (one.previous, logs.log(two.theirs, his.log.number).state) == (his.log.number, State.OVER)
        assert handovers.of(two.theirs, one.log.number) == handover(two, begun)
        two.hear(handovers.heard, handover(two, begun))  # once more
        assert ids(two.theirs, ana(two)) == [own.log.id, begun.log.id]


async def test_several_in_a_row_lead_on_and_one_whose_log_before_is_not_known_is_passed_over() -> None:
    async with open_sharers() as two:
        own, _ = two.begin("moments", Role.FEED)
        second = succeed(two, own)
        third = succeed(two, second)
        is_by_cy(two)
        two.hear(handovers.heard, handover(two, third))
        assert ids(two.theirs, ana(two)) == [own.log.id]
        two.hear(handovers.heard, handover(two, second))
        two.hear(handovers.heard, handover(two, third))
        assert ids(two.theirs, ana(two)) == [own.log.id, second.log.id, third.log.id]


async def test_after_a_grant_it_is_kept_with_it() -> None:
    async with open_sharers() as two:
        own, _ = two.begin("moments", Role.FEED)
        begun = succeed(two, own)
        two.hear(spaces.granted, spaces.grant(two.mine, begun.log.number))
        (_, one) = spaces.of(two.theirs, two.bo.contact)
        assert handovers.of(two.theirs, one.log.number) is None
        two.hear(handovers.heard, handover(two, begun))
        assert handovers.of(two.theirs, one.log.number) == handover(two, begun)
        assert len(spaces.of(two.theirs, two.bo.contact)) == 2


async def test_what_another_has_signed_is_forged_and_changes_nothing() -> None:
    async with open_sharers() as two:
        own, his = two.begin("moments", Role.FEED)
        begun = succeed(two, own)
        granted = replace(spaces.grant(two.mine, begun.log.number), secret=b"x" * 32)
        by_bo = grant.hand_over(own.log.secret, granted, two.bo.mine.device_key, bytes(24))
        true = handover(two, begun)
        for said in (by_bo, replace(true, box=by_bo.box), replace(true, signature=bytes(64))):
            with pytest.raises(Forged):
                two.hear(handovers.heard, said)
        assert ids(two.theirs, two.bo.contact) == [own.log.id]
        assert logs.log(two.theirs, his.log.number).state is State.OK


async def test_of_two_the_first_counts_and_the_author_alone_says_another() -> None:
    async with open_sharers() as two:
        own, his = two.begin("moments", Role.FEED)
        first, second = succeed(two, own), succeed(two, own)  # as two copies of one disk do
        two.hear(handovers.heard, handover(two, first))
        is_by_cy(two)
        two.hear(handovers.heard, handover(two, second))
        assert ids(two.theirs, ana(two)) == [own.log.id, first.log.id]
        two.theirs.execute("UPDATE space SET contact = ? WHERE contact = ?", (two.bo.contact, ana(two)))
        two.hear(handovers.heard, handover(two, second))
        assert ids(two.theirs, two.bo.contact) == [own.log.id, first.log.id, second.log.id]
        assert handovers.later(two.theirs, his.log.number) == tuple(
            one.log.number for one in spaces.of(two.theirs, two.bo.contact)[1:]
        )


async def test_a_log_that_is_over_or_frozen_is_not_led_on_by_others() -> None:
    for state in (State.OVER, State.FROZEN):
        async with open_sharers() as two:
            own, his = two.begin("moments", Role.FEED)
            begun = succeed(two, own)
            is_by_cy(two)
            two.theirs.execute("UPDATE log SET state = ? WHERE number = ?", (int(state), his.log.number))
            two.hear(handovers.heard, handover(two, begun))
            assert ids(two.theirs, ana(two)) == [own.log.id]
            assert logs.log(two.theirs, his.log.number).state is state


async def test_of_who_is_no_contact_and_of_other_roles_and_of_our_own_nothing_is_taken() -> None:
    async with open_sharers() as two:
        own, _ = two.begin("moments", Role.FEED)
        begun = succeed(two, own)
        said = handover(two, begun)
        two.hear(handovers.heard, said, two.ana)  # back to her who writes both
        assert len(spaces.of(two.mine, OURS)) == 2
        two.theirs.execute("UPDATE space SET role = ?", (int(Role.NOTES),))
        two.hear(handovers.heard, said)
        assert len(spaces.of(two.theirs, two.bo.contact)) == 1
        two.theirs.execute("UPDATE space SET role = ?", (int(Role.FEED),))
        is_by_cy(two)
        people.set_state(two.theirs, ana(two), ContactState.BLOCKED, "")
        two.hear(handovers.heard, said)
        assert ids(two.theirs, ana(two)) == [own.log.id]


async def test_who_passes_on_what_is_too_much_is_not_blamed_and_its_author_is() -> None:
    async with open_sharers() as two:
        own, _ = two.begin("moments", Role.FEED)
        said = handover(two, succeed(two, own))
        for number in range(300):
            laid(two.theirs, two.bo.contact, number)
        with pytest.raises(TooManyLogs):
            two.hear(handovers.heard, said)
        is_by_cy(two)
        two.hear(handovers.heard, said)
        assert ids(two.theirs, ana(two)) == [own.log.id]


async def test_a_log_is_handed_over_to_all_its_readers_or_not_at_all() -> None:
    async with open_sharers() as two:
        own, _ = two.begin("moments", Role.FEED)
        chen = stranger(two.mine, "Chen")
        spaces.add_reader(two.mine, own.log.number, chen.id)
        second = succeed(two, own)
        assert handovers.of(two.mine, second.log.number) is not None
        people.set_state(two.mine, chen.id, ContactState.BLOCKED, "")
        third = succeed(two, second)  # he is a reader still
        assert handovers.of(two.mine, third.log.number) is None
        people.set_state(two.mine, chen.id, ContactState.ACTIVE, "")
        fourth = succeed(two, third, is_handed=False)
        spaces.drop_reader(two.mine, fourth.log.number, chen.id)
        handovers.make(two.mine, fourth, two.key, two.ana.entropy)
        assert handovers.of(two.mine, fourth.log.number) is None
        notes, _ = two.begin("trip", Role.NOTES, b"another secret of 32 bytes long.")
        assert handovers.of(two.mine, succeed(two, notes).log.number) is None


async def feeds(two: Sharers, *handed: bool) -> list[int]:
    """A feed of Ana's with its successors, as Bo has them; each: whether it was handed over."""
    own, his = two.begin("moments", Role.FEED)
    found = [his.log.number]
    for is_handed in handed:
        own = succeed(two, own, is_handed)
        two.hear(spaces.granted, spaces.grant(two.mine, own.log.number))
        if is_handed:
            two.hear(handovers.heard, handover(two, own))
        found.append(two.of(own).log.number)
    return found


async def test_who_has_the_log_before_is_told_of_all_that_follow_up_to_where_something_is() -> None:
    async with open_sharers() as two:
        tx = two.theirs
        first, second, third, fourth = await feeds(two, True, True, True)
        cy = stranger(tx, "Cy").id
        here = {first: 3, second: -1, third: 2, fourth: -1}
        handovers.lacks(tx, cy, {first: 3, second: -1, third: -1, fourth: -1}, here, 5)
        told = [Debt(number, cy, two.bo.contact, 5) for number in (second, third)]
        assert handovers.debts(tx) == tuple(told)
        handovers.lacks(tx, cy, {first: 3, second: -1, third: -1, fourth: -1}, here, 9)
        assert handovers.debts(tx) == tuple(told)  # since the first time
        handovers.paid(tx, second, cy)
        assert handovers.debts(tx) == tuple(told[1:])
        handovers.lacks(tx, cy, {first: 3, second: -1, third: 0, fourth: -1}, here, 9)
        assert handovers.debts(tx) == ()  # he knows by now
        handovers.lacks(tx, cy, {first: 3, second: -1, third: -1, fourth: -1}, here, 9)
        assert handovers.debts(tx) == ()  # once


async def test_who_has_not_the_log_before_or_would_be_led_past_who_was_let_go_is_told_nothing() -> None:
    async with open_sharers() as two:
        tx = two.theirs
        first, second, third = await feeds(two, False, True)
        cy = stranger(tx, "Cy").id
        here = {first: 3, second: 3, third: 3}
        handovers.lacks(tx, cy, {first: 3, second: -1, third: -1}, here, 5)
        handovers.lacks(tx, cy, {first: -1, second: -1, third: -1}, here, 5)
        assert handovers.debts(tx) == ()
        handovers.lacks(tx, cy, {first: 3, second: 0, third: -1}, here, 5)
        assert [one.number for one in handovers.debts(tx)] == [third]
        people.set_state(tx, cy, ContactState.BLOCKED, "")
        assert handovers.debts(tx) == ()
        people.set_state(tx, cy, ContactState.ACTIVE, "")
        people.set_state(tx, two.bo.contact, ContactState.BLOCKED, "")
        assert handovers.debts(tx) == ()


async def test_who_was_let_go_is_found_at_the_last_step_that_was_no_handover() -> None:
    async with open_sharers() as two:
        first, second, third, fourth = await feeds(two, True, False, True)
        assert handovers.without(two.theirs, first) == (third, fourth)
        assert handovers.without(two.theirs, second) == (third, fourth)
        assert handovers.without(two.theirs, third) == ()
    async with open_sharers() as two:
        first, *_ = await feeds(two, True, True)
        assert handovers.without(two.theirs, first) == ()


async def test_to_look_where_feeds_go_on_costs_as_many_statements_however_many_there_are() -> None:
    async with open_sharers() as two:
        numbers = await feeds(two, False, True, True, True, True)
        cy, said, connection = stranger(two.theirs, "Cy").id, list[str](), two.theirs._connection
        connection.set_trace_callback(said.append)
        assert handovers.without(two.theirs, numbers[0]) == tuple(numbers[1:])
        assert len(said) == 1
        handovers.lacks(two.theirs, cy, dict.fromkeys(numbers, -1), dict.fromkeys(numbers, 3), 5)
        connection.set_trace_callback(None)
        assert len(said) == 3


async def test_it_is_kept_byte_for_byte() -> None:
    async with open_sharers() as two:
        own, _ = two.begin("moments", Role.FEED)
        begun = succeed(two, own)
        two.hear(handovers.heard, handover(two, begun))
        raws = [tx.one("SELECT raw FROM handover") for tx in (two.mine, two.theirs)]
        assert raws[0] == raws[1] == (record.encode(handover(two, begun)),)
