"""Beginning a ledger anew: one proposes balances, the other agrees, the first confirms (docs/protocol/ledger.md 15).

    ana: a root [Open: he owes 12]                                 [Ackn]     from here on she counts anew
    bo :                            a root [Open: I owe 12]                   and he, once he has that

Nothing can be taken back once it is said, so who proposed confirms only while it stands as it did then; what a node
does of this by itself is `go_on`. Not here: which generation is in force (generations.py), the commands (features).
"""

from collections.abc import Callable, Mapping

from crypto.keys import Entropy
from ledger import terms
from ledger.tab import Tab
from ledger.terms import Ackn, Limit, Open, Term
from protocol import record
from protocol.entry import Ack
from protocol.grant import Role
from store import authoring, entries, generations, people, renewals, spaces
from store.database import Tx
from store.generations import Begun, Ledger
from store.identity import Identity
from store.logs import State
from store.tabs import OpenTab, Tabs


def propose(
    tx: Tx, book: Tabs, one: OpenTab, owed: Mapping[str, int], reason: str, me: Identity, now_ms: int, entropy: Entropy
) -> None:
    """Proposes to begin anew with what the other then owes us, by unit (below 0: what we owe). Raises: OverLimit."""
    ledger = generations.of(tx, one.contact, book.account)
    _begin(tx, book, one, ledger.newest + 1, owed, reason, (), me, now_ms, entropy)


def agree(tx: Tx, book: Tabs, one: OpenTab, me: Identity, now_ms: int, entropy: Entropy) -> bool:
    """Agrees to the newest that the other proposes, or confirms that he has; returns whether there was anything.

    Where we had begun that generation otherwise, or a lost device had, the same is proposed in the next one, and his
    node agrees to it.
    """
    ledger = generations.of(tx, one.contact, book.account)
    offered = ledger.offered
    if offered is None:
        return False
    if ledger.answered is not None and ledger.answered[1].number >= offered.number:
        if _confirm(tx, book, one, *ledger.answered, me, now_ms, entropy):
            return True  # else a lost device had proposed it
    elif any(generations.is_pair(each, offered) for each in ledger.mine):
        return False  # which was agreed to
    owed = {unit: -debt for unit, debt in offered.owed.items()}
    is_taken = any(each.number == offered.number for each in ledger.mine)
    number = ledger.newest + 1 if is_taken else offered.number
    acks = () if is_taken else (Ack(offered.root.log.id, 0, offered.id),)
    _begin(tx, book, one, number, owed, offered.said.reason, acks, me, now_ms, entropy)
    return True


def go_on(tx: Tx, book: Tabs, one: OpenTab, me: Identity, now_ms: int, entropy: Entropy) -> OpenTab:
    """What a node does by itself; returns the tab as it then is.

    It confirms what both say, and agrees where the other proposes what we do, while it stands as when we proposed it.
    Limits that we had given are given again.
    """
    ledger = generations.of(tx, one.contact, book.account)
    if ledger.answered is not None and _stands(tx, one, ledger.answered[0]):
        _confirm(tx, book, one, *ledger.answered, me, now_ms, entropy)
    elif _is_echo(tx, one, ledger):
        agree(tx, book, one, me, now_ms, entropy)
    one = book.of(tx, one.contact)
    if one.pause is None and one.generation:
        for unit, most in renewals.take_limits(tx, one.contact):
            if most and (one.side, unit) not in one.tab.limits:
                book.write(tx, one, _limit(unit, most), me, now_ms, entropy)
    return one


def balances(one: OpenTab) -> dict[str, int]:
    """What the other owes us, by unit, where anything is owed."""
    found = {unit: one.tab.balance(one.side, unit) for unit in one.tab.units()}
    return {unit: debt for unit, debt in found.items() if debt}


def _limit(unit: str, most: int) -> Callable[[Tab], Term]:
    return lambda _: Limit(unit, most)


def _is_echo(tx: Tx, one: OpenTab, ledger: Ledger) -> bool:
    """Whether the other proposes, in a later generation, what we have proposed."""
    mine, his = ledger.proposed, ledger.offered
    if mine is None or his is None or his.number <= mine.number or not mine.is_against(his):
        return False
    return _stands(tx, one, mine)


def _stands(tx: Tx, one: OpenTab, proposed: Begun) -> bool:
    """Whether it stands as it did when we proposed this."""
    return renewals.stood(tx, one.contact, proposed.number) == balances(one)


def _begin(
    tx: Tx,
    book: Tabs,
    one: OpenTab,
    number: int,
    owed: Mapping[str, int],
    reason: str,
    acks: tuple[Ack, ...],
    me: Identity,
    now_ms: int,
    entropy: Entropy,
) -> None:
    """Begins our half of a generation."""
    contact = people.contact(tx, one.contact)
    units = tuple(sorted(unit for unit, debt in owed.items() if debt))
    said = Open(terms.RULES, contact.account, number, units, tuple(owed[unit] for unit in units), reason)
    secret, name = entropy(authoring.SECRET_BYTES), generations.name(number)
    draw = (me.device, Role.LEDGER, name, secret, 0, contact.account, (contact.id,), 0, now_ms)
    root = spaces.begin(tx, *draw)
    authoring.write(tx, root, (record.encode(said),), me.device_key, now_ms, entropy, acks)
    renewals.proposed(tx, contact.id, number, balances(one))
    book.of(tx, contact.id)


def _confirm(
    tx: Tx, book: Tabs, one: OpenTab, mine: Begun, his: Begun, me: Identity, now_ms: int, entropy: Entropy
) -> bool:
    """Confirms what both say, in the second entry of ours; returns whether it could be."""
    newest = entries.head(tx, mine.root.log.number)
    if not mine.root.log.own or mine.root.log.state is not State.OK or newest is None or newest.seq:
        return False
    acks = (Ack(his.root.log.id, 0, his.id),)
    authoring.write(tx, mine.root, (record.encode(Ackn()),), me.device_key, now_ms, entropy, acks)
    book.of(tx, one.contact)
    return True
