"""What a person can do about keepers: keep for contacts, have contacts and nodes of one's own keep, look at both."""

from dataclasses import asdict, dataclass

import trio

from crypto import hashing
from crypto.hashing import Label
from features.keepers import adding, view
from features.keepers.content import SPACE_MAX, Asked, Left
from features.keepers.faults import (
    BadSpace,
    KeepsNothing,
    KeepsTooBriefly,
    KeptForNobody,
    NobodyNamed,
    NotContacts,
    TooManyKeepers,
)
from features.keepers.view import Given, State, Word
from node import config, speech
from node.core import Core
from node.keep import telling
from node.publisher import Publisher
from protocol.faults import UserFault
from protocol.keep_code import KEEPER
from store import keepers, pairs, people, settings
from store.database import Tx
from store.faults import AccountChanged
from store.keepers import Keeper, QueueState
from store.people import Contact, ContactState

Names = list[str]
SPACE_MIN = 20_000_000  # a twentieth of it holds a conversation
SHARE = 20  # one part of so many is what each may have: a contact who fills his leaves the others theirs
TAKE = "keepers.take"
STATES = {
    keepers.State.OFFERED: "offered",
    keepers.State.USED: "used",
    keepers.State.LEFT: "left",
    keepers.State.DECLINED: "declined",
}
LEARNS = {
    "contact": {
        "can": "that you use it, how many contacts may leave mail there, when, how much, and from which addresses",
        "cannot": "what is written, and which of your contacts left it",
    },
    "own": {
        "can": "when something is left and fetched, how much, and from which addresses",
        "cannot": "what is written, who left it, whose node it is; no key of your account is on it",
    },
}


@dataclass(frozen=True, slots=True)
class Shown:
    """One who keeps for us, or would. state: "offered", "used", "left" or "declined". bytes, items: what it has for us.

    open, wanted: queues that are there, and that it has not made yet. fault: what is wrong with it.
    """

    kind: str
    name: str
    own: bool
    state: str
    since_ms: int
    seen_ms: int
    bytes: int
    items: int
    space: int
    ttl_s: int
    open: int
    wanted: int
    fault: str


@dataclass(frozen=True, slots=True)
class Owner:
    """One for whom we keep. state: "said"; "wanted" before he can be told, "left" where he does not need it.

    online: whether he is here now. files: of his that lie here, beside the items.
    """

    kind: str
    name: str
    state: str
    since_ms: int
    online: bool
    seen_ms: int
    bytes: int
    items: int
    space: int
    files_bytes: int = 0
    files: int = 0


@dataclass(frozen=True, slots=True)
class Wish:
    """A wish that nobody has answered. mine: we asked him; else he asks us."""

    kind: str
    name: str
    mine: bool
    at_ms: int


class Keepers:
    """Who keeps for us, and for whom we keep. Every public async method is a call of the local API, `keepers.NAME`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._settling = trio.Lock()
        self.publisher: Publisher | None = None  # of the record by which this node is found as a keeper
        if core.lookup is not None and core.publisher is not None:
            here = (KEEPER, core.network.peer, core.lookup, core.network.addresses)
            self.publisher = Publisher(core.ground, core.database, *here, facts=self._facts)
            core.publisher.heeding.append(self.publisher.bell)

    async def list(self) -> dict[str, object]:
        """Returns who keeps for me, for whom I keep, how full: {"keepers", "owners", "wishes", "learns", "space"}."""
        keeping = self._core.keeping
        uses = {one.contact: one for one in await keeping.usage()}
        files = {contact_id: await keeping.files(contact_id) for contact_id in uses}
        reached, here = self._core.collector.reached(), {talk.contact for talk in self._core.delivery.talks}

        def look(tx: Tx) -> dict[str, object]:
            owners = []
            for one in view.all_given(tx, State.WANTED, State.SAID, State.LEFT, State.FREE):
                use, contact = uses.get(one.contact), people.contact(tx, one.contact)
                has = (0, 0, 0) if use is None else (use.seen_ms, use.bytes, use.items)
                state = {State.WANTED: "wanted", State.SAID: "said"}.get(one.state, "left")
                rest = (*has, one.space, *files.get(one.contact, (0, 0)))
                owners.append(Owner("owner", contact.name, state, one.since_ms, one.contact in here, *rest))
            wishes = [
                Wish("wish", people.contact(tx, contact_id).name, word is Word.ASKED, at_ms)
                for word in (Word.ASKS, Word.ASKED)
                for contact_id, at_ms in view.noted(tx, word).items()
            ]
            return {
                "keepers": [{**asdict(shown(tx, one)), "online": one.id in reached} for one in keepers.known(tx)],
                "owners": [asdict(one) for one in owners],
                "wishes": [asdict(one) for one in wishes],
            }

        found = await self._core.database.transact(look)
        return {**found, "learns": LEARNS, "space": await keeping.given()}

    async def offer(self, contacts: Names, space: int | None = None) -> dict[str, object]:
        """Keeps for these contacts from now on; they are told when they are met: {"owners", "space"}.

        space: bytes for all together, each gets a twentieth of it; None leaves it as it is (1 GiB at first).
        Errors: keeper.nobody, keeper.space, keeper.no_contact, contact.unknown, contact.ambiguous,
        contact.account_changed.
        """
        if not contacts:
            raise NobodyNamed
        if space is not None and not SPACE_MIN <= space <= SPACE_MAX:
            raise BadSpace
        now_ms, keeping = self._core.ground.now_ms(), self._core.keeping
        found = await self._core.database.transact(lambda tx: [_agreed(tx, name) for name in contacts])
        if space is not None:
            await keeping.give(space)
        total = await keeping.given()

        def note(tx: Tx) -> None:
            named = {one.id for one in found}
            before = {one.contact: one.space for one in view.all_given(tx, State.WANTED, State.SAID)}
            changed = {contact_id for contact_id, share in before.items() if share != total // SHARE}
            for contact_id in sorted(named | changed):
                view.offer(tx, contact_id, total // SHARE, now_ms)

        await self._core.database.transact(note)
        await self.settle()
        names, told = {one.name for one in found}, await self.list()
        owners: object = [one for one in told["owners"] if one["name"] in names]  # type: ignore[attr-defined]
        return {"owners": owners, "space": total}

    async def use(self, who: str, name: str | None = None) -> dict[str, object]:
        """Lets somebody keep for us: {"name", "own", "state"}; state: "used", or "asked" where he must offer it first.

        who: a contact, a node of our own by its name, or the code of one (weft:k/…), which is called `name`; None
        leaves the name that it has, at first "home".
        Errors: contact.unknown, contact.ambiguous, contact.account_changed, keeper.no_contact, keeper.too_many,
        keeper.brief, keeper.name, keeper.name_taken, keeper.code.
        """
        core = self._core
        code = adding.code_of(who)
        now_ms, entropy = core.ground.now_ms(), core.ground.entropy("keepers")

        def begin(tx: Tx) -> tuple[str, int, str, int]:
            own = adding.add(tx, code, name, now_ms) if code is not None else adding.own(tx, who)
            if own is not None:
                _use(tx, own, entropy(32))
                return own.name, own.id, "used", 0
            contact = _agreed(tx, who)
            known = keepers.of_contact(tx, contact.id)
            if known is not None and known.state in (keepers.State.OFFERED, keepers.State.USED):
                _use(tx, known, entropy(32))
                view.unnote(tx, contact.id, Word.STOPPED)
                return contact.name, 0, "used", 0
            _require_room(tx)
            if known is not None:  # he has deleted what there was, and takes the permit back
                keepers.forget(tx, known.id)
            view.unnote(tx, contact.id, Word.STOPPED)
            view.note(tx, contact.id, Word.ASKED, now_ms)
            speech.say(tx, contact.id, (Asked(),), now_ms, core.ground.entropy("message"))
            return contact.name, 0, "asked", contact.id

        called, own_id, state, told = await core.database.transact(begin)
        if told:
            core.delivery.stir(told)
        if own_id:
            core.collector.used(own_id)  # at once where it is now, which the code may have told
        return {"name": called, "own": bool(own_id), "state": state}

    async def stop(self, who: str) -> dict[str, object]:
        """Ends what somebody keeps for us, or would: {"name", "own"}. What lies there is left elsewhere by its senders.

        Once more, a node of our own that was not reached since is forgotten.

        Errors: contact.unknown, contact.ambiguous, keeper.unknown.
        """
        core, now_ms = self._core, self._core.ground.now_ms()

        def end(tx: Tx) -> tuple[str, int, tuple[int, ...]]:
            own = adding.own(tx, who)
            if own is not None:
                if own.state is keepers.State.USED:
                    keepers.leave(tx, own.id, keepers.State.LEFT)
                else:  # it was left before, and was not reached since: what lies there, it drops by itself
                    keepers.forget(tx, own.id)
                return own.name, 0, telling.tell(tx, core.delivery.inward)
            contact = people.find_contact(tx, who)
            known = keepers.of_contact(tx, contact.id)
            if known is not None and known.state is keepers.State.USED:
                view.part(tx, known)
            elif known is not None and known.state is keepers.State.OFFERED:
                keepers.leave(tx, known.id, keepers.State.DECLINED)
            elif contact.id not in view.noted(tx, Word.ASKED):
                raise KeepsNothing(f"{contact.name} keeps nothing for you and does not offer it; nothing was changed.")
            view.unnote(tx, contact.id, Word.ASKED)
            view.note(tx, contact.id, Word.STOPPED, now_ms)
            _say(tx, core, contact, Left(), now_ms)
            return contact.name, contact.id, (contact.id, *telling.tell(tx, core.delivery.inward))

        name, contact_id, told = await core.database.transact(end)
        for one in told:
            core.delivery.stir(one)
        return {"name": name, "own": not contact_id}

    async def stop_for(self, name: str) -> dict[str, object]:
        """Keeps nothing for a contact any more, and deletes what lies here for him: {"name"}.

        Errors: contact.unknown, contact.ambiguous, keeper.not_kept.
        """
        core, now_ms = self._core, self._core.ground.now_ms()

        def end(tx: Tx) -> Contact:
            contact = people.find_contact(tx, name)
            one = view.given(tx, contact.id)
            if contact.id in view.noted(tx, Word.ASKS):
                view.unnote(tx, contact.id, Word.ASKS)  # which is what there was to stop
            elif one is None or one.state in (State.UNWANTED, State.ENDED):
                raise KeptForNobody(f"You keep nothing for {contact.name}; nothing was changed.")
            if one is not None and one.state not in (State.UNWANTED, State.ENDED):
                _say(tx, core, contact, view.withdraw(tx, one, now_ms), now_ms)
            return contact

        contact = await core.database.transact(end)
        core.delivery.stir(contact.id)
        await self.settle()
        return {"name": contact.name}

    def asking(self, tx: Tx) -> tuple[str, ...]:
        """The names of those who ask us to keep for them, for the status of the node."""
        return view.asking(tx)

    async def settle(self) -> None:
        """Does what is due: takes offers, gets permits and says our offers, takes permits back."""
        core = self._core
        async with self._settling:
            due, told = await core.database.transact(self._tend)
            for contact_id in told:
                core.delivery.stir(contact_id)
            for one in due:
                if one.state is not State.WANTED:
                    await core.keeping.revoke(one.contact)
                    await core.database.transact(view.revoked, one)
                    continue
                permit = await core.keeping.permit(one.contact, one.space, one.ttl_s)
                await core.database.transact(self._say_offer, one, permit)
                core.delivery.stir(one.contact)

    async def renew(self) -> None:
        """Has offers made anew whose permits are not there any more: what was kept is on a disk of its own."""
        try:
            there = {one.contact for one in await self._core.keeping.usage()}
        except UserFault:
            return  # it cannot be opened, which is told elsewhere
        await self._core.database.transact(view.renew, there, self._core.ground.now_ms())

    def _facts(self, tx: Tx) -> tuple[bytes, bool]:
        """The secret of our record as a keeper, and whether anybody has it."""
        return self._find(tx), bool(view.all_given(tx, State.SAID))

    def _find(self, tx: Tx) -> bytes:
        """The secret of our record as a keeper: who has an offer of ours finds us by it, and nobody else."""
        epoch = view.epoch(tx).to_bytes(8, "big")
        return hashing.subkey(self._core.identity.device_key.seed, Label.KEEP, b"find" + epoch)

    def _tend(self, tx: Tx) -> tuple[tuple[Given, ...], tuple[int, ...]]:
        """What is due of our offers, and who was told that he can leave mail elsewhere."""
        ground = self._core.ground
        told = telling.tell(tx, self._core.delivery.inward) if view.let_go(tx, ground.now_ms()) else ()
        by_itself = config.effective(settings.all_set(tx))[TAKE] is True
        view.take_offers(tx, by_itself, ground.entropy("keepers"))
        for contact_id in (again := view.ask_again(tx, ground.now_ms())):
            _say(tx, self._core, people.contact(tx, contact_id), Asked(), ground.now_ms())
        told = (*told, *again)
        find = self._find(tx)
        for one in view.all_given(tx, State.SAID):
            if one.find != find:  # somebody has left who knows the old one
                view.offer(tx, one.contact, one.space, ground.now_ms())
        due = view.all_given(tx, State.WANTED, State.LEFT, State.UNWANTED)
        stopped = {one.contact for one in due if people.contact(tx, one.contact).alarm == people.STOPS}
        # of those under the alarm what is said waits until the person has decided
        return tuple(one for one in due if one.state is not State.WANTED or one.contact not in stopped), told

    def _say_offer(self, tx: Tx, wanted: Given, permit: bytes) -> None:
        now_ms = self._core.ground.now_ms()
        offered = view.offered(tx, wanted, permit, self._find(tx), now_ms)
        if offered is not None:
            _say(tx, self._core, people.contact(tx, wanted.contact), offered.said, now_ms)


async def run(room: Keepers) -> None:
    """Does what is due whenever contacts, offers or settings changed, and is found as a keeper, until cancelled."""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_settle_all, room)
        if room.publisher is not None:
            nursery.start_soon(room.publisher.run)


async def _settle_all(room: Keepers) -> None:
    topics = frozenset({keepers.CHANGED, view.CHANGED, people.CHANGED, settings.CHANGED})
    with room._core.database.watch(topics) as changes:
        await room.renew()
        while True:
            await room.settle()
            await changes.receive()


def shown(tx: Tx, one: Keeper) -> Shown:
    """A keeper as people see it."""
    of_contacts = [queue.state for queue in keepers.queues(tx, one.id) if queue.contact != keepers.OWN]
    return Shown(
        kind="keeper",
        name=keepers.name(tx, one),
        own=one.contact == keepers.OWN,
        state=STATES[one.state],
        since_ms=one.since_ms,
        seen_ms=one.seen_ms,
        bytes=one.bytes,
        items=one.items,
        space=one.space,
        ttl_s=one.ttl_s,
        open=of_contacts.count(QueueState.OPEN),
        wanted=of_contacts.count(QueueState.WANTED),
        fault=one.wrong or one.full,
    )


def _say(tx: Tx, core: Core, contact: Contact, what: object, now_ms: int) -> None:
    """Tells a contact, where anything may be said to him: who is blocked sees nothing."""
    if contact.state not in pairs.CLOSED and contact.alarm != people.STOPS:
        speech.say(tx, contact.id, (what,), now_ms, core.ground.entropy("message"))


def _agreed(tx: Tx, name: str) -> Contact:
    """The contact of this name, with whom something can be agreed. Raises: UserFault."""
    contact = people.find_contact(tx, name)
    if contact.state is not ContactState.ACTIVE:
        raise NotContacts(f"{contact.name} is no contact of yours yet, or any more; nothing was changed.")
    if contact.alarm == people.STOPS:
        raise AccountChanged(f"{contact.name} has another account than before; nothing was changed.")
    return contact


def _use(tx: Tx, one: Keeper, owner_seed: bytes) -> None:
    if one.is_brief:
        raise KeepsTooBriefly(f"{keepers.name(tx, one)} would not do as a keeper: {one.briefly}; nothing was changed.")
    if one.state is not keepers.State.USED:
        _require_room(tx)
    keepers.use(tx, one.id, owner_seed)  # of one that is used, it forgives what it was caught at


def _require_room(tx: Tx) -> None:
    if len(keepers.used(tx)) >= keepers.USED_MAX:
        raise TooManyKeepers
