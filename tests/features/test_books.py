"""The room of books in a simulated world: its sums are the ledger's, its parts are of one moment, its errors are said.

Not here: the forms themselves (tests/ledger/test_journal.py, test_statement.py, test_statement_pdf.py).
"""

import csv
import re
import shutil
import subprocess
from base64 import b64decode
from collections import defaultdict
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from features.books.service import KEPT_MAX, PART_BYTES
from lab import world
from lab.world import Person, World
from ledger import units
from ledger.payment import Stage
from store import logs, payments, people, spaces
from store.database import Tx
from tests.features.kit import Faults
from tests.stories.debt_kit import both_see, pair, waiting

FORMS = ("hledger", "beancount", "csv")
LATE_MS = 1_793_489_400_000  # 2026-10-31 23:30 in UTC, which is November an hour further east
MANY = 6000
DAY_MS = 86_400_000
Sums = list[Decimal]


async def whole(person: Person, first: dict[str, Any]) -> bytes:
    """All parts, the first of which is there."""
    made, one = b64decode(first["part"]), first
    while one["next"] is not None:
        assert one["next"] == len(made)
        one = await person.call("books.part", token=one["token"], offset=one["next"])
        made += b64decode(one["part"])
    assert len(made) == first["bytes"]
    return made


async def export(person: Person, form: str = "csv", **more: object) -> str:
    return (await whole(person, await person.call("books.export", form=form, **more))).decode()


async def statement(person: Person, month: str, **more: object) -> str:
    return (await whole(person, await person.call("books.statement", month=month, **more))).decode()


async def store(person: Person, name: str, *amounts_at: tuple[int, int], first: int = 0) -> None:
    """Payments that a contact has settled: (amount, at_ms). The tab knows nothing of them. first: of their names."""

    def write(tx: Tx) -> None:
        of, count = people.find_contact(tx, name).id, tx.one("SELECT COUNT(*) FROM payment")
        assert count is not None
        rows = [
            (
                of,
                False,
                (first + count[0] + n).to_bytes(16, "big"),
                "EUR",
                amount,
                Stage.SETTLED,
                at,
                at,
                at,
                "lunch",
                0,
                b"",
                0,
            )
            for n, (amount, at) in enumerate(amounts_at)
        ]
        payments.begun(tx, 0, rows)

    assert person.node is not None
    await person.node.core.database.transact(write)


def sums(form: str, written: str) -> Sums:
    """What is owed, of each contact and unit that does not come to nothing, sorted."""
    found: dict[tuple[str, str], Decimal] = defaultdict(Decimal)
    if form == "csv":
        for row in csv.DictReader(written.splitlines()):
            found[row["account"], row["unit"]] += Decimal(row["amount"])
    else:
        for name, amount, unit in re.findall(r"^ +[Aa]ssets:(\S+)  (-?[\d.]+) (\S+)$", written, re.MULTILINE):
            found[name, unit] += Decimal(amount)
    return sorted(one for one in found.values() if one)


async def shown(person: Person) -> Sums:
    """The same by the ledger."""
    rows = (await person.call("payments.balances"))["balances"]
    return sorted(Decimal(row["owed"]) for row in rows if row["minor"])


async def _has(person: Person, what: str) -> bool:
    return bool((await waiting(person))[what])


async def _may_owe(person: Person, count: int) -> bool:
    rows = (await person.call("payments.balances"))["balances"]
    return sum(Decimal(row["credit"]) > 0 for row in rows) == count


async def pay(w: World, payer: Person, payee: Person, *, accepted: bool = True, **what: object) -> str:
    """A payment that is accepted, or declined; its id."""
    line = await payer.call("payments.pay", to=payee.name, **what)
    await w.until(partial(_has, payee, "offers"))
    await payee.call("payments.accept" if accepted else "payments.decline", id=line["id"])
    await w.until(partial(both_see, (payer, payee), line["id"], "settled" if accepted else "declined"))
    return str(line["id"])


async def traded(w: World) -> tuple[Person, Person, Person]:
    """Three people who have paid, declined, given back and settled up, in three units."""
    ana, bo, chen = await pair(w, "ana", "bo", "chen")
    for creditor, debtor in ((bo, ana), (chen, ana), (ana, chen)):
        for amount, unit in (("100", "EUR"), ("5", "h"), ("9000", "JPY")):
            await creditor.call("payments.limit", to=debtor.name, amount=amount, unit=unit)
    await w.until(partial(_may_owe, ana, 6))
    await w.until(partial(_may_owe, chen, 3))
    lunch = await pay(w, ana, bo, amount="12.50", unit="EUR", note='lunch | "two"; and three')
    await pay(w, ana, bo, amount="2", unit="h")
    await pay(w, ana, chen, amount="300", unit="JPY")
    await pay(w, ana, chen, amount="7", unit="EUR")
    await pay(w, chen, ana, amount="9.99", unit="EUR", note="a book")
    await pay(w, ana, bo, accepted=False, amount="1", unit="EUR")
    back = await bo.call("payments.refund", id=lunch, amount="2.50")
    await w.until(partial(both_see, (ana, bo), back["id"], "settled"))
    given = await bo.call("payments.settle", to="ana", amount="4", unit="EUR")
    await w.until(partial(both_see, (ana, bo), given["id"], "settled"))
    await ana.call("payments.pay", to="bo", amount="3", unit="EUR")  # which waits, and is in no book
    return ana, bo, chen


def test_every_book_comes_to_what_the_ledger_comes_to() -> None:
    async def story(w: World) -> None:
        people_ = await traded(w)
        ana = people_[0]
        for person in people_:
            for form in FORMS:
                assert sums(form, await export(person, form)) == await shown(person) != []
        assert len((await export(ana)).splitlines()) == 1 + 7
        assert sums("csv", await export(ana, to="bo")) == [Decimal("-6.00"), Decimal("-2")]
        year = (await statement(ana, "2026")).splitlines()
        ended = [one.strip() for one in year[year.index("At the end of 2026") + 1 :]]
        assert "EUR: you are owed 2.99, you owe 6.00, in all -3.01" in ended
        file = await whole(ana, await ana.call("books.statement", month="2026", form="pdf"))
        assert file.startswith(b"%PDF-")
        assert file.rstrip().endswith(b"%%EOF")

    world.run(story, seed=61)


@pytest.mark.process
@pytest.mark.skipif(shutil.which("hledger") is None, reason="hledger is not installed")
def test_hledger_takes_the_book_of_a_node_and_comes_to_the_same() -> None:
    found: list[tuple[str, Sums]] = []

    async def story(w: World) -> None:
        found.extend([(await export(one, "hledger"), await shown(one)) for one in await traded(w)])

    world.run(story, seed=62)
    assert len(found) == 3
    for written, owed in found:
        ran = subprocess.run(
            ["hledger", "-f", "-", "--strict", "bal", "--flat", "--layout=bare", "-N", "-O", "csv", "assets"],
            input=written.encode(),
            capture_output=True,
            env={"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin:/usr/local/bin"},
        )
        assert ran.returncode == 0, ran.stderr.decode()
        rows = list(csv.reader(ran.stdout.decode().splitlines()))[1:]
        assert sorted(Decimal(row[2]) for row in rows if Decimal(row[2])) == owed


def test_the_parts_of_a_big_book_are_one_book_of_one_moment() -> None:
    async def story(w: World) -> None:
        ana, _ = await pair(w)
        await store(ana, "bo", *((n, LATE_MS + n) for n in range(1, MANY + 1)))
        before = await export(ana)
        first = await ana.call("books.export", form="csv")
        assert (len(b64decode(first["part"])), first["next"]) == (PART_BYTES, PART_BYTES)
        assert first["bytes"] > 2 * PART_BYTES
        await store(ana, "bo", (5, LATE_MS))
        assert (await whole(ana, first)).decode() == before
        rows = list(csv.DictReader(before.splitlines()))
        assert len({row["id"] for row in rows}) == len(rows) == MANY
        assert sums("csv", before) == [Decimal(MANY * (MANY + 1) // 2) / 100]
        after = await export(ana)
        assert len(after.splitlines()) == len(before.splitlines()) + 1
        assert sums("csv", after) == [Decimal(MANY * (MANY + 1) // 2 + 5) / 100]

    world.run(story, seed=63)


def test_a_month_ends_where_the_next_begins_in_every_zone() -> None:
    async def story(w: World) -> None:
        ana, _ = await pair(w)
        await store(ana, "bo", (100, LATE_MS - 40 * DAY_MS), (1250, LATE_MS), (-50, LATE_MS + 3_600_000))
        for east_min, october, opening in ((0, 1, "13.50"), (60, 0, "1.00"), (29, 1, "13.50"), (-60, 1, "13.00")):
            told = await statement(ana, "2026-10", east_min=east_min)
            assert told.count("12.50  ") == october
            assert re.search(r"closing balance +([\d.]+)", told)[1] == opening  # type: ignore[index]
            told = await statement(ana, "2026-11", east_min=east_min)
            assert re.search(r"opening balance +([\d.]+)", told)[1] == opening  # type: ignore[index]
            assert re.search(r"closing balance +([\d.]+)", told)[1] == "13.00"  # type: ignore[index]
        assert "2026-10-31T23:30:00Z" in await export(ana)
        assert "2026-11-01T13:30:00+14:00" in await export(ana, east_min=840)
        assert "2026-10-31T09:30:00-14:00" in await export(ana, east_min=-840)
        assert "\n2026-11-01 * " in await export(ana, "hledger", east_min=60)
        assert "opening balance" not in await statement(ana, "2025")

    world.run(story, seed=64)


def test_who_owes_nobody_has_books_too() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await bo.call("payments.limit", to="ana", amount="5", unit="EUR")
        for form in FORMS:
            for more in ({}, {"to": "bo"}):
                written = await export(ana, form, **more)
                assert written.endswith("\n")
                assert sums(form, written) == []
        told = await statement(ana, "2026-11")
        assert told.splitlines()[1] == units.IOU
        assert "Nothing was owed, and nothing changed." in told

    world.run(story, seed=65)


async def what_is_no_evidence(w: World, ana: Person, bo: Person, faults: Faults) -> None:
    """What cannot be shown to others, and why."""
    for text, code in (("", "id.malformed"), ("0000", "payment.unknown")):
        assert await faults.code("books.evidence", id=text) == code
    asked = await ana.call("payments.ask", to="bo1", amount="1", unit="EUR")
    assert await faults.code("books.evidence", id=asked["id"]) == "ledger.unknown"  # a request shows nothing
    await ana.call("payments.limit", to="bo1", amount="9", unit="EUR")

    async def may_owe() -> bool:
        return any(row["credit"] == "9.00" for row in (await bo.call("payments.balances"))["balances"])

    async def came() -> bool:
        return bool((await waiting(ana))["offers"])

    await w.until(may_owe)
    offer = await bo.call("payments.pay", to="ana", amount="1", unit="EUR")
    await w.until(came)

    def without_a_signature(tx: Tx) -> None:
        _, theirs = spaces.ledger(tx, people.find_contact(tx, "bo1").id)
        first = logs.key(theirs[0].log.number, 0)
        other = "CAST(substr(raw, 1, length(raw) - 1) || x'00' AS BLOB)"
        tx.execute(f"UPDATE entry SET raw = {other} WHERE key = ?", (first,))

    def twin(tx: Tx) -> None:
        kept = "contact, mine, unit, amount, stage, offered_ms, changed_ms, expires_ms, memo, cause, of, hop"
        kept += ", generation, lapsed"
        other = "CAST(x'02' || substr(pay, 2) AS BLOB)"
        tx.execute(f"INSERT INTO payment (pay, {kept}) SELECT {other}, {kept} FROM payment")

    assert ana.node is not None
    database = ana.node.core.database
    await database.transact(twin)
    assert await faults.code("books.evidence", id=offer["id"][-8:]) == "payment.ambiguous"
    await database.transact(without_a_signature)
    assert await faults.code("books.evidence", id=offer["id"]) == "ledger.unprovable"


def test_what_is_asked_wrongly_is_said() -> None:
    async def story(w: World) -> None:
        ana, bo, _ = await pair(w, "ana", "bo1", "bo2")
        faults = Faults(ana)
        for method, more in (("books.export", {"form": "csv"}), ("books.statement", {"month": "2026-11"})):
            for who, code in (("nobody", "unknown"), ("bo", "ambiguous")):
                assert await faults.code(method, **more, to=who) == f"contact.{code}"
            for east_min in (841, -841, 2**70):
                assert await faults.code(method, **more, east_min=east_min) == "books.zone"
        for month in (
            "",
            "11",
            "2026-13",
            "2026-00",
            "26",
            "1969",
            "2026-1",
            "2026-11-30",
            "٢٠٢٦",
            "x" * 9999,
            "\ud800",
        ):
            assert await faults.code("books.statement", month=month) == "statement.month"
        await what_is_no_evidence(w, ana, bo, faults)
        await store(ana, "bo1", *((1, LATE_MS) for _ in range(MANY)))
        assert await faults.code("books.part", token="", offset=1) == "books.part"
        opened = [await ana.call("books.export", form="csv") for _ in range(KEPT_MAX + 1)]
        forgotten, *kept = opened
        assert await faults.code("books.part", token=forgotten["token"], offset=forgotten["next"]) == "books.part"
        for one in kept:
            for offset in (0, -1, one["bytes"], 2**70):
                assert await faults.code("books.part", token=one["token"], offset=offset) == "books.offset"
            await whole(ana, one)
            assert (
                await faults.code("books.part", token=one["token"], offset=one["next"]) == "books.part"
            )  # read to the end
        assert faults.missing("books") == set()

    world.run(story, seed=66)
