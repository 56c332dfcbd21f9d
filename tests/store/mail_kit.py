"""People who share a log and are never there together: what each says of it by mail is carried by hand."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from protocol import carrying as contents
from protocol import content, delivery, grant, ids, spine, wire
from protocol import log as chains
from protocol.carrying import Carried
from protocol.content import Channel
from protocol.entry import Entry
from protocol.faults import PeerFault
from protocol.grant import Role
from store import authoring, carried, carrying, devices, doubts, entries, identity, intake, logs, people, spaces, spines
from store.database import Tx
from store.identity import Identity
from store.inbox import Arrival
from store.intake import Piece
from store.people import ContactState
from store.spaces import Space
from tests.store import kit, log_kit
from tests.store.kit import Clock

KINDS = content.Kinds((*grant.CONTENTS, *contents.CONTENTS))
SECRET = b"secret of a log, 32 bytes long.."


class Letter(NamedTuple):
    """A content on its way, as bytes."""

    sender: str
    reader: str
    raw: bytes


@dataclass
class Person:
    """Somebody's store. known: name of a contact -> its row, and its device's."""

    name: str
    tx: Tx
    me: Identity
    clock: Clock
    entropy: Any
    known: dict[str, tuple[int, int]] = field(default_factory=dict)

    def name_of(self, contact_id: int) -> str:
        return next(name for name, (contact, _) in self.known.items() if contact == contact_id)

    # --- the author

    def begin(self, anchor: "Person", *readers: "Person", role: Role = Role.NOTES, secret: bytes = SECRET) -> Space:
        """A log for these and its anchor; they are told by hand."""
        contact_ids = [self.known[one.name][0] for one in (anchor, *readers)]
        now_ms, author = self.clock.ms, self.me.device
        return spaces.begin(self.tx, author, role, "trip", secret, 0, anchor.me.account, contact_ids, 0, now_ms)

    def write(self, own: Space, *texts: str) -> tuple[Entry, ...]:
        """Notes."""
        said = [wire.encode((320, text)) for text in texts]
        of = spaces.space(self.tx, own.log.number)
        return authoring.write(self.tx, of, said, self.me.device_key, self.clock.ms, self.entropy)

    def commit(self, over: Space, own: Space) -> bool:
        """An entry of the spine over what is published of a log."""
        log = logs.log(self.tx, own.log.number)
        head = authoring.head_shown(self.tx, log.number, log.published)
        assert head is not None
        lines = [spine.Line(spine.leaf_key(log.secret, log.id), log.id, head)]
        return spines.commit(self.tx, spaces.space(self.tx, over.log.number), lines, self.me.device_key, self.clock.ms)

    def carry(self) -> list[Letter]:
        """What is due to all readers, as node/logs/carrier.py posts it; a desk that was never asked on a stream."""
        found: list[Letter] = []
        unasked = doubts.unasked(self.tx)
        for number, contact_id in spaces.untold(self.tx):
            found.append(self.letter(contact_id, spaces.grant(self.tx, number)))
            spaces.told(self.tx, number, contact_id)
        for way in carrying.ways(self.tx):
            log, head = logs.log(self.tx, way.number), entries.head(self.tx, way.number)
            is_offered = way.is_anchor and log.state is logs.State.OK
            upto = (head.seq if head is not None and is_offered else log.published) + 1
            due = carrying.due(self.tx, way, upto, self.clock.ms)
            if due is None and way.is_anchor and way.number in unasked:
                due = ()
            if due is not None:
                said = carrying.carry(self.tx, way, due, self.entropy, self.clock.ms)
                found += [self.letter(way.contact, one) for one in said]
        return found

    def regain(self) -> None:
        """Takes in what anchors gave back."""
        for one in carried.returned(self.tx):
            intake.take(self.tx, (one.piece,), self.me.device_key, self.clock.ms, self.entropy)
            carried.done(self.tx, one)
            theirs = chains.recall(one.piece.raws[-1]).body.seq
            carrying.regained(self.tx, one.piece.number, one.contact, theirs + 1)

    # --- everybody

    def answer(self) -> list[Letter]:
        """What is owed."""
        found = []
        for debt in carried.owed(self.tx):
            found += [self.letter(debt.contact, one) for one in (debt.said, *debt.back)]
            carried.paid(self.tx, debt)
        return found

    def letter(self, contact_id: int, said: Any) -> Letter:
        message_id = ids.new_message_id(self.clock.ms, self.entropy)
        raw = content.say(message_id=message_id, hlc_ms=self.clock.ms, device_seq=1, parents=(), content=said)
        return Letter(self.name, self.name_of(contact_id), raw)

    def hear(self, letter: Letter) -> PeerFault | None:
        """Takes a letter in, as the inbox does; returns why it was dropped."""
        contact_id, device_id = self.known[letter.sender]
        contact, device = people.contact(self.tx, contact_id), devices.device(self.tx, device_id)
        said = KINDS.hear(letter.raw, Channel.RATCHET)
        arrival = Arrival(contact, device, 1, said, Channel.RATCHET, self.clock.ms)
        try:
            self.tx.attempt(self._apply, arrival).unwrap()
        except PeerFault as fault:
            return fault
        return None

    def _apply(self, arrival: Arrival) -> None:
        match arrival.said.content:
            case grant.Grant():
                spaces.granted(self.tx, arrival)
            case Carried():
                carried.take(self.tx, arrival, self.me, self.entropy)
            case _:
                carrying.heard(self.tx, arrival)

    def log(self, own: Space) -> Space | None:
        """A log of somebody's as this person has it."""
        found = logs.by_id(self.tx, own.log.id)
        return None if found is None else spaces.space(self.tx, found.number)

    def raws(self, own: Space) -> tuple[bytes, ...]:
        """The entries of a log, checked; () where it is not known."""
        one = self.log(own)
        return () if one is None else log_kit.raws(self.tx, one.log.number)

    def take(self, own: Space, held: Sequence[entries.Held]) -> object:
        """What a session with somebody brings."""
        one = self.log(own)
        if one is None or not held:
            return None
        piece = Piece(one.log.number, tuple(each.raw for each in held), tuple(each.content for each in held))
        (took,) = intake.take(self.tx, (piece,), self.me.device_key, self.clock.ms, self.entropy)
        return took

    def accused(self) -> bool:
        """Whether anything was proven to this person, or anybody raised an alarm."""
        return bool(logs.proofs(self.tx)) or any(one.alarm for one in people.contacts(self.tx))


@contextmanager
def open_people(*names: str) -> Iterator[tuple[Person, ...]]:
    """So many people in memory, each a contact of each."""
    clock = Clock()
    with ExitStack() as stack:
        found = []
        for name in names:
            tx, entropy = stack.enter_context(log_kit.open_tx()), kit.entropy_of(name)
            me = identity.create_identity(tx, kit.entropy_of(f"words/{name}")(32), name, clock.ms, entropy)
            found.append(Person(name, tx, me, clock, entropy))
        for one in found:
            for other in found:
                if one is not other:
                    contact = people.add_contact(one.tx, other.me.account, other.name, ContactState.ACTIVE, "", 1)
                    people.pin_lists(one.tx, contact.id, other.me.lists)
                    device = devices.add_device(one.tx, contact.id, other.me.certificate)
                    one.known[other.name] = (contact.id, device.id)
        yield tuple(found)


def post(letters: Sequence[Letter], *people_: Person) -> list[PeerFault | None]:
    """Delivers letters in order."""
    named = {one.name: one for one in people_}
    return [named[one.reader].hear(one) for one in letters]


def settle(*people_: Person) -> None:
    """All mail goes to and fro until nobody has anything to say, however long they wait."""
    is_late = False
    for _ in range(100):
        letters: list[Letter] = []
        for one in people_:
            one.regain()
            letters += one.carry() + one.answer()
        post(letters, *people_)
        if not letters and is_late:
            return
        if not letters:
            people_[0].clock.ms += delivery.EXPIRE_MS
        is_late = not letters
    raise AssertionError("they never have enough")
