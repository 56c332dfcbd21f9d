"""The room of red packets in a simulated world: what it refuses, what opening allows, and who is told what."""

from functools import partial
from typing import Any

from features.packets import view
from features.packets.content import Packet, Reason, Refused
from features.packets.view import NEVER, OURS, Kept, Opening, State
from lab import world
from lab.world import Person, World
from ledger import packet
from ledger.payment import Stage
from node import speech
from store import expected, logs, payments, people, spaces
from store.database import Tx
from store.people import ContactState
from tests.features.kit import Faults
from tests.stories.debt_kit import pair
from tests.stories.packet_kit import all_closed, all_see, check, database, shown, state

SEED = b"s" * 32


def lay(tx: Tx, name: bytes, contact: int, seed: bytes = SEED) -> int:
    """A packet that is here, and of which nobody was told."""
    promised = packet.promise(seed, 1_000, 2, is_random=True)
    row = view.put(tx, Kept(0, contact, name, "EUR", promised, seed, "", 0, 2**47, NEVER, ""))
    assert row is not None
    return row


async def wrong_packets(faults: Faults, send: dict[str, Any]) -> None:
    for to, code in (
        ([], "packet.nobody"),
        (["bo1", "BO1"], "packet.nobody"),
        (["nobody"], "contact.unknown"),
        (["bo"], "contact.ambiguous"),
        (["ana"], "packet.self"),
    ):
        assert await faults.code("packets.send", **(send | {"to": to})) == code
    for shares, code in ((3, "packet.people"), (0, "packet.shares"), (-1, "packet.shares")):
        assert await faults.code("packets.send", **(send | {"shares": shares})) == code
    for amount, code in (
        ("0", "amount.nothing"),
        ("-1", "amount.nothing"),
        ("1.234", "amount.decimals"),
        ("1e3", "amount.malformed"),
        ("9" * 30, "amount.large"),
        ("0.01", "packet.shares"),
        ("400.01", "packet.large"),
    ):
        assert await faults.code("packets.send", **(send | {"amount": amount})) == code
    assert await faults.code("packets.send", **(send | {"unit": "XYZ"})) == "amount.unit"
    for note in ("x" * 501, "é" * 251, "\ud800"):
        assert await faults.code("packets.send", **(send | {"note": note})) == "limit"
    assert await faults.person.call("packets.list") == []


async def wrong_ids(faults: Faults) -> None:
    def twins(tx: Tx) -> None:
        lay(tx, bytes(16), OURS)
        lay(tx, b"\x01" + bytes(15), OURS)

    await database(faults.person, twins)
    for method in ("packets.open", "packets.show"):
        assert await faults.code(method, id="ab") == "id.malformed"
        assert await faults.code(method, id="WXYZ") == "packet.unknown"
        assert await faults.code(method, id="0000") == "packet.ambiguous"
    assert await faults.code("packets.open", id="0" * 26) == "packet.own"


def test_every_fault_that_the_room_promises_is_met() -> None:
    async def story(w: World) -> None:
        ana, bo, _ = await pair(w, "ana", "bo1", "bo2")
        dee = await w.person("dee")
        faults = Faults(ana)
        send: dict[str, Any] = {"to": ["bo1", "bo2"], "amount": "20", "unit": "EUR"}
        await wrong_packets(faults, send)
        await wrong_ids(faults)

        theirs = (await bo.call("packets.send", to=["ana"], amount="5", unit="EUR"))["id"]
        await w.until(partial(all_see, (ana,), theirs, "waiting"))
        contact = await database(ana, lambda tx: people.find_contact(tx, "bo1").id)
        for change, code in (
            (lambda tx: people.set_alarm(tx, contact, people.STOPS), "contact.account_changed"),
            (lambda tx: people.set_alarm(tx, contact, ""), ""),
            (lambda tx: people.set_state(tx, contact, ContactState.PENDING, ""), "contact.not_yet"),
            (lambda tx: people.set_state(tx, contact, ContactState.BLOCKED, ""), "contact.blocked"),
            (lambda tx: people.set_state(tx, contact, ContactState.ACTIVE, ""), ""),
        ):
            await database(ana, change)
            if code:
                assert await faults.code("packets.send", **send) == code
                assert await faults.code("packets.open", id=theirs) == code
        assert await state(ana, theirs) == "waiting"

        await ana.call("packets.open", id=theirs)
        assert await faults.code("packets.open", id=theirs) == "packet.opened"
        await w.until(partial(all_closed, (ana, bo), theirs))
        assert await faults.code("packets.open", id=theirs) == "packet.opened"
        await database(ana, lay, b"\x02" * 16, contact)
        row = await database(ana, lambda tx: view.of(tx, contact, b"\x02" * 16))
        await database(ana, lambda tx: view.move(tx, row.id, Opening(b"n" * 16, State.REFUSED, reason=Reason.EMPTY)))
        over = (await ana.call("packets.list", limit=1))[0]["id"]
        assert await faults.code("packets.open", id=over) == "packet.over"

        def freeze(tx: Tx) -> None:
            ours, _ = spaces.ledger(tx, contact)
            tx.execute("UPDATE log SET state = ? WHERE number = ?", (logs.State.FROZEN, ours[0].log.number))

        await database(ana, lambda tx: view.move(tx, row.id, Opening(b"n" * 16, State.REFUSED, reason=Reason.PAUSED)))
        await database(ana, freeze)
        assert await faults.code("packets.open", id=over) == "ledger.paused"
        assert await state(ana, over) == "refused"
        assert faults.missing("packets") == set()
        del dee

    world.run(story, seed=51)


def test_opening_allows_as_much_as_the_largest_share_and_never_less_than_before() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await pair(w, "ana", "bo", "chen")
        await chen.call("payments.limit", to="ana", amount="100", unit="EUR")
        sent: dict[str, Any] = {"to": ["bo", "chen"], "amount": "20", "unit": "EUR"}
        first = (await ana.call("packets.send", **sent))["id"]
        second = (await ana.call("packets.send", **sent, equal=True))["id"]
        await w.until(partial(all_see, (bo, chen), second, "waiting"))
        w.network.partition(("ana",), ("bo",), ("chen",))
        limits = []
        for one in (first, second):
            for person in (bo, chen):
                await person.call("packets.open", id=one)
            limits.append([await _allowed(person) for person in (bo, chen)])
        assert limits == [["19.99", "100.00"], ["29.99", "100.00"]]
        w.network.heal_all()
        for one in (first, second):
            await w.until(partial(all_closed, (ana, bo, chen), one))
        found = [await shown(ana, one) for one in (first, second)]
        for person in (bo, chen):
            mine = [sum(each["minor"] for each in one["grants"] if each["who"] == person.name.title()) for one in found]
            (row,) = [each for each in (await person.call("payments.balances"))["balances"] if each["contact"] == "ana"]
            assert row["minor"] == sum(mine)

    world.run(story, seed=52)


async def _allowed(person: Person) -> str:
    rows = (await person.call("payments.balances"))["balances"]
    return next((str(row["allowed"]) for row in rows if row["contact"] == "ana"), "")


def test_a_second_share_of_one_packet_is_not_taken_by_itself() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w, "ana", "bo")
        name = (await ana.call("packets.send", to=["bo"], amount="5", unit="EUR"))["id"]
        await w.until(partial(all_see, (bo,), name, "waiting"))
        await bo.call("packets.open", id=name)
        await w.until(partial(all_closed, (ana, bo), name))
        await check(ana, (bo,), name)

        def compare(tx: Tx) -> tuple[bool, ...]:
            (paid,) = payments.history(tx, None, None, 5)
            begun = (paid.contact, False, b"2" * 16, "EUR", 100, Stage.OFFERED, 0, 0, 0, "", paid.cause)
            payments.begun(tx, 0, [(*begun, paid.of[:16] + b"\x01", 0)])
            second = payments.found(tx, paid.contact, False, b"2" * 16)
            assert second is not None
            found = (expected.holds(tx, paid), expected.holds(tx, second))
            payments.drop(tx, 0, [(paid.contact, False, paid.pay)])
            alone = expected.holds(tx, second)
            payments.drop(tx, 0, [(paid.contact, False, b"2" * 16)])
            payments.begun(tx, 0, [(*begun, b"other packet....\x01", 0)])
            other = payments.found(tx, paid.contact, False, b"2" * 16)
            assert other is not None
            return (*found, alone, expected.holds(tx, other))

        assert await database(bo, compare) == (True, False, True, False)

    world.run(story, seed=53)


def test_false_claims_over_the_wire_are_told_why() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await pair(w, "ana", "bo", "chen")
        name = (await ana.call("packets.send", to=["bo"], amount="5", unit="EUR"))["id"]
        await w.until(partial(all_see, (bo,), name, "waiting"))

        def overheard(tx: Tx, kept: Kept) -> None:
            """Chen has heard of the packet from Bo."""
            sender = people.find_contact(tx, "ana").id
            assert view.put(tx, Kept(0, sender, *_rest(kept))) is not None

        def _rest(kept: Kept) -> tuple[Any, ...]:
            return kept.packet, kept.unit, kept.promised, b"", "", 0, kept.expires_ms, NEVER, ""

        (kept,) = await database(bo, lambda tx: view.newest(tx, 5))
        await database(chen, overheard, kept)
        await chen.call("packets.open", id=name)
        await w.until(partial(all_see, (chen,), name, "refused"))
        assert (await shown(chen, name))["reason"] == "it is for others"
        await database(chen, lambda tx: lay(tx, b"\x07" * 16, people.find_contact(tx, "ana").id))
        false = (await chen.call("packets.list", limit=1))[0]["id"]
        await chen.call("packets.open", id=false)
        await w.until(partial(all_see, (chen,), false, "refused"))
        assert (await shown(chen, false))["reason"] == "ana knows no such packet"
        assert (await shown(ana, name))["taken"] == 0

    world.run(story, seed=54)


def test_what_may_be_tried_again_is_opened_again() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w, "ana", "bo")
        name = (await ana.call("packets.send", to=["bo"], amount="5", unit="EUR"))["id"]
        await w.until(partial(all_see, (bo,), name, "waiting"))
        (kept,) = await database(bo, lambda tx: view.newest(tx, 5))

        def refused(tx: Tx) -> None:
            view.move(tx, kept.id, Opening(b"n" * 16, State.REFUSED, reason=Reason.PAUSED))

        await database(bo, refused)
        assert (await shown(bo, name))["reason"].endswith("open it again later")
        await bo.call("packets.open", id=name)
        await w.until(partial(all_closed, (ana, bo), name))
        await check(ana, (bo,), name)

    world.run(story, seed=55)


def test_a_paused_ledger_refuses_a_claim_and_gives_nothing_away() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w, "ana", "bo")
        await ana.call("payments.limit", to="bo", amount="1", unit="EUR")
        name = (await ana.call("packets.send", to=["bo"], amount="5", unit="EUR"))["id"]
        await w.until(partial(all_see, (bo,), name, "waiting"))

        def freeze(tx: Tx) -> None:
            ours, _ = spaces.ledger(tx, people.find_contact(tx, "bo").id)
            tx.execute("UPDATE log SET state = ? WHERE number = ?", (logs.State.FROZEN, ours[0].log.number))

        await database(ana, freeze)
        await bo.call("packets.open", id=name)
        await w.until(partial(all_see, (bo,), name, "refused"))
        found = await shown(ana, name)
        assert (found["grants"], found["remainder"], found["state"]) == ([], "5.00", "open")

    world.run(story, seed=56)


def test_a_sender_who_offers_another_amount_than_the_share_is_found() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w, "ana", "bo")
        name = (await ana.call("packets.send", to=["bo"], amount="5", unit="EUR"))["id"]
        await w.until(partial(all_see, (bo,), name, "waiting"))
        await bo.call("packets.open", id=name)
        await w.until(partial(all_closed, (ana, bo), name))
        assert (await shown(bo, name))["fair"] is True

        def less(tx: Tx) -> None:
            tx.execute("UPDATE payment SET amount = amount - 1")

        await database(bo, less)
        found = await shown(bo, name)
        assert (found["fair"], found["fault"]) == (False, "what is offered to you is not the share that you got")

    world.run(story, seed=57)


def test_who_is_blocked_is_answered_nothing() -> None:
    async def story(w: World) -> None:
        ana, bo, chen = await pair(w, "ana", "bo", "chen")
        name = (await ana.call("packets.send", to=["bo", "chen"], amount="5", unit="EUR"))["id"]
        await w.until(partial(all_see, (bo, chen), name, "waiting"))
        await ana.call("contacts.block", name="bo")
        await bo.call("packets.open", id=name)
        await chen.call("packets.open", id=name)
        await w.until(partial(all_see, (chen,), name, "granted"))
        assert await state(bo, name) == "claimed"
        assert [each["who"] for each in (await shown(ana, name))["grants"]] == ["Chen"]

    world.run(story, seed=58)


def test_a_reason_of_a_later_version_is_shown_as_a_refusal() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w, "ana", "bo")
        contact = await database(ana, lambda tx: people.find_contact(tx, "bo").id)
        promised = packet.promise(SEED, 500, 1, is_random=False)

        def say(tx: Tx, said: object) -> None:
            speech.say(tx, contact, (said,), w.now_ms(), ana.entropy("test"))

        told = Packet(b"k" * 16, "XTS?", 500, 1, 0, promised.root, promised.seed_hash, w.now_ms() + 1000)
        await database(ana, say, told)
        await w.until(lambda: _has(bo, 1))
        (row,) = await bo.call("packets.list")
        assert (row["amount"], row["unit"], row["kind"], row["largest"]) == ("500", "XTS?", "equal", "500")
        await bo.call("packets.open", id=row["id"])
        await w.until(partial(all_see, (bo,), row["id"], "refused"))  # of which Ana's node knows nothing
        opening = await database(bo, lambda tx: view.opening(tx, 1))
        await database(bo, lambda tx: view.move(tx, 1, Opening(opening.nonce, State.CLAIMED)))
        await database(ana, say, Refused(b"k" * 16, opening.nonce, 99))
        await w.until(partial(all_see, (bo,), row["id"], "refused"))
        assert (await shown(bo, row["id"]))["reason"] == "ana refused it"

    world.run(story, seed=59)


async def _has(person: Person, count: int) -> bool:
    return len(await person.call("packets.list")) == count


def test_a_share_that_was_given_up_with_the_old_ledger_waits_for_nobody() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w, "ana", "bo")
        name = (await ana.call("packets.send", to=["bo"], amount="5", unit="EUR"))["id"]
        await w.until(partial(all_see, (bo,), name, "waiting"))
        await bo.call("packets.open", id=name)
        await w.until(partial(all_closed, (ana, bo), name))

        def give_up(tx: Tx) -> None:
            (paid,) = payments.history(tx, None, None, 5)
            payments.moved(tx, 0, [(paid.contact, False, paid.pay, Stage.ACCEPTED, 1)])
            payments.lapse(tx, paid.contact, 1)

        await database(bo, give_up)
        assert (await shown(bo, name))["reason"] == "given up with the old ledger"

    world.run(story, seed=58)
