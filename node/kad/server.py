"""Serves the DHT to others: what they ask is answered from the table and the shelf, at a bounded cost.

    a stream:  question ── 10 s at most ──> answer ── 10 s ──> question ...     8 streams of one peer, 64 questions each

Whoever asks is a client until he has answered *us*: callers.py looks, in its own time. A question that is malformed, or
a gift that is no good, ends the stream (as the spec says); a gift that is older than what lies here is answered with
the newer one. Source: docs/protocol/dht.md 3, 6. Not here: what is kept (shelf.py), how often (rates.py).
"""

from collections import Counter
from collections.abc import Callable
from typing import assert_never

import trio

from node import delimited
from node.delimited import DelimitedReader
from node.kad import messages, rates, space
from node.kad.messages import PEERS_MAX, Kind, Message, Peer
from node.kad.places import payer_of, tellable
from node.kad.rates import Meter
from node.kad.shelf import Outdated, Shelf
from node.kad.table import Table
from node.network import Address, PeerId, Stream
from protocol.faults import Malformed, PeerFault

STREAMS_PER_PEER_MAX = (
    8  # twelve idle ones switch py-libp2p's DHT off for everybody; here they are their holder's alone
)
QUESTIONS_PER_STREAM_MAX = 64
PATIENCE_S = 10.0  # for a question to come, and for an answer to be taken


class TooMany(PeerFault):
    """A peer holds more streams of the DHT open than anybody needs."""


class Server:
    """Answers for one host."""

    def __init__(self, table: Table, shelf: Shelf, now_s: Callable[[], int], note: Callable[[Stream], None]) -> None:
        """note: told each stream whose peer asked something good; it may not wait."""
        self._table = table
        self._shelf = shelf
        self._now_s = now_s
        self._note = note
        self._streams: Counter[PeerId] = Counter()
        self._meters = tuple(
            (Meter(of_peer), Meter(of_place))
            for of_peer, of_place in (
                (rates.PER_PEER, rates.PER_PLACE),
                (rates.GIFTS_PER_PEER, rates.GIFTS_PER_PLACE),
            )
        )

    async def accept(self, _protocol: str, stream: Stream) -> None:
        """Answers what comes on one stream until it ends or is silent for 10 s.

        Raises: PeerFault for a bad question or a flood; Unavailable when the stream is gone.
        """
        if self._streams[stream.peer] >= STREAMS_PER_PEER_MAX:
            raise TooMany
        stream.welcome()
        self._streams[stream.peer] += 1
        try:
            await self._serve(stream)
        finally:
            self._streams[stream.peer] -= 1
            if not self._streams[stream.peer]:
                del self._streams[stream.peer]

    def answer(self, question: Message, asker: PeerId, remote: Address | None) -> Message | None:
        """The answer to one question, None where none is given. remote: where its packets come from.

        Raises: PeerFault for a question that cannot be answered, or a gift that is no good.
        """
        now_s = self._now_s()
        match question.kind:
            case Kind.PING:
                return Message(Kind.PING)
            case Kind.FIND_NODE:
                return Message(Kind.FIND_NODE, question.key, closer=self._closer(question.key, asker, remote))
            case Kind.GET_VALUE:
                record = self._shelf.get(space.key_of_record(question.key), now_s)
                return Message(Kind.GET_VALUE, question.key, record, self._closer(question.key, asker, remote))
            case Kind.PUT_VALUE:
                return self._put(question, asker, remote, now_s)
            case Kind.ADD_PROVIDER:
                return self._provide(question, asker, remote, now_s)
            case Kind.GET_PROVIDERS:
                here = self._shelf.providers_of(space.key_of_providers(question.key), now_s)
                told = (Peer(one.id, tellable(one.addresses, remote)) for one in here)
                providers = tuple(one for one in told if one.addresses)
                return Message(
                    Kind.GET_PROVIDERS, question.key, None, self._closer(question.key, asker, remote), providers
                )
            case _:
                assert_never(question.kind)

    async def _serve(self, stream: Stream) -> None:
        reader = DelimitedReader(stream, messages.REQUEST_BYTES_MAX)
        for _ in range(QUESTIONS_PER_STREAM_MAX):
            raw = None
            with trio.move_on_after(PATIENCE_S):
                raw = await reader.read()
            if raw is None:
                return
            question = messages.decode(raw)
            await self._wait_its_turn(question.kind, stream)
            answer = self.answer(question, stream.peer, stream.remote)
            self._note(stream)
            if answer is None:
                continue
            with trio.move_on_after(PATIENCE_S) as patience:
                await delimited.write(stream, messages.encode(answer, self._now_s()))
            if patience.cancelled_caught:
                return

    async def _wait_its_turn(self, kind: Kind, stream: Stream) -> None:
        """Waits as long as who asks too often has to. Raises: TooOften."""
        now = trio.current_time()
        place = payer_of(stream.remote)
        is_gift = kind in (Kind.PUT_VALUE, Kind.ADD_PROVIDER)
        waits = (
            meter.take(payer, now)
            for meters in (self._meters if is_gift else self._meters[:1])
            for meter, payer in zip(meters, (stream.peer, place), strict=True)
        )
        await trio.sleep(max(waits))

    def _closer(self, wire_key: bytes, asker: PeerId, remote: Address | None) -> tuple[Peer, ...]:
        """The peers of the table nearest to a key, less who asks, with the addresses that he could dial."""
        if not wire_key:
            raise Malformed("a question to the DHT has no key")
        near = self._table.nearest(space.target_of(wire_key), 2 * PEERS_MAX)
        told = (Peer(peer.id, tellable(peer.addresses, remote)) for peer in near if peer.id != asker)
        return tuple(peer for peer in told if peer.addresses)[:PEERS_MAX]

    def _put(self, question: Message, giver: PeerId, remote: Address | None, now_s: int) -> Message:
        """Keeps a record; the answer carries what lies here then, which is the gift or a newer one."""
        if question.record is None:
            raise Malformed("a record was to be kept, and none came")
        key = space.key_of_record(question.key)
        kept: bytes | None = question.record
        try:
            self._shelf.put(key, question.record, giver, payer_of(remote), now_s)
        except Outdated:
            kept = self._shelf.get(key, now_s)
        return Message(Kind.PUT_VALUE, question.key, kept)

    def _provide(self, question: Message, giver: PeerId, remote: Address | None, now_s: int) -> Message:
        """Notes that the giver himself is to be found under a key; nobody speaks for others."""
        key = space.key_of_providers(question.key)
        own = next((peer for peer in question.providers if peer.id == giver), None)
        if own is None:
            raise Malformed("a peer says for another that he is to be found")
        self._shelf.provide(key, own, payer_of(remote), now_s)
        return Message(Kind.ADD_PROVIDER, question.key, providers=(own,))
