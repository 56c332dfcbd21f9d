"""Tabs on the disk: what we and a contact owe each other, folded from the two halves of our ledger, and written into.

    entries of both halves ──> ledger.book ──> rows of payments, requests, balances (payments.py)
    a term ──> its state is reckoned, the other half acknowledged ──> an entry of our half ──> the same fold

docs/protocol/ledger.md. A tab is kept in memory beside what it was folded from, and found again after a restart from an
image. Whatever is written here is one transaction with what it was decided by. Not here: what may be written when
(ledger/commands.py), what a node writes by itself (features/payments/clerk.py), single halves (halves.py).
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from crypto.keys import Entropy
from ledger import image, terms
from ledger.book import Book
from ledger.payment import Side
from ledger.tab import Key, Said, Tab
from ledger.terms import Attest, Open, Term
from protocol import record
from protocol.entry import ID_BYTES, Ack, Entry
from protocol.grant import Role
from protocol.log import Head
from store import authoring, generations, payments, people, receipts, recovered, renewals, spaces, testimony
from store.database import Tx
from store.faults import TabPaused
from store.generations import Ledger
from store.halves import Half, Item, Newer, Place
from store.identity import Identity
from store.renewals import Pause
from store.spaces import Space
from store.tab_rows import Moved

CHANGED = "tab"  # a topic: something came into the tab with this contact, or its state is another
TABS_MAX = 256  # kept in memory
IMAGE_ENTRIES = 500  # taken since the last image before another is made: half a hundredth of a second to fold


@dataclass
class OpenTab:
    """A tab that was caught up with what is on the disk. pause: why nothing is written into it."""

    contact: int
    book: Book
    ours: Half
    theirs: Half
    ledger: Ledger
    pause: Pause | None = None
    is_fresh: bool = True  # it was folded from nothing, and its rows may hold more
    since_image: int = 0
    last_word: int = 0  # entries of theirs up to the last one that is more than Ackn

    @property
    def generation(self) -> int:
        return self.ledger.number

    @property
    def side(self) -> Side:
        return self.book.side

    @property
    def tab(self) -> Tab:
        return self.book.tab

    @property
    def is_forked(self) -> bool:
        """Whether a log of either half was proven to be forked."""
        return self.ours.is_forked or self.theirs.is_forked

    @property
    def mark(self) -> bytes:
        """By which the rows on the disk are known to be what this has come to."""
        return b"".join(half.head.id if half.head else bytes(ID_BYTES) for half in (self.ours, self.theirs))

    @property
    def owes_word(self) -> bool:
        """Whether we have not acknowledged all that they said."""
        return self.last_word > self.tab.acked[self.side]

    def key(self, mine: bool, pay: bytes) -> Key:
        """A payment of ours, or of theirs."""
        return Key(self.side if mine else self.side.other, pay)

    def is_mine(self, key: Key) -> bool:
        return key.payer is self.side


@dataclass
class Tabs:
    """The tabs of an account. account: ours."""

    account: bytes
    _known: OrderedDict[int, OpenTab] = field(default_factory=OrderedDict)

    def of(self, tx: Tx, contact_id: int) -> OpenTab:
        """The tab with a contact as it is on the disk now."""
        one = self._known.pop(contact_id, None)  # what fails half-way is folded anew
        ledger = generations.of(tx, contact_id, self.account)
        if one is None or not _is_same(tx, one, ledger):
            one = self._opened(tx, contact_id, ledger)
        one.ledger = ledger
        self._catch_up(tx, one)
        self._known[contact_id] = one
        if len(self._known) > TABS_MAX:
            self._known.popitem(last=False)
        return one

    def write(
        self, tx: Tx, one: OpenTab, make: Callable[[Tab], Term | None], me: Identity, now_ms: int, entropy: Entropy
    ) -> bool:
        """Appends an entry to our half, which is begun with the first; returns whether it did.

        one: of this transaction, caught up. make: the term, from the tab as it stands when the entry is written, None
        where there is nothing to say any more. Raises: TabPaused, LogFrozen.
        """
        if one.pause is not None:
            name = people.contact(tx, one.contact).name
            raise TabPaused(f"Nothing was written: {one.pause.value.format(name=name)}.")
        own = self._own(tx, one, me, now_ms, entropy)
        for attest in self.testimony(tx, one):  # whatever is written now may acknowledge that it was taken back
            self._append(tx, one, own, attest, me, now_ms, entropy)
        term = make(one.tab)
        if term is None:
            return False
        made = self._append(tx, one, own, term, me, now_ms, entropy)
        assert one.ours.head == Head(made.body.seq, made.id)
        return True

    def testimony(self, tx: Tx, one: OpenTab) -> tuple[Attest, ...]:
        """What a witness lets us say of payments to us; it is written before anything else is."""
        return testimony.due(tx, one.contact, [key for key in one.tab.accepts if not one.is_mine(key)], one.tab)

    # --- folding

    def _opened(self, tx: Tx, contact_id: int, ledger: Ledger) -> OpenTab:
        """A tab that is folded anew: from its image where what that was made of still stands, else from nothing."""
        other = people.contact(tx, contact_id).account
        side = Side.LOW if self.account < other else Side.HIGH
        ours, theirs = Half(ledger.ours), Half(ledger.theirs)
        found = None if ours.is_forked or theirs.is_forked else _image(tx, contact_id, side, ledger)
        if found is not None:
            return found
        forget_image(tx, contact_id)
        payments.forget_requests(tx, contact_id, ledger.number)
        receipts.forget(tx, contact_id, ledger.number)
        book = Book(side) if ledger.begun is None else Book.begun(side, ledger.begun.owed)
        return OpenTab(contact_id, book, Half(ledger.ours), Half(ledger.theirs), ledger)

    def _catch_up(self, tx: Tx, one: OpenTab) -> None:
        done, before, ledger = Moved(), one.pause, one.ledger
        one.pause = Pause.FROZEN if one.is_forked else None
        while self._take(tx, one, one.ours, done) + self._take(tx, one, one.theirs, done):
            pass
        if one.pause is None and (one.ours.is_parted or one.theirs.is_parted):
            one.pause = Pause.PARTED
        if one.pause is None and not _is_whole(tx, one, ledger):
            one.pause = Pause.WAITS
        if one.pause is None and (ledger.is_lost or _is_lost(tx, one)):
            one.pause = Pause.LOST
        if one.pause is None and ledger.agreed is not None:
            one.pause = Pause.AGREED
        if done.is_any or one.is_fresh:
            done.write(tx, one)
        first = one.book.differences[0] if one.book.differences else None
        is_news = renewals.stands(tx, one.contact, one.pause.name if one.pause else "", first, ledger)
        if done.is_any or is_news or one.pause is not before:
            tx.changed(CHANGED, one.contact)
        if one.since_image >= IMAGE_ENTRIES:
            one.book.forget_what_is_over()
            if one.book.is_even and not one.owes_word and one.pause is None:
                _keep_image(tx, one)

    def _take(self, tx: Tx, one: OpenTab, half: Half, done: Moved) -> int:
        """Takes of one half what can be taken; returns how many entries."""
        other = one.theirs if half is one.ours else one.ours
        side = one.side if half is one.ours else one.side.other
        hear = one.book.write if half is one.ours else one.book.hear
        acked = one.tab.acked
        count, is_forked = 0, half.is_forked
        while True:
            if is_forked and not half.stands(tx, other):
                break
            last = half.next_log(tx)
            if last is not None and not half.is_parted:
                item = _peek(tx, other)
                if item is not None and half.counted(tx, item.acks, other, acked[side.other]) is not None:
                    break  # what was said before the device was lost comes first
                half.is_parted = half.parts_from(last, () if item is None else item.acks)
                if not half.is_parted:
                    half.turn(last)
                    continue
            try:
                item = half.peek(tx)
            except Newer:
                one.pause = one.pause or Pause.NEWER
                break
            seen = None if item is None else other.counted(tx, item.acks, half, acked[side])
            if item is None or seen is None:
                break
            hear(Said(seen, item.term, item.id))
            other.was_acked(item.acks)
            half.step()
            done.note(tx, one, side, item)
            count += 1
        one.since_image += count
        done.is_any |= count > 0
        return count

    # --- writing

    def _own(self, tx: Tx, one: OpenTab, me: Identity, now_ms: int, entropy: Entropy) -> Space:
        """The log that is written now, which begins with what it is."""
        own = one.ours.parts[-1] if one.ours.parts else None
        if own is not None and one.ours.place is not None and own.log.number == one.ours.place.number:
            return own
        contact = people.contact(tx, one.contact)
        if own is None:
            secret = entropy(authoring.SECRET_BYTES)
            draw = (me.device, Role.LEDGER, generations.NAME, secret, 0, contact.account, (contact.id,), 0, now_ms)
            own = spaces.begin(tx, *draw)
            one.ledger = generations.of(tx, one.contact, self.account)
            one.ours.renew(tx, one.ledger.ours)
        self._append(tx, one, own, Open(terms.RULES, contact.account, one.generation), me, now_ms, entropy)
        return own

    def _append(
        self, tx: Tx, one: OpenTab, own: Space, term: Term, me: Identity, now_ms: int, entropy: Entropy
    ) -> Entry:
        said = record.encode(term)
        is_before = isinstance(term, Attest) or (isinstance(term, Open) and self.testimony(tx, one))
        seen = () if is_before else _acks(one)  # ledger 2.1: what came since may be its void
        (made,) = authoring.write(tx, own, (said,), me.device_key, now_ms, entropy, seen)
        one.ours.wrote(own.log.number, made, term)
        self._catch_up(tx, one)
        return made


def forget_image(tx: Tx, contact_id: int) -> None:
    """The tab with a contact is folded from nothing next, and its rows are compared with what that comes to."""
    tx.execute("DELETE FROM tab WHERE contact = ?", (contact_id,))
    tx.execute("DELETE FROM tab_mark WHERE contact = ?", (contact_id,))


def _is_same(tx: Tx, one: OpenTab, ledger: Ledger) -> bool:
    """Whether a tab that is kept in memory is one with the disk, of which a transaction may have been undone since."""
    row = tx.one("SELECT mark FROM tab_mark WHERE contact = ?", (one.contact,))
    was_forked = one.is_forked
    if row is None or row[0] != one.mark or one.generation != ledger.number:
        return False
    if not (one.ours.renew(tx, ledger.ours) and one.theirs.renew(tx, ledger.theirs)):
        return False
    return one.is_forked == was_forked and not _is_too_far(tx, one)


def _is_too_far(tx: Tx, one: OpenTab) -> bool:
    """Whether more of a lost device's log was taken than counts, by what its successor says."""
    acked, side = one.tab.acked, one.side
    return one.ours.is_too_far(tx, acked[side.other]) or one.theirs.is_too_far(tx, acked[side])


def _peek(tx: Tx, half: Half) -> Item | None:
    """The next entry of a half, of the log that is read."""
    if half.next_log(tx) is not None and not half.is_parted:
        return None
    try:
        return half.peek(tx)
    except Newer:
        return None


def _acks(one: OpenTab) -> tuple[Ack, ...]:
    half = one.theirs
    if half.head is None:
        return ()
    return (Ack(half.parts[half.at].log.id, half.head.seq, half.head.id),)


def _is_whole(tx: Tx, one: OpenTab, ledger: Ledger) -> bool:
    """Whether all that we have written is here and was taken: a device that was set up anew waits for that."""
    for part in (*one.ours.parts, *ledger.later):
        if not part.log.own and not recovered.is_recovered(tx, part.log.number):
            return False
    return _peek(tx, one.ours) is None


def _is_lost(tx: Tx, one: OpenTab) -> bool:
    """Whether what they say next answers a log that is nobody's here: a device of ours wrote it, and is forgotten."""
    item = _peek(tx, one.theirs)
    known = {part.log.id for half in (one.ours, one.theirs) for part in half.parts}
    return item is not None and any(ack.log not in known for ack in item.acks)


def _keep_image(tx: Tx, one: OpenTab) -> None:
    """Writes down from where this tab can go on. Both views of it are one now."""
    places = [half.place for half in (one.ours, one.theirs)]
    if None in places:
        return
    row = [item for place in places if place for item in (place.number, *place.head)]
    tx.execute(
        "INSERT OR REPLACE INTO tab (contact, ours_log, ours_seq, ours_id, theirs_log, theirs_seq, theirs_id, image)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (one.contact, *row, image.of(one.tab)),
    )
    one.since_image = 0


def _image(tx: Tx, contact_id: int, side: Side, ledger: Ledger) -> OpenTab | None:
    row = tx.one(
        "SELECT image, ours_log, ours_seq, ours_id, theirs_log, theirs_seq, theirs_id FROM tab WHERE contact = ?",
        (contact_id,),
    )
    if row is None:
        return None
    raw, our_log, our_seq, our_id, their_log, their_seq, their_id = row
    of_ours, of_theirs = Half(ledger.ours), Half(ledger.theirs)
    if not of_ours.resume(tx, Place(our_log, Head(our_seq, our_id))):
        return None
    if not of_theirs.resume(tx, Place(their_log, Head(their_seq, their_id))):
        return None
    found = OpenTab(contact_id, Book.resumed(side, raw), of_ours, of_theirs, ledger, is_fresh=False)
    return None if _is_too_far(tx, found) else found
