"""The till: where the rooms of a node look into the tabs with its contacts and write into them, in one transaction.

What is written goes to the contact as any entry of a log does (node/logs/). Not here: what is written (the rooms).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ledger import commands
from ledger.tab import Tab
from ledger.terms import MEMO_BYTES_MAX, Term
from ledger.terms import WITNESSES_MAX as KEYS_MAX
from node.inward import Inward
from store import mutual, people, reissuing, renewing
from store.database import Tx
from store.faults import AccountChanged, BadNote, Blocked, NotYet
from store.people import STOPS, Contact, ContactState
from store.tabs import OpenTab, Tabs

WITNESSES_MAX = 3  # contacts who are named in an offer: one who comes in time is enough


@dataclass
class Till:
    """The tabs of a node."""

    inward: Inward
    tabs: Tabs = field(init=False)

    def __post_init__(self) -> None:
        self.tabs = Tabs(self.inward.identity.account)

    def of(self, tx: Tx, contact_id: int) -> OpenTab:
        """The tab with a contact, caught up with the disk."""
        return self.tabs.of(tx, contact_id)

    def write(self, tx: Tx, one: OpenTab, make: Callable[[Tab], Term | None]) -> bool:
        """Appends an entry to our half; returns whether it did.

        make: the term, from the tab as it then stands, None for nothing. Raises: TabPaused, LogFrozen.
        """
        inward = self.inward
        return self.tabs.write(tx, one, make, inward.identity, inward.now(), inward.ground.entropy("ledger"))

    def attest(self, tx: Tx, one: OpenTab) -> bool:
        """Says what the words of witnesses let us say, if there are any; returns whether it did. Raises: as `write`."""
        is_due = bool(self.tabs.testimony(tx, one))
        if is_due:
            self.write(tx, one, lambda _: None)
        return is_due

    def say_again(self, tx: Tx, one: OpenTab) -> None:
        """Writes what was taken back and waits for the tab to be whole again."""
        inward = self.inward
        reissuing.say(tx, self.tabs, one, inward.identity, inward.now(), inward.ground.entropy("ledger"))

    def propose(self, tx: Tx, one: OpenTab, owed: Mapping[str, int], reason: str) -> None:
        """Proposes to begin the ledger anew with what the other then owes us, by unit."""
        inward = self.inward
        draw = inward.ground.entropy("ledger")
        renewing.propose(tx, self.tabs, one, owed, reason, inward.identity, inward.now(), draw)

    def agree(self, tx: Tx, one: OpenTab) -> bool:
        """Agrees to begin the ledger anew as the other proposes, or confirms it; returns whether there was anything."""
        inward = self.inward
        return renewing.agree(tx, self.tabs, one, inward.identity, inward.now(), inward.ground.entropy("ledger"))

    def go_on(self, tx: Tx, one: OpenTab) -> OpenTab:
        """Does what a node does by itself where a ledger is begun anew; returns the tab as it then is."""
        inward = self.inward
        return renewing.go_on(tx, self.tabs, one, inward.identity, inward.now(), inward.ground.entropy("ledger"))

    def new_pay(self, one: OpenTab) -> bytes:
        """The name of a new payment of ours: 16 bytes."""
        return commands.new_pay(one.tab, one.side, self.inward.now(), self.inward.ground.entropy("payment"))


def contact(tx: Tx, text: str) -> Contact:
    """The contact whom a person names, with whom a ledger can be written.

    Raises: UnknownContact, AmbiguousContact, Blocked, AccountChanged, NotYet.
    """
    return checked(people.find_contact(tx, text))


def checked(found: Contact) -> Contact:
    """A contact with whom a ledger can be written. Raises: Blocked, AccountChanged, NotYet."""
    if found.state is ContactState.BLOCKED:
        raise Blocked
    if found.alarm == STOPS:
        raise AccountChanged
    if found.state is not ContactState.ACTIVE:
        raise NotYet(f"{found.name} is no contact of yours yet; nothing was done.")
    return found


def note(text: str) -> str:
    """A note as entries keep it: at most 500 bytes of UTF-8. Raises: BadNote."""
    try:
        if len(text.encode()) <= MEMO_BYTES_MAX:
            return text
    except UnicodeEncodeError:
        pass
    raise BadNote


def witnesses(tx: Tx, contact_id: int) -> tuple[bytes, ...]:
    """The keys of the devices whose word counts for an offer to this contact: of people whom both know (ledger 4.4)."""
    known = [one for one in mutual.of(tx, contact_id) if not people.contact(tx, one).alarm][:WITNESSES_MAX]
    devices = [[one.device for one in people.devices_of(tx, each) if not one.revoked] for each in known]
    most = KEYS_MAX // max(1, len(devices))
    return tuple(key for each in devices for key in each[-most:])


def is_open_to(one: Contact) -> bool:
    """Whether a node writes into the ledger with a contact by itself."""
    return one.state is ContactState.ACTIVE and one.alarm != STOPS
