"""Bills and packets: the sum is exact, nobody chooses, and who cheats is found (ledger 7 and 8)."""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crypto.faults import Forged, Malformed
from ledger import bill, packet
from ledger.bill import BadSplit
from ledger.packet import BadPacket, Grant, Unfair
from ledger.terms import AMOUNT_MAX
from tests import depth

SEED = b"s" * 32
BILL = b"b" * 16
TOTALS = st.integers(1, AMOUNT_MAX) | st.integers(1, 5_000)


def account(number: int) -> bytes:
    return number.to_bytes(32, "big")


# --- bills


@settings(max_examples=20 * depth.EXAMPLES, deadline=None)
@given(st.binary(min_size=16, max_size=16), TOTALS, st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_shares_are_the_sum_and_nobody_is_a_cent_off(name: bytes, total: int, weights: list[int]) -> None:
    if not sum(weights):
        weights = [*weights, 1]
    shares = bill.split(name, total, [(account(n), weight) for n, weight in enumerate(weights)])
    assert sum(shares.values()) == total
    for n, weight in enumerate(weights):
        assert abs(shares[account(n)] * sum(weights) - total * weight) < sum(weights)
        assert weight or not shares[account(n)]
    order = list(enumerate(weights))[::-1]
    assert bill.split(name, total, [(account(n), weight) for n, weight in order]) == shares


def test_ninety_euros_by_two_one_one_and_ten_by_three() -> None:
    assert bill.split(BILL, 9_000, [(account(1), 2), (account(2), 1), (account(3), 1)]) == {
        account(1): 4_500,
        account(2): 2_250,
        account(3): 2_250,
    }
    assert sorted(bill.split(BILL, 1_000, [(account(n), 1) for n in range(3)]).values()) == [333, 333, 334]


def test_the_odd_cent_goes_to_another_with_another_bill() -> None:
    people = [(account(n), 1) for n in range(3)]
    favoured = Counter(
        max(shares, key=shares.__getitem__)
        for shares in (bill.split(name.to_bytes(16, "big"), 100, people) for name in range(600))
    )
    assert all(150 < favoured[one] < 250 for one, _ in people), favoured


@pytest.mark.parametrize(
    ("total", "weights"),
    [
        *((total, [(account(1), 1)]) for total in (0, -1, AMOUNT_MAX + 1)),
        (5, []),
        (5, [(account(1), 0)]),
        (5, [(account(1), -1), (account(2), 3)]),
        (5, [(account(1), 1), (account(1), 1)]),
        (5, [(account(n), 1) for n in range(101)]),
        (5, [(account(1), bill.WEIGHT_MAX + 1)]),
    ],
)
def test_a_bill_that_is_none_is_refused(total: int, weights: list[tuple[bytes, int]]) -> None:
    with pytest.raises(BadSplit):
        bill.split(BILL, total, weights)


# --- packets


def opened(seed: bytes, total: int, count: int, claims: int, *, is_random: bool = True) -> list[Grant]:
    """What an honest sender gives to so many who claim."""
    grants: list[Grant] = []
    for n in range(claims):
        nonces = [*(one.nonce for one in grants), n.to_bytes(16, "big")]
        at = packet.index(seed, nonces, [one.index for one in grants], count)
        grants.append(Grant(account(n), nonces[-1], at))
    return grants


@settings(max_examples=10 * depth.EXAMPLES, deadline=None)
@given(st.binary(min_size=32, max_size=32), TOTALS, st.integers(1, 100), st.booleans(), st.data())
def test_what_is_given_and_what_is_left_are_the_total(
    seed: bytes, total: int, count: int, is_random: bool, draw: st.DataObject
) -> None:
    count = min(count, total)
    shares = packet.draw(seed, total, count, is_random=is_random)
    assert sum(shares) == total
    assert len(shares) == count
    assert min(shares) >= 1
    assert is_random or max(shares) - min(shares) <= 1
    promised = packet.promise(seed, total, count, is_random=is_random)
    grants = opened(seed, total, count, draw.draw(st.integers(0, min(count, 8))))
    got = packet.examine(promised, seed, grants)
    assert got == tuple(shares[one.index] for one in grants)
    assert sum(got) + sum(share for at, share in enumerate(shares) if at not in {g.index for g in grants}) == total
    for one, amount in zip(grants, got, strict=True):
        packet.check_share(promised, one.index, amount, *packet.opening(seed, shares, one.index))


PROMISED = packet.promise(SEED, 2_000, 5, is_random=True)
SHARES = packet.draw(SEED, 2_000, 5, is_random=True)


def another_order(grants: list[Grant]) -> list[Grant]:
    return [grants[1], grants[0], *grants[2:]]


def one_twice(grants: list[Grant]) -> list[Grant]:
    return [grants[0], replace(grants[1], claimant=grants[0].claimant), *grants[2:]]


def a_better_share(grants: list[Grant]) -> list[Grant]:
    best = max((at for at in range(5) if at != grants[0].index), key=SHARES.__getitem__)
    return [replace(grants[0], index=best), *grants[1:]]


def another_nonce(grants: list[Grant]) -> list[Grant]:
    return [*grants[:-1], replace(grants[-1], nonce=b"x" * 16)]


@pytest.mark.parametrize("change", [another_order, one_twice, a_better_share, another_nonce])
def test_a_sender_who_gives_otherwise_than_drawn_is_found(change: Callable[[list[Grant]], list[Grant]]) -> None:
    grants = opened(SEED, 2_000, 5, 4)
    packet.examine(PROMISED, SEED, grants)
    with pytest.raises(Unfair):
        packet.examine(PROMISED, SEED, change(grants))


def test_a_sender_who_promised_something_else_is_found() -> None:
    grants = opened(SEED, 2_000, 5, 5)
    for false in (
        replace(PROMISED, total=2_001),
        replace(PROMISED, count=6),
        replace(PROMISED, is_random=False),
        replace(PROMISED, root=bytes(32)),
        replace(PROMISED, seed_hash=bytes(32)),
        replace(PROMISED, total=0),
        replace(PROMISED, count=0),
    ):
        with pytest.raises(Unfair):
            packet.examine(false, SEED, grants)
    with pytest.raises(Unfair):
        packet.examine(PROMISED, b"t" * 32, grants)
    with pytest.raises(Unfair):
        packet.examine(PROMISED, SEED, [*grants, Grant(account(9), b"n" * 16, 0)])


def test_a_share_that_was_not_promised_is_forged() -> None:
    salt, path = packet.opening(SEED, SHARES, 2)
    packet.check_share(PROMISED, 2, SHARES[2], salt, path)
    for at, amount, shown in (
        *((2, SHARES[2] + 1, salt), (3, SHARES[2], salt), (2, SHARES[2], bytes(16))),
        *((at, SHARES[2], salt) for at in (-1, 5, 256)),
        *((2, amount, salt) for amount in (0, -1, 2**64)),
    ):
        with pytest.raises((Forged, Malformed)):
            packet.check_share(PROMISED, at, amount, shown, path)


def test_who_claims_first_has_each_share_as_often_and_the_mean_as_all() -> None:
    """Against a uniform permutation: chi-square with 4 degrees of freedom, 18.5 is passed once in a thousand draws."""
    chance, rounds = random.Random(5), 2_000
    firsts: Counter[int] = Counter()
    sums = [0] * 5
    for _ in range(rounds):
        seed, nonce = chance.randbytes(32), chance.randbytes(16)
        shares = packet.draw(seed, 1_000, 5, is_random=True)
        for at, share in enumerate(shares):
            sums[at] += share
        firsts[packet.index(seed, [nonce], [], 5)] += 1
    expected = rounds / 5
    assert sum((firsts[at] - expected) ** 2 / expected for at in range(5)) < 18.5, firsts
    assert all(abs(one / rounds - 200) < 12 for one in sums), sums


@pytest.mark.parametrize(("total", "count"), [(0, 1), (4, 5), (5, 0), (500, 101), (AMOUNT_MAX + 1, 1)])
def test_a_packet_that_cannot_be_is_refused(total: int, count: int) -> None:
    with pytest.raises(BadPacket):
        packet.promise(SEED, total, count, is_random=True)
