"""What a throw-away host answers: its card, whether a greeting was taken, what was decided.

The law is docs/protocol/nearby.md 4, the asking side question.py.
"""

from typing import assert_never

import trio

from crypto import keys
from features.nearby import view
from features.nearby.content import State
from features.nearby.masks import Mask
from features.nearby.sightings import Sightings
from features.nearby.view import Greeting, Standing
from node import frames
from node.core import Core
from node.gate import Gate
from node.network import Stream
from protocol import nearby, record
from protocol.faults import PeerFault, Unavailable
from protocol.nearby import Decision
from store.database import Tx

ANSWER_S = 10.0


class NotHeard(PeerFault):
    """Somebody who is blocked, or asks what this host does not answer, was not answered."""


class Answerer:
    """Serves strangers. Everything they can make us do is counted: streams by Gate, greetings by view.take."""

    def __init__(self, core: Core, standing: Standing, sightings: Sightings) -> None:
        self._core = core
        self._standing = standing
        self._sightings = sightings
        self._gate = Gate()

    async def serve(self, mask: Mask, stream: Stream, is_newest: bool) -> None:
        """One question to one of our throw-away hosts. Raises: PeerFault, Unavailable; the stream is closed then."""
        with self._gate.visit(stream.peer), trio.move_on_after(ANSWER_S) as deadline:
            raw = await frames.FrameReader(stream, nearby.FRAME_BYTES_MAX).read()
            if raw is None:
                raise Unavailable("a stranger asked nothing")
            await frames.write(
                stream, record.encode(await self._answer(mask, stream, nearby.question_of(raw), is_newest))
            )
        if deadline.cancelled_caught:
            raise Unavailable("a stranger took too long")

    async def _answer(self, mask: Mask, stream: Stream, question: nearby.Question, is_newest: bool) -> object:
        transact = self._core.database.transact
        match question:
            case nearby.CardWanted():
                if not is_newest or await transact(view.is_blocked, stream.peer):
                    raise NotHeard
                return nearby.Card(self._standing.name or None, mask.box.public)
            case nearby.Greeting():
                words = nearby.open_words(question, mask.box, stream.peer + mask.network.peer)
                place = self._sightings.place_of(stream.peer)
                return nearby.Heard(await transact(view.take, stream.peer, place, words, self._core.ground.now_ms()))
            case nearby.Asking():
                asked = await transact(_decided, question.ticket)
                if asked is None:
                    raise NotHeard
                return self._decision(asked)
            case _:
                assert_never(question)

    def _decision(self, asked: Greeting) -> nearby.Reply:
        entropy = self._core.ground.entropy("nearby")
        link = asked.link if asked.state is State.HANDED else None
        return nearby.seal_decision(Decision(link), asked.box, asked.ticket, keys.DhKey(entropy(32)), entropy(24))


def _decided(tx: Tx, ticket: bytes) -> Greeting | None:
    """The greeting of a ticket; if it was accepted, its invitation counts as handed over from now on."""
    asked = view.of_ticket(tx, ticket)
    if asked is not None and asked.state is State.ACCEPTED:
        view.move(tx, asked.id, State.HANDED)
        return view.greeting(tx, asked.id)
    return asked
