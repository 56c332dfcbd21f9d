"""What a person can do nearby: be visible for a while, see who is, greet, accept, block, report."""

from collections.abc import Sequence

from crypto.faults import PeerFault
from features.nearby import view
from features.nearby.content import (
    FOR_S_DEFAULT,
    FOR_S_MAX,
    FOR_S_MIN,
    LINK_S,
    MINE_MAX,
    REASON_BYTES_MAX,
    SHORT_CHARS_MIN,
    State,
    short,
)
from features.nearby.faults import (
    AlreadyGreeted,
    AmbiguousPerson,
    Gone,
    NoGreeting,
    NotVisible,
    TooLong,
    TooManyWait,
    UnknownPerson,
)
from features.nearby.session import Session
from features.nearby.sightings import DISTANCES
from features.nearby.view import Greeting, Shown, Standing, shown
from features.nearby.visibility import Visibility
from node.core import Core
from node.network import PeerId
from protocol import ids, invite, nearby
from protocol.faults import OverLimit, Unavailable, quoted
from protocol.nearby import Verdict
from store import invitations, people
from store.database import Tx
from store.people import Contact

Rows = list[dict[str, object]]
Found = list[Shown]  # inside the class, `list` is a call of the local API


class Nearby:
    """Being seen by strangers, for a while. Every public async method is a call of the local API, `nearby.NAME`."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.visibility = Visibility(core)

    def said(self) -> str:
        """What the node's status says: "off", or "on, 24 min left", with the trouble there is."""
        session, trouble = self.visibility.session, self.visibility.trouble
        if session is None:
            return f"off ({trouble})" if trouble else "off"
        minutes = -(-self.visibility.left_ms(session.standing) // 60_000)
        return f"on, {minutes} min left" + (f" ({trouble})" if trouble else "")

    # --- being visible

    async def on(self, for_s: int = FOR_S_DEFAULT, name: str = "", place: str = "") -> dict[str, object]:
        """Makes you visible for this long (1 minute to 4 hours), anew: greetings of an earlier time are forgotten.

        name: what you claim to be called. place: "LAT,LON"; only its cell of about 5 km is kept.
        Errors: limit, nearby.place, nearby.listen.
        """
        if not FOR_S_MIN <= for_s <= FOR_S_MAX:
            said = "One is visible for 1 minute to 4 hours at a time; nothing was changed."
            raise TooLong(said, next="weft nearby on --for 30m")
        try:
            nearby.Card(name or None, bytes(32))  # its constructor knows what a name may be
        except OverLimit:
            raise TooLong("A name is one line of 1 to 64 bytes; nothing was changed.", next="weft nearby on") from None
        cell = nearby.cell_text(nearby.cell_of(place)) if place else ""
        await self.visibility.begin(self._core.ground.now_ms() + for_s * 1000, name, cell)
        return await self.status()

    async def off(self) -> dict[str, object]:
        """Ends being visible at once: nothing is sent or answered any more, and all of it but reports is forgotten."""
        await self.visibility.end()
        return await self.status()

    async def status(self) -> dict[str, object]:
        """Returns whether and until when you are visible, under which name, in which cell, and what does not work."""
        session = self.visibility.session
        standing = Standing(0, 0, "", "") if session is None else session.standing
        return {
            "on": session is not None,
            "left_s": self.visibility.left_ms(standing) // 1000,
            "until_ms": standing.until_ms,
            "name": standing.name,
            "cell": standing.cell,
            "trouble": self.visibility.trouble,
        }

    # --- others

    async def list(self) -> Rows:
        """Returns who is visible now: id, claimed name, distance, when last seen. Errors: nearby.off."""
        session = self.visibility.now()
        seen = await session.look_around()
        met = await self._core.database.transact(view.greetings)
        return [
            {
                "id": short(one.peer),
                "name": one.card.name or "" if one.card is not None else "",
                "distance": DISTANCES[one.near],
                "seen_ms": one.seen_ms,
                "greeting": next((shown(row).state for row in met if row.peer == one.peer), ""),
            }
            for one in seen
        ]

    async def greet(self, id: str, text: str) -> Shown:
        """Says one thing to a stranger; who you are is told only if it is accepted.

        Errors: nearby.off, nearby.unknown, nearby.ambiguous, nearby.greeted, nearby.gone, nearby.full, limit.
        """
        session = self.visibility.now()
        if not text.strip() or len(text.encode()) > nearby.TEXT_BYTES_MAX:
            raise TooLong(
                f"A greeting has 1 to {nearby.TEXT_BYTES_MAX} bytes; nothing was sent.", next="weft nearby greet --help"
            )
        one = session.sightings.get(await self._peer(session, id))
        if one is None or one.card is None:
            raise UnknownPerson(f"Nobody nearby has the id {quoted(id)}; nothing was sent.")
        entropy, now_ms = self._core.ground.entropy("nearby"), self._core.ground.now_ms()
        said = Greeting(
            id=0,
            mine=True,
            peer=one.peer,
            box=one.card.box,
            secret=entropy(32),
            ticket=entropy(16),
            name=one.card.name or "",
            text=text,
            addresses=tuple(one.addresses),
            place="",
            at_ms=now_ms,
            state=State.UNSENT,
        )
        stored = await self._core.database.transact(_greet, said)
        try:
            verdict = await session.say(stored)
        except (PeerFault, Unavailable):
            session.sightings.forget(one.peer)
            verdict = None
        if verdict is not Verdict.TAKEN:
            await self._core.database.transact(view.drop, stored.id)
            raise Gone if verdict is None else TooManyWait if verdict is Verdict.FULL else AlreadyGreeted
        session.follow()
        return await self._read(stored.id)

    async def greetings(self) -> Found:
        """Returns the greetings that came and went since you are visible. Errors: nearby.off."""
        self.visibility.now()
        found = await self._core.database.transact(view.greetings)
        return [shown(one) for one in found if one.state is not State.HIDDEN]

    async def accept(self, id: str) -> Shown:
        """Lets whoever greeted you become a contact: you are told to each other as soon as his node asks again.

        Errors: nearby.off, nearby.unknown, nearby.ambiguous, nearby.not_greeted.
        """
        session = self.visibility.now()
        peer = await self._peer(session, id)
        found = await self._core.database.transact(view.of_peer, peer, False)
        waiting = next((one for one in found if one.state is State.WAITING), None)
        if waiting is None:
            raise NoGreeting(f"No greeting of {quoted(id)} waits for an answer; nothing was changed.")
        made = await self._core.services["contacts"].invite(kind="once", expires_s=LINK_S)
        await self._core.database.transact(view.accept, waiting.id, made["link"], ids.ulid_from(made["id"]))
        return await self._read(waiting.id)

    async def block(self, id: str) -> dict[str, object]:
        """Hears and sees somebody no more, and is not seen by him: this throw-away id, and the account if it is known.

        Errors: nearby.off, nearby.unknown, nearby.ambiguous.
        """
        session = self.visibility.now()
        peer = await self._peer(session, id)
        return {"id": short(peer), "contact": await self._block(session, peer)}

    async def report(self, id: str, reason: str = "") -> dict[str, object]:
        """Blocks somebody and keeps what he said, with the time, for you to show: there is nobody whom weft could tell.

        Errors: nearby.off, nearby.unknown, nearby.ambiguous, limit.
        """
        session = self.visibility.now()
        if len(reason.encode()) > REASON_BYTES_MAX:
            raise TooLong(f"A reason has at most {REASON_BYTES_MAX} bytes; nothing was done.")
        peer = await self._peer(session, id)
        seen = session.sightings.get(peer)
        now_ms = self._core.ground.now_ms()

        def keep(tx: Tx) -> int:
            said = view.of_peer(tx, peer, mine=False)
            name = seen.card.name or "" if seen is not None and seen.card is not None else ""
            silent = () if said else (view.Report(peer, name, "", seen.seen_ms if seen else 0, reason, now_ms),)
            rows = [*silent, *(view.Report(peer, one.name, one.text, one.at_ms, reason, now_ms) for one in said)]
            for row in rows:
                view.report(tx, row)
            return len(rows)

        kept = await self._core.database.transact(keep)
        return {"id": short(peer), "contact": await self._block(session, peer), "kept": kept}

    async def reports(self) -> Rows:
        """Returns what was kept of those whom you reported; it stays when nearby mode ends."""
        found = await self._core.database.transact(view.reports)
        return [
            {
                "id": short(one.peer),
                "key": one.peer.hex(),
                "name": one.name,
                "text": one.text,
                "heard_ms": one.heard_ms,
                "reason": one.reason,
                "reported_ms": one.reported_ms,
            }
            for one in found
        ]

    async def _block(self, session: Session, peer: PeerId) -> str:
        """Blocks a throw-away host, and the contact it became; his name, "" where none is known."""

        def hide(tx: Tx) -> Contact | None:
            account = _account_of(tx, peer, self._core.ground.now_ms())
            view.block(tx, peer)
            return None if account is None else people.by_account(tx, account)

        contact = await self._core.database.transact(hide)
        session.sightings.forget(peer)
        if contact is None:
            return ""
        await self._core.services["contacts"].block(name=ids.account_text(contact.account))
        return contact.name

    async def _peer(self, session: Session, id: str) -> PeerId:
        """Whoever is meant by an id, among those who are seen and those who greeted. Raises: UnknownPerson, ..."""
        met = await self._core.database.transact(view.greetings)
        return _matching([*(one.peer for one in session.sightings.visible()), *(PeerId(one.peer) for one in met)], id)

    async def _read(self, greeting_id: int) -> Shown:
        one = await self._core.database.transact(view.greeting, greeting_id)
        if one is None:
            raise NotVisible
        return shown(one)


async def run(room: Nearby) -> None:
    """Is visible as long as it was asked for, until cancelled."""
    await room.visibility.run()


def _matching(peers: Sequence[PeerId], id: str) -> PeerId:
    """The one whose short id this is, or begins. Raises: UnknownPerson, AmbiguousPerson."""
    wanted = id.strip().lower()
    found = list(dict.fromkeys(one for one in peers if short(one).startswith(wanted)))
    if not found or len(wanted) < SHORT_CHARS_MIN:
        raise UnknownPerson(f"Nobody nearby has the id {quoted(id)}; nothing was done.")
    if len(found) > 1:
        raise AmbiguousPerson(f"{quoted(id)} may be {', '.join(map(short, found[:4]))}; type more of it.")
    return found[0]


def _greet(tx: Tx, said: Greeting) -> Greeting:
    """Stores a greeting of ours before it leaves. Raises: AlreadyGreeted, TooManyWait."""
    if view.of_peer(tx, said.peer, mine=True):
        raise AlreadyGreeted
    if view.count_mine(tx) >= MINE_MAX:
        raise TooManyWait(f"{MINE_MAX} greetings of yours wait for an answer already; nothing was sent.")
    stored = view.greeting(tx, view.add(tx, said))
    assert stored is not None
    return stored


def _account_of(tx: Tx, peer: PeerId, now_ms: int) -> ids.AccountId | None:
    """Whose throw-away host this was, if an acceptance has told; an invitation that nobody used yet is revoked."""
    for one in view.of_peer(tx, peer, mine=False):
        for invitation in invitations.open_invitations(tx, now_ms):
            if invitation.id == one.invitation and invitation.spent_by is not None:
                return invitation.spent_by
        if one.invitation:
            invitations.revoke(tx, one.invitation)
    links = [one.link for one in view.of_peer(tx, peer, mine=True) if one.link]
    return invite.link_from(links[0]).account if links else None
