"""What a node does by itself about ways and locks, whenever something has come or a time is over.

    words of contacts -> answers, searches of our own, promises       locks -> passed on, revealed, released
    ways found -> our lock                                            offers for our invoices -> accepted or declined

Each step is decided by the tabs and tables alone, and written together with what it was decided by: so a node that is
killed goes on where it was. Not here: the rules (ledger/path.py, ledger/finding.py), what a person does (service.py).
"""

from dataclasses import dataclass, field
from typing import Any

import structlog
import trio

from features.paths import board, paying, view
from features.paths.board import Board
from features.paths.paying import Payer
from features.paths.view import Wanted
from ledger import commands, finding, path
from ledger.finding import Ask, Asked, Nowhere, Search, Tell, Way
from ledger.path import Onwards, Write
from ledger.tab import Key
from ledger.terms import Accept, Cause, Decline
from node import speech
from node.delivery import Delivery
from node.inward import Inward
from node.till import Till, is_open_to
from protocol import ids
from protocol.probe import Found, Probe
from store import logs, payments, people, spaces, tabs
from store.database import Tx
from store.payments import Paid
from store.tabs import OpenTab

TOPICS = frozenset(
    {logs.TOPIC, spaces.CHANGED, tabs.CHANGED, payments.CHANGED, people.CHANGED, view.CHANGED, view.HEARD}
)
PAYER_MS = 30_000  # that a payer waits for answers; who is asked may ask others meanwhile
MIDDLE_MS = 12_000
STEPS_MAX = 64  # of one transaction
WORDS_MAX = 64

log = structlog.get_logger("paths")


@dataclass
class Clerk:
    """The clerk of ways. `run` works until cancelled."""

    inward: Inward
    till: Till
    delivery: Delivery
    _told: dict[int, None] = field(default_factory=dict)  # contacts to whom something was posted
    payer: Payer = field(init=False)

    def __post_init__(self) -> None:
        self.payer = Payer(self.inward, self.till, self.carry)

    async def run(self) -> None:
        """Does what is due whenever something is new, until cancelled."""
        database = self.inward.database
        with database.watch(TOPICS) as changes:
            while True:
                while await database.transact(self._work):
                    pass
                await self._stir()
                next_ms = await database.read(_next_ms)
                wait_s = float("inf") if next_ms is None else max(0.1, (next_ms - self.inward.now()) / 1000)
                with trio.move_on_after(wait_s):
                    await changes.receive()

    def _work(self, tx: Tx) -> bool:
        """Does a part of all that is due; returns whether there may be more."""
        if self._hear(tx):  # nothing is given up of which the answer lies here
            return True
        is_more = [work(tx) for work in (self._give_up, self._sell, self._step, self.payer.go_on)]
        return any(is_more)

    async def _stir(self) -> None:
        told, self._told = self._told, {}
        for contact_id in told:
            self.delivery.stir(contact_id)

    # --- words of contacts

    def _hear(self, tx: Tx) -> bool:
        """Looks at what contacts have asked and answered; returns whether there may be more."""
        for _ in range(WORDS_MAX):
            word = view.next_word(tx)
            if word is None:
                return False
            contact_id, said = word
            if isinstance(said, Probe):
                self._asked(tx, contact_id, said)
            else:
                self._answered(tx, contact_id, said)
        return True

    def _asked(self, tx: Tx, contact_id: int, question: Probe) -> None:
        table = board.laid(tx, self.till, (contact_id, *view.caps(tx)))
        before = bytes(people.contact(tx, contact_id).account)
        open_lines = {account: line for account, line in table.lines.items() if line.is_open}
        waiting = tuple(one for one, _ in view.searches(tx))
        self.carry(tx, finding.asked(open_lines, before, question, waiting, table.routes, self.inward.now()))

    def _answered(self, tx: Tx, contact_id: int, said: Found) -> None:
        search = next((one for one, _ in view.searches(tx) if one.probe.search == said.search), None)
        if search is None:
            return
        table = board.laid(tx, self.till, (contact_id, *view.caps(tx)))
        account = bytes(people.contact(tx, contact_id).account)
        found = finding.told(table.lines, search, account, said, table.routes, self.inward.now())
        self._carry_on(tx, search, found)

    def _give_up(self, tx: Tx) -> bool:
        """Ends one search whose time is over; returns whether there was one."""
        for search, until_ms in view.searches(tx):
            if until_ms <= self.inward.now():
                self._carry_on(tx, search, finding.given_up(search))
                return True
        return False

    def _carry_on(self, tx: Tx, before: Search, found: Asked) -> None:
        """As `carry`, for a search that waits here already: only new questions begin its time anew."""
        if found.search is None:
            view.drop_search(tx, before.probe.search)
        self.carry(tx, found)

    def carry(self, tx: Tx, found: Asked) -> None:
        """Carries out what a search asks for."""
        now_ms = self.inward.now()
        is_asking = any(isinstance(one, Ask) for one in found.effects)
        if found.search is not None:
            known = next((at for one, at in view.searches(tx) if one.probe.search == found.search.probe.search), None)
            fresh_ms = now_ms + (PAYER_MS if found.search.before is None else MIDDLE_MS)
            view.keep_search(tx, found.search, fresh_ms if is_asking or known is None else known)
        for effect in found.effects:
            match effect:
                case Ask(account, question):
                    self._say(tx, account, question)
                case Tell(account, answer, route):
                    if route is not None:
                        view.keep_route(tx, route)
                    self._say(tx, account, answer)
                case Way(search, account, amount):
                    self.payer.found(tx, search, account, amount)
                case Nowhere(search):
                    self.payer.missed(tx, search)

    def _say(self, tx: Tx, account: bytes, said: Any) -> None:
        contact = people.by_account(tx, ids.AccountId(account))
        if contact is not None and is_open_to(contact):
            speech.say(tx, contact.id, (said,), self.inward.now(), self.inward.ground.entropy("message"))
            self._told[contact.id] = None

    # --- locks

    def _step(self, tx: Tx) -> bool:
        """Writes what is due about locks that came; returns whether there may be more."""
        for _ in range(STEPS_MAX):
            table = board.laid(tx, self.till)
            for route in table.routes:
                if path.is_over(route, table.lines, self.inward.now()):
                    view.drop_route(tx, route)
            dues = board.dues(tx, table)
            step = path.next_step(table.lines, table.routes, dues, table.secrets, self.inward.now())
            if step is None:
                return False
            self._write(tx, table, step)
        return True

    def _write(self, tx: Tx, table: Board, step: path.Step) -> None:
        one = table.tabs[step.contact]
        match step:
            case Write(_, term, reason):
                if reason is not None:
                    log.info("lock released", contact=one.contact, reason=reason.name)
                self.till.write(tx, one, lambda _: term)
            case Onwards():
                pay = self.till.new_pay(one)
                self.till.write(tx, one, lambda _: step.lock(pay))
                assert step.route is not None
                view.drop_route(tx, step.route)
                view.keep_route(tx, step.passed(pay))

    # --- invoices that contacts pay directly

    def _sell(self, tx: Tx) -> bool:
        """Accepts or declines one offer for an invoice of ours; returns whether there was one."""
        for row in payments.offered(tx, Cause.INVOICE):
            wanted = view.invoice_called(tx, row.of)
            contact = people.contact(tx, row.contact)
            if wanted is None or not is_open_to(contact):
                continue
            one = self.till.of(tx, row.contact)
            key = Key(one.side.other, row.pay)
            if one.pause is None and key in one.tab.payments:
                self._answer(tx, one, row, wanted)
                return True
        return False

    def _answer(self, tx: Tx, one: OpenTab, row: Paid, wanted: Wanted) -> None:
        key = Key(one.side.other, row.pay)
        is_fit = (row.unit, row.amount) == (wanted.unit, wanted.amount) and self.inward.now() <= wanted.expires_ms
        is_free = not board.is_taken(tx, wanted.name) and not paying.is_shown(tx, wanted.hash)
        if is_fit and is_free and commands.refusal(one.tab, one.side, key) is None:
            self.till.write(tx, one, lambda tab: Accept(key.pay, tab.state()))
            view.tell_invoice(tx, wanted.id)
        else:
            self.till.write(tx, one, lambda _: Decline(key.pay))


def _next_ms(tx: Tx) -> int | None:
    """When the next search is given up, or the next promise is over."""
    searched = [until_ms for _, until_ms in view.searches(tx)]
    return min(searched + [one.until_ms + 1 for one in view.routes(tx) if one.came is None], default=None)
