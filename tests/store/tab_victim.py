"""A process in which two people pay each other until it is killed; it says what was committed after each commit.

    python -m tests.store.tab_victim FOLDER

Each has a file. Lines: `offered NAME PAY`, `accepted NAME PAY`, `settled NAME PAY`; NAME: whose command it was.
"""

import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from ledger import commands
from ledger.payment import Stage
from ledger.tab import Key, Tab
from ledger.terms import Accept, Ackn, Limit, Offer, Settle, Term
from protocol.grant import Grant
from store import devices, entries, intake, logs, people, spaces
from store.database import Tx, Worker
from store.entries import Held
from store.intake import Piece
from store.spaces import Space
from store.tabs import Tabs
from tests.store import kit, tab_kit
from tests.store.kit import Side

MOST = 10**12
TOGETHER = 3


def tell(line: str) -> None:
    """Past all buffers: what is printed was committed."""
    os.write(1, f"{line}\n".encode())


class Debtor:
    """One of the two, on a file."""

    def __init__(self, side: Side) -> None:
        self.side, self.tabs = side, Tabs(side.mine.account)

    def write(self, tx: Tx, make: Callable[[Tab], Term | None]) -> bool:
        one = self.tabs.of(tx, self.side.contact)
        return self.tabs.write(tx, one, make, self.side.mine, self.side.clock.ms, os.urandom)

    def begin(self, tx: Tx) -> None:
        """Lets the other owe all."""
        one = self.tabs.of(tx, self.side.contact)
        if not one.tab.limit(one.side, tab_kit.UNIT):
            self.write(tx, lambda _: Limit(tab_kit.UNIT, MOST))

    def offer(self, tx: Tx) -> bytes:
        one = self.tabs.of(tx, self.side.contact)
        pay = commands.new_pay(one.tab, one.side, self.side.clock.ms, os.urandom)
        self.write(tx, lambda _: Offer(pay, tab_kit.UNIT, 1, self.side.clock.ms + tab_kit.DAY_MS))
        return pay

    def accept(self, tx: Tx) -> list[bytes]:
        """Takes what is offered."""
        one = self.tabs.of(tx, self.side.contact)
        found = [each.pay for each in one.tab.open() if each.payer is not one.side and each.stage is Stage.OFFERED]
        for pay in found:
            assert commands.refusal(one.tab, one.side, Key(one.side.other, pay)) is None
            self.write(tx, lambda tab, pay=pay: Accept(pay, tab.state()))  # type: ignore[misc]
        return found

    def settle(self, tx: Tx) -> list[bytes]:
        one = self.tabs.of(tx, self.side.contact)
        found = [each.pay for each in one.tab.open() if each.payer is one.side and each.stage is Stage.ACCEPTED]
        for pay in found:
            self.write(tx, lambda tab, pay=pay: Settle(pay, tab.state()))  # type: ignore[misc]
        if not found and one.owes_word:
            self.write(tx, lambda _: Ackn())
        return found

    def shown(self, tx: Tx, first: int) -> tuple[Held, ...]:
        """What goes to the other, once it is noted that it does."""
        own = spaces.ledger(tx, self.side.contact)[0][0].log.number
        held = entries.read(tx, own, first, 500, 1 << 20)
        if held:
            logs.publish(tx, own, held[-1].seq)
        return held

    def own(self, tx: Tx) -> Space:
        return spaces.ledger(tx, self.side.contact)[0][0]

    def granted(self, tx: Tx, own: Space) -> tuple[int, int]:
        """The other's log here, and the first entry of it that is not."""
        device = devices.device(tx, self.side.device)
        contact = people.contact(tx, self.side.contact)
        theirs = logs.begin(tx, own.log.id, device.device, own.log.secret, own=False).number
        if not spaces.ledger(tx, contact.id)[1]:
            said = Grant(own.role, own.epoch, own.log.secret, own.anchor, own.name, None)
            spaces.put_back(tx, theirs, contact.id, said)
        head = entries.head(tx, theirs)
        return theirs, 0 if head is None else head.seq + 1

    def take(self, tx: Tx, number: int, held: tuple[Held, ...]) -> None:
        piece = Piece(number, tuple(one.raw for one in held), tuple(one.content for one in held))
        (took,) = intake.take(tx, [piece], self.side.mine.device_key, self.side.clock.ms, os.urandom)
        assert isinstance(took, intake.Took)
        assert took.proof is None


async def carry(one: Debtor, other: Debtor) -> None:
    """What one has written goes to the other."""
    own = await one.side.run(one.own)
    number, first = await other.side.run(other.granted, own)
    held = await one.side.run(one.shown, first)
    if held:
        await other.side.run(other.take, number, held)


@asynccontextmanager
async def open_debtors(folder: Path) -> AsyncIterator[tuple[Debtor, Debtor]]:
    """Ana and Bo, made or as the last victim left them."""
    clock = kit.Clock()
    async with (
        kit.open_side(folder / "ana.db", "Ana", clock, Worker.THREAD) as ana,
        kit.open_side(folder / "bo.db", "Bo", clock, Worker.THREAD) as bo,
    ):
        for one, other in ((ana, bo), (bo, ana)):
            if not one.contact:
                await kit.know(one, other)
        yield Debtor(ana), Debtor(bo)


async def main(folder: Path) -> None:
    """Opens both and works without end."""
    async with open_debtors(folder) as both:
        for one in both:
            await one.side.run(one.begin)
        while True:
            for one, other in (both, both[::-1]):
                for _ in range(TOGETHER):
                    tell(f"offered {one.side.name} {(await one.side.run(one.offer)).hex()}")
                await carry(one, other)
                for pay in await other.side.run(other.accept):
                    tell(f"accepted {other.side.name} {pay.hex()}")
                await carry(other, one)
                for pay in await one.side.run(one.settle):
                    tell(f"settled {one.side.name} {pay.hex()}")
                await carry(one, other)


if __name__ == "__main__":
    trio.run(main, Path(sys.argv[1]))
