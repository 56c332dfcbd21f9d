"""What a person can do with logs: begin one, write into it, look into any, take evidence out, hear what was proven."""

from base64 import b64encode
from dataclasses import asdict, dataclass

from features.logs import exporting, view
from features.logs.content import Note
from features.logs.faults import (
    BadLogName,
    BadNote,
    LogNameTaken,
    LogOver,
    NoEntries,
    NoReader,
    NoReaders,
    NotAReader,
    NothingToTrust,
    NotOurs,
    TooManyNotes,
)
from node.core import Core
from node.logs.pen import Pen
from protocol import publishing
from protocol.entry import SEQ_MAX
from protocol.faults import OverLimit
from protocol.grant import NAME_BYTES_MAX, Role
from protocol.ids import AccountId
from store import carrying, logs, passing, people, spaces, troubles, witnessing
from store.database import Tx
from store.faults import LogFrozen
from store.logs import State
from store.spaces import Space

Names = list[str]
Rows = list["Shown"]
NOTES_MAX = 512  # of one call: one transaction
ROLES = {Role.SPINE: "spine", Role.NOTES: "notes", Role.LEDGER: "ledger", Role.FEED: "feed"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A log as people see it. author: "" for ours; published: entries that others may have; progress: of a long log.

    waits_for: the name of the anchor where entries wait for him; kept: how many of these lie at keepers for him;
    kept_by: whose, and until when. readers: names, with how many entries each is known to have. previous: the id of the
    log that it goes on.
    """

    id: str
    name: str
    role: str
    author: str
    device: str
    state: str
    entries: int
    newest_ms: int
    published: int
    anchor: str
    is_open: bool
    waits_for: str
    kept: int
    kept_by: str
    readers: tuple[tuple[str, int], ...]
    progress: tuple[int, int] | None
    previous: str


class Logs:
    """The logs of this node. Every public method is a call of the local API, `logs.NAME`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._pen = Pen(core.delivery.inward, core.sync.desks)

    async def list(self) -> Rows:
        """Returns every log that is here, ours first: whose, how long, who has it, what it waits for."""

        def all_of_them(tx: Tx) -> Rows:
            every, lying = spaces.every(tx), passing.Lying(tx, self._core.ground.now_ms())
            return [self._shown(tx, one, lying) for one in sorted(every, key=lambda one: (one.contact, one.log.number))]

        return await self._core.database.transact(all_of_them)

    async def show(self, log: str, limit: int = 20, after: int | None = None) -> dict[str, object]:
        """Returns a log and its newest entries, or the first ones behind a seq: {"log": …, "entries": […]}.

        log: a name ("trip", "bo/trip") or the beginning of an id. The newest of a long log come first: there is a gap
        before them until the rest is here. Errors: log.unknown, log.ambiguous.
        """

        def look(tx: Tx) -> dict[str, object]:
            one, wanted = view.find(tx, log), max(0, limit)
            found = (
                view.last(tx, one, wanted) if after is None else view.lines(tx, one, min(after + 1, SEQ_MAX), wanted)
            )
            return {"log": asdict(self._shown(tx, one)), "entries": [asdict(line) for line in found]}

        return await self._core.database.transact(look)

    async def begin(self, name: str, readers: Names, anchor: str | None = None) -> Shown:
        """Begins a log of notes for some contacts, durable on return; they are told when they are met.

        anchor: the reader who gets each entry before all others; else the one who was here last.
        Errors: log.name, log.name_taken, log.readers, log.anchor, contact.unknown, contact.ambiguous.
        """
        name = name.strip()  # as it is looked for
        if not name.isprintable() or "/" in name or not 1 <= len(name.encode()) <= NAME_BYTES_MAX:
            raise BadLogName

        def chosen(tx: Tx) -> tuple[tuple[int, ...], bytes]:
            taken = (one for one in spaces.of(tx, spaces.OURS) if one.log.state is not State.OVER)
            if any(one.name.casefold() == name.casefold() for one in taken):
                raise LogNameTaken
            found = [people.find_contact(tx, one) for one in readers]
            if not found:
                raise NoReaders
            first = max(found, key=lambda one: one.seen_ms) if anchor is None else people.find_contact(tx, anchor)
            if first.id not in {one.id for one in found}:
                raise NotAReader
            return tuple(one.id for one in found), first.account

        numbers, account = await self._core.database.transact(chosen)
        begun = await self._pen.begin(Role.NOTES, name, numbers, account)
        return await self._core.database.transact(lambda tx: self._shown(tx, spaces.space(tx, begun.log.number)))

    async def write(self, log: str, text: str) -> dict[str, object]:
        """Signs a note into a log of ours, durable on return: {"id", "seq", "log", "waits_for"}.

        Its readers get it as soon as the log's anchor has it.
        Errors: log.unknown, log.ambiguous, log.not_ours, log.over, log.frozen, limit.
        """
        note = view.said(_note(text))
        one = await self._core.database.transact(self._ours, log)
        (made,) = await self._pen.write(one.log.number, (note,))
        shown = await self._core.database.transact(lambda tx: self._shown(tx, spaces.space(tx, one.log.number)))
        return {"id": made.id.hex(), "seq": made.body.seq, "log": one.log.id.hex(), "waits_for": shown.waits_for}

    async def write_all(self, log: str, texts: Names) -> dict[str, object]:
        """Signs up to 512 notes into a log of ours, in order, all of them or none: {"first", "last", "log"} by seq.

        Errors: log.unknown, log.ambiguous, log.not_ours, log.over, log.frozen, limit.
        """
        if not 1 <= len(texts) <= NOTES_MAX:
            raise TooManyNotes
        notes = tuple(view.said(_note(text)) for text in texts)
        one = await self._core.database.transact(self._ours, log)
        made = await self._pen.write(one.log.number, notes)
        return {"first": made[0].body.seq, "last": made[-1].body.seq, "log": one.log.id.hex()}

    async def share(self, log: str, name: str) -> Shown:
        """Lets one more contact read a log of ours, from its beginning.

        Errors: log.unknown, log.ambiguous, log.not_ours, log.over, contact.unknown, contact.ambiguous.
        """

        def add(tx: Tx) -> Shown:
            one = self._ours(tx, log)
            spaces.add_reader(tx, one.log.number, people.find_contact(tx, name).id)
            return self._shown(tx, one)

        return await self._core.database.transact(add)

    async def unshare(self, log: str, name: str) -> Shown:
        """Lets a contact read no more of a log of ours: it goes on in another, of which he has no key.

        What he has he keeps.
        Errors: log.unknown, log.ambiguous, log.not_ours, log.over, log.frozen, log.no_reader, contact.unknown,
        contact.ambiguous.
        """

        def chosen(tx: Tx) -> tuple[Space, int]:
            one, contact = self._ours(tx, log), people.find_contact(tx, name)
            if contact.id not in spaces.readers(tx, one.log.number):
                raise NoReader
            if one.log.state is State.FROZEN:
                raise LogFrozen
            return one, contact.id

        one, contact_id = await self._core.database.transact(chosen)
        await self._pen.reopen(one.log.number, None, frozenset((contact_id,)))
        return await self._core.database.transact(self._latest, one.log.number)

    async def reopen(self, log: str, anchor: str | None = None) -> Shown:
        """Begins the successor of a log of ours, whose anchor is not waited for any more; returns it.

        anchor: another reader; else the one who was here last.
        Errors: log.unknown, log.ambiguous, log.not_ours, log.over, log.anchor, contact.unknown, contact.ambiguous.
        """

        def chosen(tx: Tx) -> tuple[Space, bytes | None]:
            one = self._ours(tx, log)
            if anchor is None:
                return one, None
            contact = people.find_contact(tx, anchor)
            if contact.id not in spaces.readers(tx, one.log.number):
                raise NotAReader
            return one, contact.account

        one, account = await self._core.database.transact(chosen)
        await self._pen.reopen(one.log.number, account)
        return await self._core.database.transact(self._latest, one.log.number)

    async def export(self, log: str, first: int = 0, last: int | None = None, opened: bool = True) -> dict[str, object]:
        """Returns a part of a file of evidence: {"items": base64, "next": the seq to go on with or null, "opened"}.

        first, last: of the entries. opened: with the keys of what was said, for whoever gets the file; of a feed there
        are none to be given.
        Errors: log.unknown, log.ambiguous, log.no_entries, log.no_evidence.
        """

        def look(tx: Tx) -> tuple[exporting.Page, bool]:
            one = view.find(tx, log)
            count, _ = view.newest(tx, one)
            if not 0 <= first < count or (last is not None and last < first):
                raise NoEntries
            end = count - 1 if last is None else min(last, count - 1)
            has_keys = opened and one.role is not Role.FEED
            return exporting.page(tx, one, first, end, has_keys), has_keys

        found, has_keys = await self._core.database.transact(look)
        return {"items": b64encode(found.items).decode(), "next": found.next, "opened": has_keys}

    async def trust(self, name: str) -> dict[str, object]:
        """Takes a contact's new spine in place of the one seen before. Errors: log.no_doubt, contact.unknown."""

        def decide(tx: Tx) -> dict[str, object]:
            contact = people.find_contact(tx, name)
            for one in spaces.of(tx, contact.id):
                if one.role is Role.SPINE and witnessing.trust(tx, one):
                    return {"name": contact.name, "log": one.log.id.hex()}
            raise NothingToTrust

        return await self._core.database.transact(decide)

    async def proofs(self) -> dict[str, object]:
        """Returns what was proven against authors of logs, what happened to our own, and what waits for a decision.

        {"proofs": [{log, name, author, at_ms, kind, says, places, proof}], "troubles": [{log, name, says, at_ms}],
        "doubts": [{author, log}]}. proof: its bytes as hexadecimal, which stand alone.
        """

        def look(tx: Tx) -> dict[str, object]:
            found = []
            for number, at_ms, proof in logs.proofs(tx):
                one = spaces.space(tx, number)
                says, places = view.accusation(tx, one, proof)
                found.append(
                    {
                        "log": one.log.id.hex(),
                        "name": view.full_name(tx, one),
                        "author": one.log.author.hex(),
                        "at_ms": at_ms,
                        "kind": type(proof).__name__.lower(),
                        "says": says,
                        "places": list(places),
                        "proof": proof.encode().hex(),
                    }
                )
            ours = [_trouble(spaces.space(tx, one.log), one) for one in troubles.every(tx)]
            doubts = [
                {"author": people.contact(tx, one.contact).name, "log": one.log.id.hex()}
                for one in spaces.every(tx)
                if one.role is Role.SPINE and one.contact != spaces.OURS and witnessing.is_doubted(tx, one)
            ]
            return {"proofs": found, "troubles": ours, "doubts": doubts}

        return await self._core.database.transact(look)

    def _ours(self, tx: Tx, text: str) -> Space:
        """The log of our own that is meant, as one that goes on. Raises: UnknownLog, AmbiguousLog, NotOurs, LogOver."""
        one = view.find(tx, text)
        if one.contact != spaces.OURS or one.role is not Role.NOTES:
            raise NotOurs
        if one.log.state is State.OVER or not one.log.own:
            raise LogOver
        return one

    def _latest(self, tx: Tx, number: int) -> Shown:
        """The successor of a log; the log itself where nobody is left to read one."""
        found = (other for other in spaces.every(tx) if other.previous == number)
        return self._shown(tx, next(found, spaces.space(tx, number)))

    def _shown(self, tx: Tx, one: Space, lying: passing.Lying | None = None) -> Shown:
        """lying: what was looked up for others already."""
        number, desks = one.log.number, self._core.sync.desks
        count, newest_ms = view.newest(tx, one)
        anchor = people.by_account(tx, AccountId(one.anchor))
        named = "you" if one.anchor == self._core.identity.account else "" if anchor is None else anchor.name
        held = publishing.NONE if anchor is None else desks.held_by.get((number, anchor.id), publishing.NONE)
        published = min(max(one.log.published, held) + 1, count) if one.log.own else count
        kept, kept_by = 0, ""
        if anchor is not None and published < count:
            lying = lying or passing.Lying(tx, self._core.ground.now_ms())
            kept, kept_by = lying.kept(anchor.id, one.log.id, published)
        known = carrying.held(tx, number)
        readers = [] if one.contact != spaces.OURS else spaces.readers(tx, number)
        return Shown(
            id=one.log.id.hex(),
            name=view.full_name(tx, one),
            role=ROLES[one.role],
            author="" if one.contact == spaces.OURS else people.contact(tx, one.contact).name,
            device=one.log.author.hex(),
            state=view.state(one),
            entries=count,
            newest_ms=newest_ms,
            published=published,
            anchor=named,
            is_open=desks.is_open(number),
            waits_for=named if published < count else "",
            kept=kept,
            kept_by=kept_by,
            readers=tuple(
                (
                    people.contact(tx, reader).name,
                    max(desks.held_by.get((number, reader), publishing.NONE) + 1, known.get(reader, 0)),
                )
                for reader in readers
            ),
            progress=self._core.sync.progress.get(number),
            previous=logs.log(tx, one.previous).id.hex() if one.previous else "",
        )


def _note(text: str) -> Note:
    """The note of one line. Raises: BadNote."""
    try:
        return Note(text)
    except OverLimit:
        raise BadNote from None


def _trouble(one: Space, met: troubles.Noted) -> dict[str, object]:
    return {"log": one.log.id.hex(), "name": one.name, "says": met.what.value, "at_ms": met.at_ms}
