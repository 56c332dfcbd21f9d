"""What our own node still gives, grants and tells of our feeds: to who is let go, in doubt, or joins."""

import pytest

from features.moments import audience, feeds, handing, view, writing
from features.moments.audience import ALL, Audience, Kind
from features.moments.content import Chains, Forget, Keys, Post
from features.moments.feature import FEATURE
from features.moments.feeds import By
from features.moments.shown import Rule
from node.logs import giving
from protocol.content import Channel
from protocol.grant import Grant, Handover, Role
from store import authoring, entries, handovers, lanes, logs, outbox, people, remarks, spaces
from store.inbox import Arrival
from store.people import STOPS, ContactState
from store.spaces import Space
from tests.features.test_moment_heirs import open_feeds, read
from tests.features.wall_kit import KINDS
from tests.store.space_kit import Sharers, stranger

DAY_MS = 86_400_000
TO_ALL = Audience(Kind.ALL, words=ALL)
RULES = (Rule("Bo", True, False, False), Rule("Bo", False, True, False))
NO_RULE = Rule("Bo", False, False, False)


def post(two: Sharers, by: By, text: str, whom: Audience = TO_ALL, at_ms: int | None = None) -> Space:
    """A post of Ana's that others may have; the feed in which it stands."""
    writing.post(two.mine, by, Post(text, two.now_ms if at_ms is None else at_ms), whom)
    return publish(two, by)


def publish(two: Sharers, by: By) -> Space:
    own = feeds.every(two.mine)[-1]
    logs.publish(two.mine, own.log.number, authoring.next_seq(two.mine, own) - 1)
    writing.settle(two.mine, by)
    return spaces.space(two.mine, own.log.number)


def hand_over(two: Sharers, by: By) -> Space:
    """Ana's feed goes on in another for all its readers."""
    own, key = publish(two, by), by.me.device_key
    begun = authoring.succeed(two.mine, own, own.anchor, key, two.now_ms, by.entropy)
    handovers.make(two.mine, begun, key, by.entropy)
    handing.hand(two.mine, by)
    return begun


def grants(two: Sharers) -> list[int]:
    """As node/logs/scribe.py: readers are told what they may have; the logs of which they were."""
    told = spaces.untold(two.mine)
    for number, contact_id in told:
        two.hear(spaces.granted, spaces.grant(two.mine, number))
        spaces.told(two.mine, number, contact_id)
    return [number for number, _ in told]


def hears(two: Sharers) -> list[object]:
    """What waits for Bo comes to him; what it was."""
    found: list[object] = []
    contact, device = people.contact(two.theirs, two.bo.contact), people.device(two.theirs, two.bo.device)
    for message, body in list(lanes.waiting(two.mine, two.ana.device, lanes.CARRIER, 1000)):
        assert body is not None
        heard = KINDS.hear(body, Channel.RATCHET)
        arrival = Arrival(contact, device, message, heard, Channel.RATCHET, two.now_ms)
        apply = {Grant: spaces.granted, Handover: handovers.heard}.get(type(heard.content), FEATURE.apply)
        two.theirs.attempt(apply, two.theirs, arrival).unwrap()
        outbox.left(two.mine, two.ana.device, message, two.now_ms)
        found.append(heard.content)
    return found


def shared(two: Sharers) -> list[int]:
    """The feeds of ours that Bo is given."""
    known = spaces.known_to(two.mine, two.ana.contact, 100)
    return sorted(one.log.number for one in known if one.contact == spaces.OURS and one.role is Role.FEED)


def go_on(two: Sharers, by: By) -> None:
    """As features/moments/clerk.py does it when a rule was set."""
    for number, without in handing.barred(two.mine).items():
        for contact_id in sorted(without):
            spaces.drop_reader(two.mine, number, contact_id)
        own = spaces.space(two.mine, number)
        authoring.succeed(two.mine, own, own.anchor, by.me.device_key, two.now_ms, by.entropy)
    handing.hand(two.mine, by)


@pytest.mark.parametrize("rule", RULES)
async def test_who_is_let_go_is_given_none_of_our_feeds_that_are_over_and_all_of_them_when_he_joins_again(
    rule: Rule,
) -> None:
    async with open_feeds() as (two, by):
        tx, bo = two.mine, two.ana.contact
        first = post(two, by, "first")
        second = hand_over(two, by)
        post(two, by, "second")
        both = [first.log.number, second.log.number]
        assert grants(two) == both
        hears(two)
        two.carry(first)
        assert read(two, first) == ["first"]
        assert shared(two) == both
        audience.set_rule(tx, bo, rule)
        go_on(two, by)
        assert [type(one) for one in hears(two)] == [Forget]
        his = two.of(first)
        assert entries.awaited(two.theirs, his.log.number, 0, 1) == (0,)
        assert giving.wanted(two.theirs, his, two.bo.contact, 1, two.now_ms) == [(0, 0)]  # he asks, and in vain
        assert shared(two) == []
        assert grants(two) == []
        audience.set_rule(tx, bo, NO_RULE)
        handing.hand(tx, by)
        third = feeds.every(tx)[-1]
        assert shared(two) == grants(two) == [*both, third.log.number]
        hears(two)
        for of in (first, second):
            two.carry(of)
            found = read(two, of)
        assert found == ["first", "second"]


async def test_what_is_over_and_was_not_granted_yet_is_not_granted_to_who_is_let_go() -> None:
    async with open_feeds() as (two, by):
        first = post(two, by, "first")
        second = hand_over(two, by)
        assert spaces.untold(two.mine) == tuple((of.log.number, two.ana.contact) for of in (first, second))
        audience.set_rule(two.mine, two.ana.contact, RULES[1])
        go_on(two, by)
        assert spaces.untold(two.mine) == ()


async def test_a_rule_that_is_set_when_no_feed_goes_on_holds_for_what_is_over() -> None:
    async with open_feeds() as (two, by):
        own = post(two, by, "first")
        logs.end(two.mine, own.log.number)
        audience.set_rule(two.mine, two.ana.contact, RULES[0])
        assert handing.barred(two.mine) == {}
        handing.hand(two.mine, by)
        assert shared(two) == []


async def test_who_lost_a_tag_while_his_account_was_in_doubt_opens_nothing_that_is_for_it_later() -> None:
    async with open_feeds() as (two, by):
        tx, bo = two.mine, two.ana.contact
        remarks.add_tag(tx, bo, "family")

        def family() -> Audience:
            return audience.chosen(tx, ["family"], None)

        own = post(two, by, "with Bo", family())
        grants(two)
        hears(two)
        two.carry(own)
        assert read(two, own) == ["with Bo"]
        for alarm, change in ((STOPS, None), (STOPS, remarks.drop_tag), ("", None)):
            people.set_alarm(tx, bo, alarm)
            if change is not None:
                change(tx, bo, "family")
            handing.hand(tx, by)
        remarks.add_tag(tx, stranger(tx, "Cy").id, "family")
        handing.hand(tx, by)
        post(two, by, "without Bo", family())
        grants(two)
        hears(two)
        two.carry(own)
        assert read(two, own) == ["with Bo"]


async def test_who_has_a_tag_is_told_after_a_doubt_what_was_for_it_meanwhile_and_reads_on() -> None:
    async with open_feeds() as (two, by):
        tx, bo = two.mine, two.ana.contact
        for one in (bo, stranger(tx, "Cy").id):
            remarks.add_tag(tx, one, "family")
        own = post(two, by, "before", audience.chosen(tx, ["family"], None))
        grants(two)
        people.set_alarm(tx, bo, STOPS)
        handing.hand(tx, by)
        post(two, by, "meanwhile", audience.chosen(tx, ["family"], None))
        people.set_alarm(tx, bo, "")
        handing.hand(tx, by)
        post(two, by, "after", audience.chosen(tx, ["family"], None))
        hears(two)
        two.carry(own)
        assert read(two, own) == ["after", "before", "meanwhile"]


@pytest.mark.parametrize("is_edited", [True, False])
async def test_who_joins_is_told_no_key_of_a_post_that_is_older_than_the_window_however_young_its_entry(
    is_edited: bool,
) -> None:
    async with open_feeds() as (two, by):
        tx, bo, old_ms = two.mine, two.ana.contact, two.now_ms - 10 * DAY_MS
        people.set_state(tx, bo, ContactState.BLOCKED, "")
        writing.set_window(tx, by, 3 * DAY_MS // 1000)
        early = By(by.me, old_ms, by.entropy, by.message)
        row = writing.post(tx, early if is_edited else by, Post("old", old_ms), TO_ALL)
        if is_edited:
            publish(two, early)
            one = view.moment(tx, row)
            assert one is not None
            writing.edit(tx, by, one, Post("old, edited", old_ms))
        own = post(two, by, "young")
        people.set_state(tx, bo, ContactState.ACTIVE, "")
        handing.hand(tx, by)
        grants(two)
        said = hears(two)
        assert [type(one) for one in said] == [Chains, Keys]
        two.carry(own)
        assert read(two, own) == ["young"]
        writing.set_window(tx, by, 0)
        handing.hand(tx, by)
        hears(two)
        assert read(two, own) == ["old, edited" if is_edited else "old", "young"]
