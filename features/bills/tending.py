"""What a node does about its bills by itself, whenever something has come or a time is over.

    a day after the split, not paid  -> reminded, once           somebody has paid     -> the others hear how many
    stopped, could not be withdrawn  -> withdrawn once it can    nothing is open       -> over

Whatever is said is noted in the same transaction, so a restart says nothing twice. Not here: what a person decides
(service.py).
"""

from collections.abc import Callable

import trio

from features.bills import view
from features.bills.content import Progress, Reminder
from features.bills.view import Share
from ledger.tab import Tab
from ledger.terms import Dismiss
from node import speech
from node.core import Core
from node.till import is_open_to
from store import payments, people, reminders, tabs
from store.database import Tx

TOPICS = frozenset({payments.CHANGED, payments.ASKED, tabs.CHANGED, people.CHANGED, view.CHANGED})
REMIND_MS = 86_400_000  # after the split, as people know it from elsewhere
TELL_MS = 600_000  # between two words on how many have paid: a table pays within minutes
GATHER_S = 0.5  # one payment is several changes
LOOK_S = 600.0  # at the latest while a time is waited for: a machine that slept has another clock


async def run(core: Core) -> None:
    """Does what is due whenever something is new, until cancelled."""
    with core.database.watch(TOPICS) as changes:
        while True:
            next_ms = await _tend(core)
            wait_s = float("inf") if next_ms is None else (next_ms - core.ground.now_ms()) / 1000
            with trio.move_on_after(min(max(wait_s, 0.0), LOOK_S) if next_ms is not None else wait_s):
                await changes.receive()
            await trio.sleep(GATHER_S)


def withdraw(tx: Tx, core: Core, bill_id: int) -> None:
    """Takes back what nobody has paid of a bill, where it can be written now."""
    for one in view.shares(tx, bill_id):
        if not one.can_be_withdrawn or not is_open_to(people.contact(tx, one.contact)):
            continue
        tab = core.till.of(tx, one.contact)
        if tab.pause is None:
            core.till.write(tx, tab, _saying(Dismiss(one.request, 1)))


async def _tend(core: Core) -> int | None:
    """Does what is due of all bills; returns when a time is over next."""
    due: list[int] = []
    for bill_id in await core.database.transact(view.open_bills):
        told, next_ms = await core.database.transact(_serve, core, bill_id)
        for contact_id in told:
            core.delivery.stir(contact_id)
        due += [] if next_ms is None else [next_ms]
    return min(due, default=None)


def _serve(tx: Tx, core: Core, bill_id: int) -> tuple[tuple[int, ...], int | None]:
    """Does what is due of a bill; returns to whom something is said, and when a time is over next."""
    one, now_ms = view.bill(tx, bill_id), core.ground.now_ms()
    assert one is not None
    if one.stopped_ms:
        withdraw(tx, core, bill_id)
    found = tuple(view.shares(tx, bill_id))
    if not any(each.state in view.OPEN for each in found):
        view.end(tx, bill_id)
        return (), None
    if one.stopped_ms:
        return (), None
    said: dict[int, list[Reminder | Progress]] = {}
    due: list[int] = []
    if now_ms < one.at_ms + REMIND_MS:
        due.append(one.at_ms + REMIND_MS)
    elif not all(each.is_reminded for each in found):
        for each in _open_to(tx, found):
            if reminders.remind(tx, each.contact, True, each.request, now_ms):
                said.setdefault(each.contact, []).append(Reminder(each.request))
        view.decided(tx, bill_id)
    paid = sum(each.state == "paid" for each in found)
    if paid != one.told:
        if one.told_ms <= now_ms < one.told_ms + TELL_MS:
            due.append(one.told_ms + TELL_MS)
        else:
            for each in _open_to(tx, found):
                said.setdefault(each.contact, []).append(Progress(each.request, paid, len(found)))
            view.told(tx, bill_id, paid, now_ms)
    for contact_id, contents in said.items():
        speech.say(tx, contact_id, tuple(contents), now_ms, core.ground.entropy("message"))
    return tuple(said), min(due, default=None)


def _open_to(tx: Tx, found: tuple[Share, ...]) -> tuple[Share, ...]:
    """The shares that are open, of contacts with whom one speaks."""
    return tuple(one for one in found if one.state == "open" and is_open_to(people.contact(tx, one.contact)))


def _saying(term: Dismiss) -> Callable[[Tab], Dismiss]:
    return lambda _: term
