"""A packet of ours in any order of claims, answers, time and its end: what is given and what is left are the total."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from features.packets import judging, view
from features.packets.content import Claim, Reason
from features.packets.view import Share
from ledger import packet
from tests import depth
from tests.features import packet_rows
from tests.features.packet_rows import DAY_MS, NAME, SEED, answer, hear, lay, somebody
from tests.store.kit import START_MS, entropy_of

PEOPLE = 5
who, nonces = st.integers(0, PEOPLE), st.integers(0, 3)


class Packets(RuleBasedStateMachine):
    """Five people, four of them named; nonces that meet."""

    @initialize(total=st.integers(4, 50), count=st.integers(1, 4), is_random=st.booleans())
    def begin(self, total: int, count: int, is_random: bool) -> None:
        self.opened = packet_rows.open_tx()
        self.tx = self.opened.__enter__()
        self.people = [somebody(self.tx, number) for number in range(1, PEOPLE + 2)]
        self.kept = lay(self.tx, self.people[:-2], total, count, is_random=is_random)
        self.now_ms = START_MS
        self.queue: list[tuple[int, bytes, int]] = []
        self.given: list[tuple[int, bytes]] = []

    @rule(one=who, chance=nonces)
    def claim(self, one: int, chance: int) -> None:
        contact, nonce = self.people[one], bytes((chance,)) * 16
        answers: tuple[Any, ...] = hear(self.tx, contact, Claim(NAME, nonce), self.now_ms)
        if one >= PEOPLE - 1:
            assert [each.reason for each in answers] == [Reason.NOT_NAMED]
        elif any(contact == each for each, *_ in self.queue):
            assert [each.reason for each in answers] == [Reason.TWICE]
        else:
            assert answers == ()
            self.queue.append((contact, nonce, self.now_ms))

    @rule()
    def serve(self) -> None:
        found = answer(self.tx)
        if not self.queue:
            assert found is None
            return
        contact, nonce, at_ms = self.queue.pop(0)
        is_free = len(self.given) < self.kept.promised.count and contact not in [each for each, _ in self.given]
        is_in_time = at_ms < self.kept.expires_ms and not self._now().is_closed
        if is_free and is_in_time and nonce not in [each for _, each in self.given]:
            assert isinstance(found, Share)
            assert (found.place, found.contact, found.nonce) == (len(self.given), contact, nonce)
            self.given.append((contact, nonce))
        else:
            assert isinstance(found, Reason)

    @rule(ms=st.sampled_from((1, DAY_MS // 2, DAY_MS)))
    def wait(self, ms: int) -> None:
        self.now_ms += ms

    @rule()
    def close(self) -> None:
        due = view.due(self.tx, self.now_ms)
        is_over = self.now_ms >= self.kept.expires_ms or len(self.given) == self.kept.promised.count
        assert (due is not None) == (is_over and not self.queue and not self._now().is_closed)
        if due is not None:
            view.close(self.tx, due, SEED, self.now_ms, "")

    @invariant()
    def the_sum_is_exact_and_everybody_finds_it_fair(self) -> None:
        shares, promised = view.shares(self.tx, self.kept.id), self.kept.promised
        assert [(each.contact, each.nonce) for each in shares] == self.given
        assert len({each.share for each in shares}) == len(shares)
        drawn = judging.drawn(self.kept)
        left = [amount for at, amount in enumerate(drawn) if at not in {each.share for each in shares}]
        assert sum(each.amount for each in shares) + sum(left) == promised.total
        assert packet.examine(promised, SEED, [each.grant for each in shares]) == tuple(each.amount for each in shares)

    def _now(self) -> view.Kept:
        found = view.packet(self.tx, self.kept.id)
        assert found is not None
        return found

    def teardown(self) -> None:
        if hasattr(self, "opened"):
            self.opened.__exit__(None, None, None)


Packets.TestCase.settings = settings(max_examples=2 * depth.EXAMPLES, stateful_step_count=30, deadline=None)
TestPackets = Packets.TestCase


@pytest.mark.parametrize("is_random", [True, False])
def test_who_comes_when_gets_any_share_as_often(is_random: bool) -> None:
    """Against a uniform permutation: all six orders of three shares, chi-square with 5 degrees, 20.5 is one in 1000."""
    rounds, orders = 1_800, dict[tuple[int, ...], int]()
    entropy = entropy_of("draws")
    for _ in range(rounds):
        seed = entropy(32)
        claims = [entropy(16) for _ in range(3)]
        order: list[int] = []
        for place in range(3):
            order.append(packet.index(seed, claims[: place + 1], order, 3))
        shares = packet.draw(seed, 999, 3, is_random=is_random)
        grants = [packet.Grant(bytes((at,)) * 32, claims[at], share) for at, share in enumerate(order)]
        packet.examine(packet.promise(seed, 999, 3, is_random=is_random), seed, grants)
        assert sum(shares) == 999
        orders[tuple(order)] = orders.get(tuple(order), 0) + 1
    assert len(orders) == 6
    assert sum((each - rounds / 6) ** 2 / (rounds / 6) for each in orders.values()) < 20.5, orders
