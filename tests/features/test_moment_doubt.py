"""A rule that is set while the account of a contact is in doubt, or who is shown less: what he is told, and when."""

import pytest

from features.moments import audience, feeds, handing, ruling, writing
from features.moments.audience import ALL, Audience, Kind
from features.moments.content import Forget, Keys, Post
from features.moments.feeds import By
from features.moments.shown import Rule
from store import authoring, logs, people, spaces
from store.people import STOPS
from tests.features.test_moment_heirs import open_feeds
from tests.store.space_kit import Sharers


def said(two: Sharers, kind: int) -> int:
    """How often Ana has said something of this kind to Bo."""
    return len(two.mine.all("SELECT 1 FROM message WHERE kind = ?", (kind,)))


def post(two: Sharers, by: By, text: str, whom: Audience) -> None:
    writing.post(two.mine, by, Post(text, two.now_ms), whom)
    own = feeds.every(two.mine)[-1]
    logs.publish(two.mine, own.log.number, authoring.next_seq(two.mine, own) - 1)
    writing.settle(two.mine, by)


def hide(two: Sharers, hides: bool) -> None:
    audience.set_rule(two.mine, two.ana.contact, Rule("Bo", False, hides, False))


def go_on_without(two: Sharers, by: By) -> None:
    """Ana's feed goes on in another that Bo does not read, as before anything is written."""
    own = feeds.every(two.mine)[-1]
    assert handing.barred(two.mine) == {own.log.number: frozenset({two.ana.contact})}
    spaces.drop_reader(two.mine, own.log.number, two.ana.contact)
    authoring.succeed(two.mine, own, own.anchor, by.me.device_key, two.now_ms, by.entropy)


@pytest.mark.parametrize("is_window_wider", [False, True])
async def test_a_rule_set_while_an_account_is_in_doubt_is_told_once_that_is_over(is_window_wider: bool) -> None:
    async with open_feeds() as (two, by):
        tx, bo = two.mine, two.ana.contact
        post(two, by, "to all", Audience(Kind.ALL, words=ALL))
        handing.hand(tx, by)
        people.set_alarm(tx, bo, STOPS)
        handing.hand(tx, by)
        hide(two, True)
        for _ in range(2):
            handing.hand(tx, by)
        if is_window_wider:
            go_on_without(two, by)
            for seconds in (3 * ruling.DAY_S, 0):
                writing.set_window(tx, by, seconds)
        handing.hand(tx, by)
        assert said(two, Forget.KIND) == 0
        people.set_alarm(tx, bo, "")
        for _ in range(2):
            handing.hand(tx, by)
        assert said(two, Forget.KIND) == 1
        assert ruling.parting(tx, people.contact(tx, bo)) is None


async def test_whose_account_was_in_doubt_is_told_what_he_may_see_of_meanwhile() -> None:
    async with open_feeds() as (two, by):
        tx, bo = two.mine, two.ana.contact
        whom = Audience(Kind.THESE, frozenset([bo]), words="Bo")
        post(two, by, "to Bo", whom)
        handing.hand(tx, by)
        before = said(two, Keys.KIND)
        people.set_alarm(tx, bo, STOPS)
        post(two, by, "meanwhile", whom)
        for hides in (True, False):
            hide(two, hides)
            handing.hand(tx, by)
        assert said(two, Keys.KIND) == before
        people.set_alarm(tx, bo, "")
        handing.hand(tx, by)
        assert said(two, Keys.KIND) == before + 1
        assert said(two, Forget.KIND) == 0
