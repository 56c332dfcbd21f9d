"""Invoices: what is good, each way in which one is not, and what their tags tell to whom (ledger 9 and 10)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import terms
from protocol import identity, invoice, probe, record
from protocol.faults import Forged, Malformed, OverLimit, PeerFault
from protocol.identity import NotListed, OtherTime, Revoked
from protocol.invoice import Invoice, InvoiceOver
from tests.crypto.pairs import entropy_of
from tests.protocol.circle import NOW_MS, NOW_S, YEAR_S, someone
from tests.protocol.invoices import DAY_MS, FRIENDS, KEY, SHOP, bill

MALLORY = someone("mallory")
GOOD = bill()


def test_a_good_one_is_taken_whether_the_payee_is_known_or_not() -> None:
    invoice.check(GOOD, NOW_S, None)
    invoice.check(GOOD, NOW_S, SHOP.devices)
    assert GOOD.payee == SHOP.account
    assert record.decode(Invoice, record.encode(GOOD), invoice.BYTES_MAX) == GOOD


CHANGES: dict[str, Callable[[Invoice], Invoice]] = {
    "invoice": lambda one: replace(one, invoice=b"j" * 16),
    "offer": lambda one: replace(one, offer=b"o" * 16),
    "payer": lambda one: replace(one, payer=MALLORY.account),
    "unit": lambda one: replace(one, unit="USD"),
    "amount": lambda one: replace(one, amount=one.amount + 1),
    "memo": lambda one: replace(one, memo="two coffees"),
    "expiry": lambda one: replace(one, expires_ms=one.expires_ms + 1),
    "lock": lambda one: replace(one, lock=bytes(32)),
    "key": lambda one: replace(one, key=bytes(16)),
    "a tag": lambda one: replace(one, tags=(bytes(8), *one.tags[1:])),
    "signature": lambda one: replace(one, signature=bytes(64)),
    "certificate of another": lambda one: replace(one, certificate=MALLORY.certificate),
    "certificate that nobody signed": lambda one: replace(
        one, certificate=replace(one.certificate, account=MALLORY.account)
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_nothing_in_it_can_be_changed(what: str) -> None:
    with pytest.raises(Forged):
        invoice.check(CHANGES[what](GOOD), NOW_S, None)
    assert invoice.name(CHANGES[what](GOOD)) != invoice.name(GOOD)


@pytest.mark.parametrize(
    "tags",
    [(), bill().tags[:-1], bill().tags[::-1], (bill().tags[0], *bill().tags[:-1])],
    ids=["none", "seven", "out of order", "one twice"],
)
def test_tags_are_as_they_are_made(tags: tuple[bytes, ...]) -> None:
    with pytest.raises(Malformed):
        invoice.check(bill(tags=tags), NOW_S, None)


def test_a_device_that_is_not_the_payees_any_more_cannot_ask_for_money() -> None:
    gone = identity.next_list(
        SHOP.account_key,
        SHOP.devices,
        (MALLORY.certificate,),
        (identity.Revocation(identity.certificate_hash(SHOP.certificate), NOW_S, 1),),
        NOW_S,
    )
    other = identity.first_list(SHOP.account_key, (SHOP.certify(2),), NOW_S)
    for newest, fault in ((gone, Revoked), (other, NotListed), (MALLORY.devices, Forged)):
        with pytest.raises(fault):
            invoice.check(GOOD, NOW_S, newest)
    with pytest.raises(OtherTime):
        invoice.check(GOOD, NOW_S + 2 * YEAR_S, None)


def test_after_its_time_it_is_over() -> None:
    invoice.check_alive(GOOD, NOW_MS + DAY_MS)
    with pytest.raises(InvoiceOver):
        invoice.check_alive(GOOD, NOW_MS + DAY_MS + 1)


@pytest.mark.parametrize(
    "changed",
    [{"amount": 0}, {"amount": 2**53}, {"unit": ""}, {"memo": "x" * 501}, {"lock": b""}, {"tags": (bytes(7),)}],
)
def test_what_is_over_a_limit_is_not_made(changed: dict[str, Any]) -> None:
    with pytest.raises(OverLimit):
        bill(**changed)


def test_limits_are_those_of_the_ledger() -> None:
    assert (probe.AMOUNT_MAX, probe.UNIT_BYTES_MAX) == (terms.AMOUNT_MAX, terms.UNIT_BYTES_MAX)
    assert probe.HOPS_MAX == 3


# --- tags


def test_who_knows_an_account_finds_it_and_nobody_else_does() -> None:
    assert sum(probe.tag(KEY, one) in GOOD.tags for one in FRIENDS) == 3
    assert probe.tag(KEY, MALLORY.account) not in GOOD.tags
    assert not {probe.tag(b"l" * 16, one) for one in FRIENDS} & set(GOOD.tags)


@given(st.integers(0, 64))
def test_their_number_tells_little(count: int) -> None:
    accounts = [bytes((n,)) * 32 for n in range(count)]
    found = probe.tags(KEY, accounts, entropy_of("tags"))
    assert probe.are_tags(found)
    assert len(found) == next(size for size in (8, 16, 32, 64) if size >= count)
    assert {probe.tag(KEY, one) for one in accounts} <= set(found)


def test_more_than_64_are_refused() -> None:
    with pytest.raises(OverLimit):
        probe.tags(KEY, [bytes((n,)) * 32 for n in range(65)], entropy_of("tags"))


def test_a_lock_is_recognised_by_its_mark_alone() -> None:
    assert probe.mark(KEY, b"h" * 32) != probe.mark(KEY, b"g" * 32)
    assert probe.mark(KEY, b"h" * 32) != probe.mark(b"l" * 16, b"h" * 32)
    assert len(probe.mark(KEY, b"h" * 32)) == 16


@given(st.integers(1, probe.AMOUNT_MAX))
def test_who_is_asked_learns_a_round_amount(amount: int) -> None:
    told = probe.bucket(amount)
    assert amount <= told <= max(amount * 5 // 2, amount)
    assert told == probe.AMOUNT_MAX or str(told).strip("0") in ("1", "2", "5")


def test_faults_are_those_of_a_peer() -> None:
    assert issubclass(Malformed, PeerFault)
    assert not issubclass(InvoiceOver, PeerFault)
