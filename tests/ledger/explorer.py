"""Every interleaving of one payment: what two people and a witness write, hear and read off their clocks, by the fold.

Each side is honest, or may append whatever its role can write, at any time by any clock, as if it had not seen what it
has. A rule says what a payment is after all that was said; the product's is `Payment.stage`, others are mutants.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from functools import cache

from crypto.keys import SigningKey
from ledger.payment import Payment, Side, Stage
from ledger.tab import Key, Said, Tab, Unseen
from ledger.terms import Accept, Ackn, Attest, Decline, Offer, Settle, Term, Void
from protocol import spine

PAY, WITNESS, EXPIRES_MS, NOTHING = b"p" * 16, SigningKey(b"w" * 32), 1_000, bytes(32)
P, R = Side.LOW, Side.HIGH
KEY = Key(P, PAY)


class Word(Enum):
    """What can be said of the payment."""

    OFFER = "offer"
    SETTLE = "settle"
    VOID = "void"
    ACCEPT = "accept"
    DECLINE = "decline"
    ATTEST = "attest"
    ACKN = "ackn"


class Cosigned(IntEnum):
    """What the witness has signed."""

    NOTHING = 0
    IN_TIME = 1
    LATE = 2


TERMS: dict[Word, Term] = {
    Word.OFFER: Offer(PAY, "EUR", 5, EXPIRES_MS, (WITNESS.public,)),
    Word.SETTLE: Settle(PAY, NOTHING),
    Word.VOID: Void(PAY),
    Word.ACCEPT: Accept(PAY, NOTHING),
    Word.DECLINE: Decline(PAY),
    Word.ACKN: Ackn(),
}
SAYS = {P: (Word.OFFER, Word.SETTLE, Word.VOID, Word.ACKN), R: (Word.ACCEPT, Word.DECLINE, Word.ATTEST, Word.ACKN)}


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry. ack: as the fold has it; is_late: an accept, when its author's clock was past the expiry."""

    word: Word
    ack: int
    is_late: bool = False
    cosigned: Cosigned = Cosigned.NOTHING


@dataclass(frozen=True, slots=True)
class World:
    """Where all stand. halves: what each has written; got: how much of the other's each has; late: clocks, P R W."""

    halves: tuple[tuple[Entry, ...], tuple[Entry, ...]] = ((), ())
    got: tuple[int, int] = (0, 0)
    late: tuple[bool, bool, bool] = (False, False, False)
    cosigned: Cosigned = Cosigned.NOTHING


@dataclass(frozen=True, slots=True)
class Look:
    """A view of the payment: the fold of what somebody has. payment: None where there is none."""

    payment: Payment | None
    accept: Entry | None

    @property
    def stage(self) -> Stage | None:
        return None if self.payment is None else self.payment.stage


Rule = Callable[[Look], Stage | None]


def product(look: Look) -> Stage | None:
    """What the ledger says."""
    return look.stage


@dataclass(frozen=True, slots=True)
class Found:
    """What the explorer saw. states: how many; wrong: a sentence for each violation."""

    states: int
    wrong: tuple[str, ...]


def fold(low: tuple[Entry, ...], high: tuple[Entry, ...], first: Side = P) -> Tab:
    """The tab of these entries, one half as far as it goes before the other."""
    tab = Tab()
    halves, progress = (low, high), True
    while progress:
        progress = False
        for side in (first, first.other):
            while tab.heads[side] < len(halves[side]):
                one = halves[side][tab.heads[side]]
                try:
                    tab.take(side, Said(one.ack, _term(one, high), bytes((tab.heads[side],)) * 32))
                except Unseen:
                    break
                progress = True
    assert tab.heads == [len(low), len(high)]
    return tab


def accept_id(high: tuple[Entry, ...]) -> bytes:
    """The id of the payee's first acceptance, which the witness is shown."""
    return bytes((next((seq for seq, one in enumerate(high) if one.word is Word.ACCEPT), 0),)) * 32


@cache
def look(low: tuple[Entry, ...], high: tuple[Entry, ...]) -> Look:
    """What somebody sees who has these entries; the same in whichever order he takes the halves."""
    tab, other = fold(low, high), fold(low, high, R)
    assert tab.state() == other.state()
    payment = tab.payments.get(KEY)
    second = other.payments.get(KEY)
    assert (payment and payment.stage) == (second and second.stage)
    taken = payment is not None and payment.answer is not None and payment.is_taken
    return Look(payment, high[payment.answer] if payment and payment.answer is not None and taken else None)


def explore(honest: dict[Side, bool], rule: Rule = product, entries_max: int = 4) -> Found:
    """Every world that can come about. honest: who keeps to what the page says; entries_max: of a half."""
    start = World()
    seen = {start}
    todo = [start]
    wrong: list[str] = []
    while todo:
        world = todo.pop()
        before = _stages(world, rule)
        wrong += _wrong(world, before)
        moves = tuple(_moves(world, honest, entries_max))
        if all(honest.values()) and not moves and world.halves[P]:
            final = before[0] is not None and before[0].is_final and before[0] is before[1]
            if not final:
                wrong.append(f"nothing moves and it is not over: {world}")
        for after in moves:
            now = _stages(after, rule)
            for was, is_ in zip(before, now, strict=True):
                if was is not None and was.is_final and is_ is not was:
                    wrong.append(f"{was.name} becomes {is_ and is_.name}: {after}")
            if after not in seen:
                seen.add(after)
                todo.append(after)
    return Found(len(seen), tuple(wrong))


def _stages(world: World, rule: Rule) -> tuple[Stage | None, Stage | None, Stage | None]:
    """What the payer, the payee and who has everything see."""
    low, high = world.halves
    return (
        rule(look(low, high[: world.got[P]])),
        rule(look(low[: world.got[R]], high)),
        rule(look(low, high)),
    )


def _wrong(world: World, stages: tuple[Stage | None, Stage | None, Stage | None]) -> list[str]:
    *views, all_ = stages
    return [
        f"a view says {one.name}, all there is {all_ and all_.name}: {world}"
        for one in views
        if one is not None and one.is_final and one is not all_
    ]


def _moves(world: World, honest: dict[Side, bool], entries_max: int) -> Iterator[World]:
    for side in (P, R):
        if world.got[side] < _hearable(world, side):
            got = list(world.got)
            got[side] += 1
            yield replace(world, got=(got[0], got[1]))
    for at in range(3):
        if not world.late[at] and (at == 2 or honest[Side(at)]):  # who cheats has any clock
            late = list(world.late)
            late[at] = True
            yield replace(world, late=(late[0], late[1], late[2]))
    if world.cosigned is Cosigned.NOTHING and any(one.word is Word.ACCEPT for one in world.halves[R]):
        yield replace(world, cosigned=Cosigned.LATE if world.late[2] else Cosigned.IN_TIME)
    for side in (P, R):
        says = _honest(world, side) if honest[side] else _any(world, side, entries_max)
        for one in says:
            halves = list(world.halves)
            halves[side] = (*halves[side], one)
            yield replace(world, halves=(halves[0], halves[1]))


def _hearable(world: World, side: Side) -> int:
    """How much of the other half can be there: what it acknowledges of ours is ours, so all of it."""
    return len(world.halves[side.other])


def _any(world: World, side: Side, entries_max: int) -> Iterator[Entry]:
    """Whatever can be written in this role, as if any part of what came had not been seen."""
    mine = world.halves[side]
    if len(mine) >= entries_max:
        return
    for word in SAYS[side]:
        for ack in range(mine[-1].ack if mine else 0, world.got[side] + 1):
            for is_late in (False, True) if word is Word.ACCEPT else (False,):
                if word is not Word.ATTEST:
                    yield Entry(word, ack, is_late)
                elif world.cosigned:
                    yield Entry(word, ack, cosigned=world.cosigned)


def _honest(world: World, side: Side) -> Iterator[Entry]:
    mine, got, late = world.halves[side], world.got[side], world.late[side]
    acked = mine[-1].ack if mine else 0
    if any(one.word is not Word.ACKN for one in world.halves[side.other][acked:got]):
        yield Entry(Word.ACKN, got)
    low, high = world.halves
    now = look(low, high[:got]).payment if side is P else look(low[:got], high).payment
    if side is P:
        if not mine and not late:
            yield Entry(Word.OFFER, got)
        if now is not None and now.ending is None and not now.stage.is_final:
            if now.is_taken:
                yield Entry(Word.SETTLE, got)
            if late or not now.is_taken:
                yield Entry(Word.VOID, got)
    elif now is not None and not now.stage.is_final and not now.is_voided:
        if now.answer is None:
            yield Entry(Word.DECLINE, got)
            if not late:
                yield Entry(Word.ACCEPT, got)
        elif now.is_taken and now.attested is None and world.cosigned is Cosigned.IN_TIME:
            yield Entry(Word.ATTEST, got, cosigned=world.cosigned)


def _term(one: Entry, high: tuple[Entry, ...]) -> Term:
    return _attest(accept_id(high), one.cosigned) if one.word is Word.ATTEST else TERMS[one.word]


@cache
def _attest(accept: bytes, cosigned: Cosigned) -> Attest:
    at_ms = EXPIRES_MS if cosigned is Cosigned.IN_TIME else EXPIRES_MS + 1
    subject = spine.blinded_subject(accept, NOTHING)
    return Attest(PAY, NOTHING, spine.cosign(WITNESS.public, at_ms, subject, WITNESS))
