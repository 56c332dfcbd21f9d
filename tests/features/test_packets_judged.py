"""Dishonest senders and dishonest claimants of red packets: each lie is one changed field, found and called by name."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from crypto.faults import Malformed
from features.packets import judging, lines, view
from features.packets.content import Claim, Closed, Given, Granted, Reason, Refused
from features.packets.faults import NotPromised
from features.packets.view import Opening, Share, State
from ledger.terms import Cause
from store import expected, people
from store.database import Tx
from tests.features import packet_rows
from tests.features.packet_rows import DAY_MS, NAME, SEED, Sender, account, answer, hear, lay, me, somebody
from tests.store.kit import START_MS

OURS = b"o" * 16  # our nonce
BARE: Any = Sender(None, 0)  # type: ignore[arg-type]  # who has no database
OTHERS = [(account(number), bytes((number,)) * 16) for number in (1, 2, 3)]


@pytest.fixture
def tx() -> Iterator[Tx]:
    with packet_rows.open_tx() as opened:
        yield opened


@pytest.fixture
def sender(tx: Tx) -> Sender:
    """Who has sent a packet to us, which nobody has opened."""
    one = Sender(tx, somebody(tx, 9))
    one.says(one.told())
    return one


def claim(sender: Sender) -> tuple[Given, ...]:
    """We have claimed, as the second of four."""
    view.move(sender.tx, sender.kept().id, Opening(OURS, State.CLAIMED))
    first, *rest = OTHERS
    return sender.given(first, (me(sender.tx), OURS), *rest)


def fault(sender: Sender) -> str:
    one = sender.kept()
    return lines.fault(sender.tx, one, view.opening(sender.tx, one.id))


# --- an honest sender


def test_an_honest_sender_is_found_to_be_one(sender: Sender) -> None:
    given = claim(sender)
    sender.says(sender.granted(1, given[1]))
    assert sender.kept().closed_ms == view.NEVER
    assert [each.who for each in lines.got(sender.tx, sender.kept())] == ["you"]
    sender.says(sender.closed(*given))
    shares = lines.got(sender.tx, sender.kept())
    assert fault(sender) == ""
    assert [each.place for each in shares if each.luckiest] == [max(shares, key=lambda each: each.minor).place]
    assert [each.who[:3] for each in shares] == ["wf1", "you", "wf1", "wf1"]
    line = lines.line(sender.tx, sender.kept(), START_MS)
    assert (line.state, line.share, line.taken) == ("granted", shares[1].amount, 4)


def test_the_first_of_those_who_got_most_is_luckiest_and_nobody_of_equal_shares(tx: Tx) -> None:
    one = Sender(tx, somebody(tx, 9), total=4, count=4)
    one.says(one.told())
    one.says(one.closed(*one.given(*OTHERS)))
    assert [each.minor for each in lines.got(tx, one.kept())] == [1, 1, 1]
    assert [each.luckiest for each in lines.got(tx, one.kept())] == [True, False, False]
    even = Sender(tx, somebody(tx, 8), is_random=False)
    even.says(even.told())
    even.says(even.closed(*even.given(*OTHERS)))
    assert not any(each.luckiest for each in lines.got(tx, even.kept()))


def test_a_record_that_comes_before_the_grant_says_the_same(sender: Sender) -> None:
    given = claim(sender)
    sender.says(sender.closed(*given))
    opening = view.opening(sender.tx, sender.kept().id)
    assert (opening.state, opening.share, opening.pay) == (State.GRANTED, given[1].index, b"")
    sender.says(sender.granted(1, given[1]))
    assert view.opening(sender.tx, sender.kept().id).pay
    assert fault(sender) == ""


def test_who_claimed_too_late_reads_so_in_the_record(sender: Sender) -> None:
    claim(sender)
    sender.says(sender.closed(*sender.given(*OTHERS)))
    line = lines.line(sender.tx, sender.kept(), START_MS)
    assert (line.state, line.reason, line.fault) == ("refused", "its time was over when your claim came", "")


@pytest.mark.parametrize("end", ["refused", "closed without us", "closed with us"])
def test_a_share_is_expected_until_it_is_known_that_none_comes(sender: Sender, end: str) -> None:
    given, one = claim(sender), sender.kept()
    expected.expect(sender.tx, one.contact, Cause.PACKET, NAME, one.unit, 5)
    match end:
        case "refused":
            sender.says(Refused(NAME, OURS, int(Reason.OVER)))
        case "closed without us":
            sender.says(sender.closed(*sender.given(*OTHERS)))
        case _:
            sender.says(sender.closed(*given))
    rows = sender.tx.all("SELECT of FROM expected")
    assert rows == ([(NAME,)] if end == "closed with us" else [])


# --- dishonest senders: one changed field each


def other_share(given: tuple[Given, ...], at: int) -> tuple[Given, ...]:
    free = next(index for index in range(5) if index not in {each.index for each in given})
    return (*given[:at], replace(given[at], index=free), *given[at + 1 :])


def six(given: tuple[Given, ...]) -> tuple[Given, ...]:
    claims = [(each.account, each.nonce) for each in given]
    five = Sender.given(BARE, *claims, (account(4), b"4" * 16))
    return (*five, Given(account(5), b"5" * 16, 0))


RECORDS: dict[str, tuple[str, Callable[[Closed], Closed]]] = {
    "another seed": ("the seed is another one", lambda said: replace(said, seed=b"t" * 32)),
    "somebody twice": (
        "somebody got two shares",
        lambda said: replace(said, grants=(*said.grants[:3], replace(said.grants[3], account=said.grants[0].account))),
    ),
    "a chosen share": (
        "somebody got another share than the one that was drawn",
        lambda said: replace(said, grants=other_share(said.grants, 0)),
    ),
    "another order": (
        "somebody got another share than the one that was drawn",
        lambda said: replace(said, grants=(*said.grants[:2], said.grants[3], said.grants[2])),
    ),
    "another nonce": (
        "somebody got another share than the one that was drawn",
        lambda said: replace(said, grants=(replace(said.grants[0], nonce=b"z" * 16), *said.grants[1:])),
    ),
    "too many": ("more was given than there was", lambda said: replace(said, grants=six(said.grants))),
}


@pytest.mark.parametrize("lie", RECORDS)
def test_a_record_that_is_not_what_was_drawn_is_called_so(sender: Sender, lie: str) -> None:
    why, change = RECORDS[lie]
    given = claim(sender)
    sender.says(sender.granted(1, given[1]))
    sender.says(change(sender.closed(*given)))
    assert fault(sender) == why
    line = lines.line(sender.tx, sender.kept(), START_MS)
    assert (line.contact, line.fault) == ("c9", why)
    assert not any(each.luckiest for each in lines.got(sender.tx, sender.kept()))


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("root", bytes(32), "the shares are others"),
        ("seed_hash", bytes(32), "the seed is another one"),
        ("total", 2_001, "the shares are others"),
        ("count", 6, "the shares are others"),
        ("is_random", 0, "the shares are others"),
    ],
)
def test_a_promise_of_something_else_is_found_at_the_end(tx: Tx, field: str, value: object, why: str) -> None:
    one = Sender(tx, somebody(tx, 9))
    one.says(replace(one.told(), **{field: value}))  # type: ignore[arg-type]
    one.says(one.closed(*one.given(*OTHERS)))
    assert fault(one) == why


def without_us(said: Closed, sender: Sender) -> Closed:
    return replace(said, grants=sender.given(*OTHERS))


def with_another_nonce_of_ours(said: Closed, sender: Sender) -> Closed:
    first, *rest = OTHERS
    return replace(said, grants=sender.given(first, (me(sender.tx), b"m" * 16), *rest))


def in_another_place(said: Closed, sender: Sender) -> Closed:
    return replace(said, grants=sender.given((me(sender.tx), OURS), *OTHERS))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without_us, judging.NOT_LISTED),
        (with_another_nonce_of_ours, judging.OTHER_CLAIM),
        (in_another_place, judging.OTHER_SHARE),
    ],
)
def test_a_fair_record_that_says_something_else_of_us_is_found(
    sender: Sender, change: Callable[[Closed, Sender], Closed], why: str
) -> None:
    given = claim(sender)
    sender.says(sender.granted(1, given[1]))
    sender.says(change(sender.closed(*given), sender))
    assert fault(sender) == why


def test_a_record_that_has_us_open_what_we_did_not_is_found(sender: Sender) -> None:
    sender.says(sender.closed(*sender.given((me(sender.tx), OURS))))
    assert fault(sender) == judging.NEVER_OPENED


@pytest.mark.parametrize(
    ("reason", "why"),
    [(Reason.EMPTY, judging.NOT_EMPTY), (Reason.TWICE, judging.NOT_TWICE), (Reason.OVER, "")],
)
def test_a_refusal_that_the_record_belies_is_found(sender: Sender, reason: Reason, why: str) -> None:
    claim(sender)
    sender.says(Refused(NAME, OURS, int(reason)))
    sender.says(sender.closed(*sender.given(*OTHERS)))
    assert fault(sender) == why


@pytest.mark.parametrize(("field", "value"), [("amount", 1), ("index", 0), ("salt", bytes(16)), ("path", ())], ids=str)
def test_a_share_that_was_not_promised_is_found_at_once(sender: Sender, field: str, value: object) -> None:
    given = claim(sender)
    said = sender.granted(1, given[1])
    assert getattr(said, field) != value
    sender.says(replace(said, **{field: value}))  # type: ignore[arg-type]
    assert fault(sender) == judging.NOT_PROMISED


def test_a_promised_share_that_is_another_than_the_drawn_one_is_found_at_the_end(sender: Sender) -> None:
    given = claim(sender)
    sender.says(sender.granted(1, other_share(given, 1)[1]))
    assert fault(sender) == ""
    sender.says(sender.closed(*given))
    assert fault(sender) == judging.OTHER_SHARE


def test_two_records_of_one_packet_are_found_and_the_same_one_again_is_nothing(sender: Sender) -> None:
    given = sender.given(*OTHERS)
    sender.says(sender.closed(*given))
    with pytest.raises(NotPromised):
        sender.says(sender.closed(*given))
    assert fault(sender) == ""
    sender.says(sender.closed(*given[:2]))
    assert fault(sender) == judging.TWO_RECORDS
    assert len(view.shares(sender.tx, sender.kept().id)) == 3


def test_what_nobody_waits_for_is_dropped(sender: Sender) -> None:
    granted = sender.granted(1, sender.given(*OTHERS, (me(sender.tx), OURS))[3])
    refused = Refused(NAME, OURS, 1)
    for said in (granted, refused, replace(granted, packet=b"q" * 16), replace(sender.closed(), packet=b"q" * 16)):
        with pytest.raises(NotPromised):
            sender.says(said)
    claim(sender)
    for other in (replace(granted, nonce=b"x" * 16), replace(refused, nonce=b"x" * 16)):
        with pytest.raises(NotPromised):
            sender.says(other)
    with pytest.raises(NotPromised):
        sender.says(sender.told())  # a second promise under one name changes nothing
    with pytest.raises(Malformed):
        sender.says(replace(sender.told(), packet=b"q" * 16, total=4))
    assert fault(sender) == ""


def test_a_contact_who_sends_packets_without_end_is_heard_a_hundred_times(sender: Sender) -> None:
    for number in range(1, 100):
        sender.says(replace(sender.told(), packet=number.to_bytes(16, "big")))
    with pytest.raises(NotPromised):
        sender.says(replace(sender.told(), packet=bytes(16)))


def test_who_closes_each_of_his_packets_at_once_is_not_heard_without_end_either(sender: Sender) -> None:
    for number in range(1, 500):
        name = number.to_bytes(16, "big")
        sender.says(replace(sender.told(), packet=name))
        sender.says(replace(sender.closed(), packet=name))
    with pytest.raises(NotPromised):
        sender.says(replace(sender.told(), packet=bytes(16)))


# --- dishonest claimants


def test_each_false_claim_is_refused_with_its_reason(tx: Tx) -> None:
    bo, chen, dee, eve = (somebody(tx, number) for number in (1, 2, 3, 4))
    one = lay(tx, [bo, chen, dee], count=2)
    refused = partial(Refused, NAME)
    assert hear(tx, bo, Claim(b"q" * 16, b"b" * 16)) == (Refused(b"q" * 16, b"b" * 16, int(Reason.UNKNOWN)),)
    assert hear(tx, eve, Claim(NAME, b"e" * 16)) == (refused(b"e" * 16, int(Reason.NOT_NAMED)),)
    assert hear(tx, bo, Claim(NAME, b"b" * 16)) == ()
    assert hear(tx, bo, Claim(NAME, b"x" * 16)) == (refused(b"x" * 16, int(Reason.TWICE)),)  # while the first waits
    assert isinstance(answer(tx), Share)
    hear(tx, bo, Claim(NAME, b"x" * 16))
    assert answer(tx) is Reason.TWICE
    hear(tx, chen, Claim(NAME, b"b" * 16))
    assert answer(tx) is Reason.NONCE
    hear(tx, chen, Claim(NAME, b"c" * 16), one.expires_ms)
    assert answer(tx) is Reason.OVER
    hear(tx, chen, Claim(NAME, b"c" * 16), one.expires_ms - 1)
    assert isinstance(answer(tx), Share)
    hear(tx, dee, Claim(NAME, b"d" * 16))
    assert answer(tx) is Reason.EMPTY
    assert answer(tx) is None


def test_nothing_is_granted_after_the_end(tx: Tx) -> None:
    bo = somebody(tx, 1)
    one = lay(tx, [bo], count=1)
    view.close(tx, one, SEED, START_MS + DAY_MS, "")
    hear(tx, bo, Claim(NAME, b"b" * 16))
    assert answer(tx) is Reason.OVER


def test_a_claim_that_was_in_time_is_answered_before_the_end(tx: Tx) -> None:
    bo = somebody(tx, 1)
    one = lay(tx, [bo], count=1)
    hear(tx, bo, Claim(NAME, b"b" * 16), one.expires_ms - 1)
    assert view.due(tx, one.expires_ms) is None
    assert isinstance(answer(tx), Share)
    assert view.due(tx, START_MS) == one  # all is taken
    assert people.contact(tx, bo).name == "c1"


def test_a_grant_has_room_for_the_path_of_the_largest_packet() -> None:
    one = Sender(None, 0, total=10_000, count=100)  # type: ignore[arg-type]
    assert isinstance(one.granted(99, Given(account(1), b"n" * 16, 99)), Granted)
    assert len(one.closed(*one.given(*((account(n), n.to_bytes(16, "big")) for n in range(100)))).grants) == 100


@pytest.mark.parametrize(
    ("index", "look"),
    [
        ("packet_due", lambda tx: view.due(tx, START_MS)),
        ("packet_due", view.next_expiry),
        ("packet_of", lambda tx: view.count_open(tx, 1, START_MS)),
        ("packet_of", lambda tx: view.count(tx, 1, START_MS)),
        ("packet_of", lambda tx: view.underway(tx, 1, START_MS)),
    ],
)
def test_what_a_node_looks_for_by_itself_is_not_looked_for_in_all_packets(
    tx: Tx, index: str, look: Callable[[Tx], object]
) -> None:
    asked: list[str] = []
    connection: Any = tx.execute.__self__  # type: ignore[attr-defined]
    connection.set_trace_callback(asked.append)
    look(tx)
    connection.set_trace_callback(None)
    (sql,) = asked
    steps = [row[3] for row in tx.all(f"EXPLAIN QUERY PLAN {sql}")]
    assert index in steps[0].split()
