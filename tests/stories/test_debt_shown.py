"""Story: who paid shows it to a stranger, and so does who was paid; the stranger has no weft."""

from functools import partial

from features.books import proving
from lab import world
from lab.world import Person, World
from ledger.examination import Verdict
from ledger.payment import Stage
from ledger.terms import Offer
from protocol import ids
from store import people
from store.database import Tx
from tests.ledger import signed
from tests.stories.debt_kit import both_see, pair


async def shown(one: Person, other: str, pays: bool, pay: str) -> bytes:
    """The evidence of a payment as one of the two hands it on."""

    def gather(tx: Tx) -> bytes:
        return proving.prove(tx, people.find_contact(tx, other).id, pays, ids.ulid_from(pay))

    assert one.node is not None
    raw: bytes = await one.node.core.database.transact(gather)
    return raw


async def is_the_same(payer: Person, payee: Person, pay: str) -> bool:
    """Whether both hand on the same: what is not known to lie at the other's nobody hands on."""
    return await shown(payer, payee.name, True, pay) == await shown(payee, payer.name, False, pay)


async def _may_owe(person: Person) -> bool:
    return any(row["credit"] != "0.00" for row in (await person.call("payments.balances"))["balances"])


def test_both_show_the_same_of_a_payment_among_others() -> None:
    async def story(w: World) -> None:
        ana, bo = await pair(w)
        await bo.call("payments.limit", to="ana", amount="100", unit="EUR")
        await w.until(partial(_may_owe, ana))
        first = await ana.call("payments.pay", to="bo", amount="12.50", unit="EUR", note="lunch")
        second = await ana.call("payments.pay", to="bo", amount="3", unit="EUR", note="a secret")
        for line, answer, state in ((second, "decline", "declined"), (first, "accept", "settled")):
            await w.until(partial(both_see, (ana, bo), line["id"], "offered"))
            await bo.call(f"payments.{answer}", id=line["id"])
            await w.until(partial(both_see, (ana, bo), line["id"], state))
        for line, stage in ((first, Stage.SETTLED), (second, Stage.DECLINED)):
            await w.until(partial(is_the_same, ana, bo, line["id"]))
            raw = await shown(ana, "bo", True, line["id"])
            verdict = signed.agreed(raw).verdict
            assert isinstance(verdict, Verdict)
            assert verdict.stage is stage
            assert isinstance(verdict.begun, Offer)
            assert verdict.begun.memo == line["note"]
            assert (b"lunch" in raw, b"secret" in raw) == (False, False)  # sealed, each under a key of its own

    world.run(story, seed=12)
