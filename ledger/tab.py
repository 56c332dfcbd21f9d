"""A tab: what two accounts owe each other, as a fold over the two halves of their ledger (docs/protocol/ledger.md 3).

    tab = Tab()
    tab.take(Side.LOW, Said(ack=0, term=Offer(...), id=...))       # Unseen: take more of the other half first
    tab.balance("EUR"), tab.payments, tab.state()

Each half is taken in its own order, the two in any order in which nothing is taken before what it has acknowledged: the
result is the same. What is said out of turn changes nothing; nothing that can be written raises. Not here: what a
payment is (payment.py), what an honest node writes (commands.py), entries and their signatures (protocol).
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from crypto import hashing
from crypto.faults import Forged
from crypto.hashing import Label
from ledger.payment import Payment, Side, Stage
from ledger.terms import Accept, Attest, Decline, Limit, Lock, Offer, Release, Reveal, Settle, Term, Void
from protocol import spine, wire

DEBT_BYTES = 16
UNITS_MAX = 100  # in which a side gives limits: each is a part of the state, and of every image


def lock_of(preimage: bytes) -> bytes:
    """The 32-byte hash by which a payment is locked. preimage: 32 bytes."""
    return hashing.hash_of(Label.LEDGER, b"lock" + preimage)


class Unseen(Exception):
    """An entry acknowledges one of the other half that was not taken yet: that comes first."""


class Said(NamedTuple):
    """An entry of a half. ack: how many of the other half its author had seen; term: None for what nobody knows yet."""

    ack: int
    term: Term | None
    id: bytes


class Key(NamedTuple):
    """By what a payment is known on a tab."""

    payer: Side
    pay: bytes


@dataclass
class Tab:
    """The fold. heads: how many entries of each half were taken; acked: up to where each has seen the other.

    newest: the name of the newest payment of each side. touched: the stages before of the payments that were changed,
    and touched_units: the units in which limits or debts were, since the caller emptied them.
    """

    payments: dict[Key, Payment] = field(default_factory=dict)
    heads: list[int] = field(default_factory=lambda: [0, 0])
    acked: list[int] = field(default_factory=lambda: [0, 0])
    newest: list[bytes] = field(default_factory=lambda: [b"", b""])
    touched: dict[Key, Stage | None] = field(default_factory=dict)
    touched_units: dict[str, None] = field(default_factory=dict)
    debts: dict[str, int] = field(default_factory=dict)  # what HIGH owes LOW, by unit
    limits: dict[tuple[Side, str], int] = field(default_factory=dict)  # by creditor
    accepts: dict[Key, bytes] = field(default_factory=dict)  # ids of the entries, while open
    # By payer, in the order of names, since names only go up; each with its row of the state, once that was asked for.
    _open: tuple[dict[Key, bytes], dict[Key, bytes]] = field(default_factory=lambda: ({}, {}))
    _over: list[Key] = field(default_factory=list)  # final, and still among the payments
    _reserved: dict[tuple[Side, str], int] = field(default_factory=dict)  # by payer: of all that are open
    _bound: dict[tuple[Side, str], int] = field(default_factory=dict)  # of those that the payee makes a debt, or locks
    _voided: tuple[deque[Key], deque[Key]] = field(default_factory=lambda: (deque(), deque()))  # payee has not seen it

    def take(self, side: Side, said: Said) -> None:
        """The next entry of a half. Raises: Unseen, and then nothing was taken."""
        if said.ack > self.heads[side.other]:
            raise Unseen
        seq = self.heads[side]
        self.heads[side] += 1
        self.acked[side] = max(self.acked[side], said.ack)
        self._see(side, seq)
        match said.term:
            case Limit(unit, most) if self.may_limit(side, unit):
                self.limits[side, unit] = most
                self.touched_units[unit] = None
            case Offer(pay, unit, amount, expires_ms, witnesses, _, cause, of):
                self._begin(Payment(side, pay, unit, amount, seq, expires_ms, witnesses, cause=cause, of=of))
            case Lock(pay, unit, amount, hash_):
                self._begin(Payment(side, pay, unit, amount, seq, 0, lock=hash_))
            case Accept(pay) | Decline(pay):
                self._answer(Key(side.other, pay), seq, said, is_lock=False)
            case Reveal(pay) | Release(pay):
                self._answer(Key(side.other, pay), seq, said, is_lock=True)
            case Settle(pay):
                self._settle(Key(side, pay), seq)
            case Void(pay):
                self._void(Key(side, pay), seq)
            case Attest(pay):
                self._attest(Key(side.other, pay), seq, said.term)
            case _:  # Ackn, Request, and what a later version says
                pass

    def resume(self, ones: Iterable[tuple[Payment, bytes | None]]) -> None:
        """Puts back all payments that are not final, as an image has them: each with the entry id of its acceptance."""
        for one, accept in ones:
            key = Key(one.payer, one.pay)
            self.payments[key], self._open[one.payer][key] = one, b""
            self._count(one, 1)
            if accept is not None:
                self.accepts[key] = accept
        for payer in Side:
            voided = (key for key in self._open[payer] if self.payments[key].stage is Stage.REFUNDING)
            self._voided[payer].extend(sorted(voided, key=self._ending))

    def forget_what_is_over(self) -> None:
        """Drops the payments that are final: nothing that can still come changes what they have come to."""
        for key in self._over:
            del self.payments[key]
        self._over.clear()

    # --- what it comes to

    def balance(self, side: Side, unit: str) -> int:
        """What the other side owes this one, of payments that are settled; negative where this side owes."""
        owed = self.debts.get(unit, 0)
        return owed if side is Side.LOW else -owed

    def limit(self, creditor: Side, unit: str) -> int:
        """Up to how much the other side may owe this creditor."""
        return self.limits.get((creditor, unit), 0)

    def may_limit(self, creditor: Side, unit: str) -> bool:
        """Whether a limit of this creditor says anything: he has given one in this unit, or in few (ledger 1.10)."""
        return (creditor, unit) in self.limits or sum(of is creditor for of, _ in self.limits) < UNITS_MAX

    def reserved(self, payer: Side, unit: str) -> int:
        """What a payer has on its way: all that is not final."""
        return self._reserved.get((payer, unit), 0)

    def bound(self, payer: Side, unit: str) -> int:
        """What of that was accepted, or is locked."""
        return self._bound.get((payer, unit), 0)

    def open(self) -> Iterable[Payment]:
        """The payments that are not final: LOW's and then HIGH's, each in the order of names."""
        return (self.payments[key] for opens in self._open for key in opens)

    @property
    def weight(self) -> int:
        """How many rows the state has: the work that it is to reckon it."""
        return len(self._open[Side.LOW]) + len(self._open[Side.HIGH]) + len(self.debts) + len(self.limits)

    def units(self) -> tuple[str, ...]:
        """All units in which something was ever owed or allowed, in order."""
        return tuple(sorted({*self.debts, *(unit for _, unit in self.limits)}))

    def state(self) -> bytes:
        """32 bytes in which two agree who have taken the same of both halves (ledger 5)."""
        rows = []
        for opens in self._open:
            for key, row in opens.items():
                if not row:  # a row is written once for each change, and not for each state
                    one = self.payments[key]
                    row = wire.encode((int(one.payer), one.pay, one.unit, one.amount, int(one.stage)))
                    opens[key] = row
                rows.append(row)
        sums = tuple(
            (unit, _signed(self.debts.get(unit, 0)), self.limit(Side.LOW, unit), self.limit(Side.HIGH, unit))
            for unit in self.units()
        )
        first = wire.encode((*self.heads, sums))[1:]  # three of the four items
        payments = wire.array_head(len(rows)) + b"".join(rows)
        return hashing.hash_of(Label.LEDGER, b"state" + wire.array_head(4) + first + payments)

    # --- the facts

    def _see(self, payee: Side, seq: int) -> None:
        """The payee has acknowledged voids with this entry, before it says anything itself."""
        waiting = self._voided[payee.other]
        # what was attested before it was seen taken back is over, and may be forgotten
        while waiting and (waiting[0] not in self.payments or self._ending(waiting[0]) < self.acked[payee]):
            key = waiting.popleft()
            one = self.payments.get(key)
            if one is not None and one.stage is Stage.REFUNDING:
                self._put(key, one._replace(seen=seq))

    def _begin(self, one: Payment) -> None:
        if one.pay > self.newest[one.payer]:  # ledger 1.3
            self.newest[one.payer] = one.pay
            self._put(Key(one.payer, one.pay), one)

    def _answer(self, key: Key, seq: int, said: Said, *, is_lock: bool) -> None:
        one = self._acknowledged(key)
        if one is None or one.answer is not None or one.seen is not None or (one.lock is not None) != is_lock:
            return
        match said.term:
            case Reveal(_, preimage) if lock_of(preimage) != one.lock:
                return
            case Accept():
                self.accepts[key] = said.id
        self._put(key, one._replace(answer=seq, is_taken=isinstance(said.term, Accept | Reveal)))

    def _settle(self, key: Key, seq: int) -> None:
        one = self.payments.get(key)
        if one is None or one.lock is not None or one.ending is not None or not one.is_taken:
            return
        assert one.answer is not None
        if one.answer < self.acked[key.payer]:
            self._put(key, one._replace(ending=seq, is_settled=True))

    def _void(self, key: Key, seq: int) -> None:
        one = self.payments.get(key)
        if one is None or one.lock is not None or one.ending is not None:
            return
        if not one.stage.is_final:
            self._voided[key.payer].append(key)
        self._put(key, one._replace(ending=seq))

    def _attest(self, key: Key, seq: int, said: Attest) -> None:
        one = self._acknowledged(key)
        if one is None or not one.is_taken or one.lock is not None or one.seen is not None or one.attested is not None:
            return
        is_in_time = said.seen.witness in one.witnesses and said.seen.time_ms <= one.expires_ms
        if is_in_time and key in self.accepts and _has_seen(said, self.accepts[key]):
            self._put(key, one._replace(attested=seq))

    def _acknowledged(self, key: Key) -> Payment | None:
        """A payment whose payee has acknowledged the offer."""
        one = self.payments.get(key)
        return None if one is None or one.offered >= self.acked[key.payer.other] else one

    def _ending(self, key: Key) -> int:
        ending = self.payments[key].ending
        assert ending is not None
        return ending

    def _put(self, key: Key, one: Payment) -> None:
        before = self.payments.get(key)
        self.payments[key] = one
        was, stage = None if before is None else before.stage, one.stage
        self.touched.setdefault(key, was)
        if before is not None and was is not None and not was.is_final:
            self._count(before, -1)
        if not stage.is_final:
            self._count(one, 1)
            self._open[key.payer][key] = b""
            return
        if self._open[key.payer].pop(key, None) is not None:
            self._over.append(key)
        self.accepts.pop(key, None)
        if stage is Stage.SETTLED and was is not Stage.SETTLED:
            owed = one.amount if one.payer is Side.HIGH else -one.amount
            self.debts[one.unit] = self.debts.get(one.unit, 0) + owed
            self.touched_units[one.unit] = None

    def _count(self, one: Payment, sign: int) -> None:
        """Counts an open payment, or does not any more."""
        of = one.payer, one.unit
        sums = (self._reserved, self._bound) if one.is_taken or one.lock is not None else (self._reserved,)
        for each in sums:
            left = each.get(of, 0) + sign * one.amount
            if left:
                each[of] = left
            else:
                each.pop(of, None)


def _has_seen(said: Attest, accept: bytes) -> bool:
    """Whether the witness has signed this about the acceptance with this entry id (ledger 4)."""
    try:
        spine.check_cosignature(said.seen, spine.blinded_subject(accept, said.nonce), (said.seen.witness,))
    except Forged:
        return False
    return True


def _signed(debt: int) -> bytes:
    """Two who cheat together can owe each other more than fits 64 bits; 2^74 entries are needed for more than these."""
    return debt.to_bytes(DEBT_BYTES, "big", signed=True)
