"""The room of bills in a simulated world: what it refuses, that shares sum to the total, what it shows and keeps."""

from functools import partial
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from lab import world
from lab.world import Person, World
from ledger import bill as ledger_bill
from ledger import units
from protocol import ids
from protocol.faults import UserFault
from protocol.log import Fork
from store import intake, people
from store.database import Tx
from store.identity import Identity
from tests import depth
from tests.features.kit import Faults
from tests.stories import log_kit
from tests.stories.debt_kit import pair, waiting

SPLIT: dict[str, Any] = {"amount": "90", "unit": "EUR", "names": ["bo1", "chen"]}
EUR = units.of("EUR")


async def run(person: Person, f: Any, *args: Any) -> Any:
    """A transaction in somebody's database."""
    assert person.node is not None
    return await person.node.core.database.transact(f, *args)


def written(tx: Tx) -> tuple[int, ...]:
    """How many bills, shares, requests and entries there are."""
    counted = [tx.one(f"SELECT COUNT(*) FROM {name}") for name in ("bill", "bill_share", "request", "entry", "message")]
    return tuple(row[0] for row in counted if row is not None)


def fork(tx: Tx, me: Identity, now_ms: int) -> None:
    """This device has signed two histories of its newest ledger."""
    own = log_kit.own(tx, "ledger")
    one, other = (log_kit.sign(tx, me, own, said, 0, None, now_ms) for said in (b"one", b"other"))
    assert intake.freeze(tx, Fork.of(one.raw, other.raw), now_ms)


async def wrong_splits(w: World, ana: Person, faults: Faults) -> None:
    async def code(**more: Any) -> str:
        return await faults.code("bills.split", **(SPLIT | more))

    before = await run(ana, written)
    for names in ([], ["ana"], [" ANA "]):
        assert await code(names=names) == "bill.nobody"
    for names in (["bo1", "chen", "Bo1"], ["ana", "bo1", "Ana"]):
        assert await code(names=names) == "bill.twice"
    assert await code(names=["ana", "chen"], with_me=False) == "bill.without_me"
    for weights in ([], [1], [1, 1, 1, 1]):
        assert await code(weights=weights) == "bill.weights"
    assert await code(weights=[1], with_me=False) == "bill.weights"
    for weights in ([1, -1], [0, 0, 0], [1, ledger_bill.WEIGHT_MAX + 1]):
        assert await code(weights=weights) == "bill.split"
    for amount, weights in (("90", [1, 0]), ("0.01", [1, 1]), ("0.01", [1, 0, 0]), ("1", [1_000_000, 1])):
        assert await code(amount=amount, weights=weights) == "bill.share"
    for receipt in ("x" * 401, "語" * 134, "\ud800"):
        assert await code(receipt=receipt) == "limit"
    for name, wanted in (("nobody", "unknown"), ("bo", "ambiguous"), ("fay", "not_yet"), ("gil", "blocked")):
        assert await code(names=["chen", name]) == f"contact.{wanted}"
    await run(ana, lambda tx: people.set_alarm(tx, people.find_contact(tx, "dee").id, people.STOPS))
    assert await code(names=["chen", "dee"]) == "contact.account_changed"
    for unit in ("", "XXX", "EURO", "v:coffee"):
        assert await code(unit=unit) == "amount.unit"
    for amount, wanted in (
        ("0", "nothing"),
        ("-5", "nothing"),
        ("9,50", "malformed"),
        ("1e3", "malformed"),
        ("nan", "malformed"),
        ("1.234", "decimals"),
        ("9" * 30, "large"),
    ):
        assert await code(amount=amount) == f"amount.{wanted}"
    assert await run(ana, written) == before


async def wrong_ids(ana: Person, faults: Faults, methods: tuple[str, ...], of: str, table: str) -> None:
    """What every method says that takes the end of an id."""

    def twins(tx: Tx) -> None:
        columns = [row[1] for row in tx.all(f"PRAGMA table_info({table})") if row[1] != "id"]
        other = f"CAST(x'02' || substr({of}, 2) AS BLOB)"
        kept = ", ".join(other if one == of else one for one in columns)
        tx.execute(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {kept} FROM {table} LIMIT 1")

    def untwin(tx: Tx) -> None:
        tx.execute(f"DELETE FROM {table} WHERE id = (SELECT MAX(id) FROM {table})")

    room = "bill" if table == "bill" else "request"
    (row,) = await run(ana, lambda tx: tx.all(f"SELECT {of} FROM {table} LIMIT 1"))
    await run(ana, twins)
    for method in methods:
        assert await faults.code(method, id=ids.ulid(row[0])[-8:]) == f"{room}.ambiguous"
        assert await faults.code(method, id="0000") == f"{room}.unknown"
        for text in ("", "abc", "x" * 27, "ü234", "12-4"):
            assert await faults.code(method, id=text) == "id.malformed"
    await run(ana, untwin)


def test_every_fault_that_the_room_promises_is_met() -> None:
    async def story(w: World) -> None:
        ana, bo, *_ = await pair(w, "ana", "bo1", "chen", "dee", "gil")
        bo2, fay = await w.person("bo2"), await w.person("fay")
        await world.befriend(ana, bo2)
        link = (await fay.call("contacts.invite", expires_s=3600))["link"]
        await fay.kill()
        await ana.call("contacts.add", link=link, name="fay")
        await ana.call("contacts.block", name="gil")
        faults = Faults(ana)
        await wrong_splits(w, ana, faults)

        made = await ana.call("bills.split", **(SPLIT | {"names": ["bo1"]}))
        await wrong_ids(ana, faults, ("bills.show", "bills.stop"), "bill", "bill")
        await wrong_ids(ana, faults, ("bills.remind",), "request", "request")
        asked = made["shares"][0]["id"]
        await ana.call("bills.remind", id=asked)
        assert await faults.code("bills.remind", id=asked) == "request.reminded"
        await ana.call("bills.stop", id=made["id"])
        assert await faults.code("bills.stop", id=made["id"]) == "bill.over"
        over = await faults.of("bills.remind", id=asked)
        assert (over.code, str(over)) == ("request.over", "This request is withdrawn already; nothing was said.")
        assert await others_request_is_not_ours(w, ana, bo, faults)
        await contacts_that_are_not_reminded(ana, faults)

        assert ana.node is not None
        await run(ana, fork, ana.node.core.identity, w.now_ms())
        await w.until(partial(is_paused, ana))  # what nobody had acknowledged of it is no request now
        before = await run(ana, written)
        assert await faults.code("bills.split", **(SPLIT | {"names": ["bo2", "chen"]})) == "ledger.paused"
        assert await run(ana, written) == before
        assert faults.missing("bills") == set()

        made = await ana.call(
            "bills.split", **(SPLIT | {"names": ["bo2"]})
        )  # what was undone is forgotten in memory too
        await w.until(partial(is_asked, bo2, made["shares"][0]["id"]))

    world.run(story, 710)


async def is_paused(person: Person) -> bool:
    """Whether a ledger of a person stands still."""
    return bool((await person.call("payments.balances"))["paused"])


async def is_asked(person: Person, request: str) -> bool:
    """Whether this is the one request that waits for a person."""
    return [one["id"] for one in (await waiting(person))["asked"]] == [request]


async def others_request_is_not_ours(w: World, ana: Person, bo: Person, faults: Faults) -> bool:
    wish = await bo.call("payments.ask", to="ana", amount="1", unit="EUR")

    async def came() -> bool:
        return bool((await waiting(ana))["asked"])

    await w.until(came)
    return await faults.code("bills.remind", id=wish["id"]) == "request.not_ours"


async def contacts_that_are_not_reminded(ana: Person, faults: Faults) -> None:
    """Whoever is blocked, has another account, or is no contact any more, is told nothing."""
    wish = await ana.call("payments.ask", to="chen", amount="1", unit="EUR")
    for state, code in ((people.ContactState.BLOCKED, "blocked"), (people.ContactState.PENDING, "not_yet")):
        await run(ana, set_state, "chen", state)
        assert await faults.code("bills.remind", id=wish["id"]) == f"contact.{code}"
    await run(ana, set_state, "chen", people.ContactState.ACTIVE)
    await run(ana, lambda tx: people.set_alarm(tx, people.find_contact(tx, "chen").id, people.STOPS))
    assert await faults.code("bills.remind", id=wish["id"]) == "contact.account_changed"
    await run(ana, lambda tx: people.set_alarm(tx, people.find_contact(tx, "chen").id, ""))


def set_state(tx: Tx, name: str, state: people.ContactState) -> None:
    tx.execute("UPDATE contact SET state = ? WHERE id = ?", (int(state), people.find_contact(tx, name).id))


WEIGHTS = st.integers(0, 12) | st.sampled_from((1000, ledger_bill.WEIGHT_MAX))
SPLITS = st.tuples(st.integers(1, 2000) | st.integers(1, 10**12), st.lists(WEIGHTS, min_size=3, max_size=4))


@settings(max_examples=max(5, depth.EXAMPLES // 20), deadline=None)
@given(st.lists(SPLITS, min_size=1, max_size=12))
def test_the_shares_of_a_bill_sum_to_its_total_whatever_the_weights(wanted: list[tuple[int, list[int]]]) -> None:
    async def story(w: World) -> None:
        ana, *_ = await pair(w, "ana", "bo", "chen", "dee")
        for total, weights in wanted:
            await one_split(ana, total, weights)

    world.run(story, 711)


async def tried(person: Person, **asked: Any) -> Any:
    """The bill, or the code of what is wrong with it."""
    try:
        return await person.call("bills.split", **asked)
    except UserFault as fault:
        return fault.code


async def one_split(ana: Person, total: int, weights: list[int]) -> None:
    """The law for one bill: either nothing is written, or exactly the total is asked for and borne."""
    before = await run(ana, written)
    given_: dict[str, Any] = {"amount": units.number(total, EUR), "unit": "EUR", "names": ["bo", "chen", "dee"]}
    made = await tried(ana, **given_, weights=weights, with_me=len(weights) == 4)
    if isinstance(made, str):
        assert made in ("bill.share", "bill.split")
        assert min(weights[:3]) * total < sum(weights) or not any(weights)
        assert await run(ana, written) == before
        return
    shares = [one["minor"] for one in made["shares"]]
    assert sum(shares) + made["own_minor"] == made["minor"] == total
    whole = sum(weights)
    for share, weight in zip((*shares, made["own_minor"]), (*weights, 0)[:4], strict=True):
        assert abs(share * whole - total * weight) < whole
    asking = {one["id"]: one["minor"] for one in (await waiting(ana))["asking"]}
    assert [asking[one["id"]] for one in made["shares"]] == shares


def test_who_names_himself_has_the_weight_of_that_place() -> None:
    async def story(w: World) -> None:
        ana, *_ = await pair(w, "ana", "bo", "chen")
        made = await ana.call("bills.split", amount="90", unit="eur", names=["ana", "bo", "chen"], weights=[4, 1, 1])
        assert (made["own"], [one["amount"] for one in made["shares"]]) == ("60.00", ["15.00", "15.00"])
        made = await ana.call("bills.split", amount="90", unit="EUR", names=["bo", "chen"], weights=[2, 2])
        assert (made["own"], [one["amount"] for one in made["shares"]]) == ("18.00", ["36.00", "36.00"])
        made = await ana.call("bills.split", amount="90", unit="EUR", names=["bo"], weights=[1, 0])
        assert (made["own_minor"], made["people"], made["shares"][0]["amount"]) == (0, 1, "90.00")

    world.run(story, 712)


def test_a_bill_says_whom_one_has_to_allow_more() -> None:
    async def story(w: World) -> None:
        ana, *_ = await pair(w, "ana", "bo", "chen")
        await ana.call("payments.limit", to="bo", amount="29.99", unit="EUR")
        await ana.call("payments.limit", to="chen", amount="30", unit="EUR")
        made = await ana.call("bills.split", amount="90", unit="EUR", names=["bo", "chen"])
        assert [one["allow"] for one in made["shares"]] == ["30.00", ""]
        await ana.call("payments.limit", to="bo", amount="30", unit="EUR")
        shown = await ana.call("bills.show", id=made["id"][-6:].lower())
        assert [one["allow"] for one in shown["shares"]] == ["", ""]

    world.run(story, 713)


def test_bills_are_listed_in_pages_the_newest_first() -> None:
    async def story(w: World) -> None:
        ana, *_ = await pair(w, "ana", "bo")
        made = [await ana.call("bills.split", amount=str(n), unit="EUR", names=["bo"]) for n in range(1, 6)]
        newest = [one["id"] for one in reversed(made)]
        first = await ana.call("bills.list", limit=2)
        assert [one["id"] for one in first] == newest[:2]
        assert [one["id"] for one in await ana.call("bills.list", before=first[-1]["row"])] == newest[2:]
        assert await ana.call("bills.list", limit=0) == await ana.call("bills.list", limit=-1) == []

    world.run(story, 714)


def test_a_node_looks_through_what_is_open_alone() -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana")
        plan = await run(ana, lambda tx: tx.all("EXPLAIN QUERY PLAN SELECT id FROM bill WHERE is_over = 0 ORDER BY id"))
        assert "bill_open" in str(plan)

    world.run(story, 715)


def test_a_share_of_a_ledger_that_was_begun_anew_is_over_and_is_not_reminded_of() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        made = await ana.call("bills.split", amount="90", unit="EUR", names=["bo"])
        await ana.call("payments.reset", to="bo", owed=[])
        await w.until(partial(_is_proposed, bo))
        await bo.call("payments.agree", to="ana")
        await w.until(partial(_is_over, ana, made["id"]))
        (share,) = (await ana.call("bills.show", id=made["id"]))["shares"]
        assert share["state"] == "lapsed"
        over = await Faults(ana).of("bills.remind", id=share["id"])
        assert (over.code, "given up with the old ledger already" in str(over)) == ("request.over", True)

    world.run(story, seed=58)


async def _is_proposed(person: Person) -> bool:
    """Whether somebody proposes to begin a ledger anew."""
    return bool((await person.call("payments.balances"))["proposals"])


async def _is_over(person: Person, bill: str) -> bool:
    """Whether nothing of a bill is open any more."""
    return str((await person.call("bills.show", id=bill))["state"]) == "over"
