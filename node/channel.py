"""The channel proof of /weft/talk/1: both ends show that they hold the pair's secret, then who they are.

The bytes are in protocol/talk.py, the keys in store/pairs.py; what is said afterwards is in talk.py of this folder.
"""

from dataclasses import dataclass

import trio

from crypto import keys
from crypto.faults import Forged
from node import frames
from node.gate import Gate
from node.network import Network, PeerId, Stream
from protocol import talk
from protocol.faults import PeerFault, Unavailable
from store import pairs
from store.database import Database

SCAN_KEYS = 500  # keys tried before other tasks run: about 5 ms of one core
REFUSAL_DELAY_S = 1.0  # every refusal takes as long, so that it tells nothing of how far we looked


class Unproven(PeerFault):
    """The other end does not hold a secret that any of our contacts shares with us."""


@dataclass(frozen=True, slots=True)
class Proven:
    """A channel whose other end belongs to this contact, and what it says of its device (not yet checked)."""

    contact: int
    epoch: int
    introduction: talk.Introduction
    reader: frames.FrameReader


async def dial(
    network: Network, stream: Stream, chan: pairs.ChanKey, mine: talk.Introduction, entropy: keys.Entropy
) -> Proven:
    """Proves the channel from the dialler's side. Raises: Unproven, Forged, Malformed, Unavailable."""
    reader = frames.FrameReader(stream, talk.FRAME_BYTES_MAX)
    transcript = await _exchange(stream, reader, entropy, network.peer, talk.Side.DIALLER)
    key = talk.chan_key(chan.key)
    await frames.write(stream, talk.prove(key, talk.Side.DIALLER, transcript, mine, entropy(24)))
    answer = await _read(reader)
    if not talk.proven(key, talk.Side.LISTENER, transcript, answer):
        raise Unproven("the other end answered without the secret of the pair")
    theirs = talk.introduced(key, talk.Side.LISTENER, transcript, answer)
    stream.vouch()
    return Proven(chan.contact, chan.epoch, theirs, reader)


class Doorkeeper:
    """Answers channel proofs: one scan of the contacts' keys at a time (gate.py), known PeerIds past the queue."""

    def __init__(self, network: Network, database: Database, entropy: keys.Entropy) -> None:
        self._network = network
        self._database = database
        self._entropy = entropy
        self._gate = Gate()

    async def admit(self, stream: Stream, mine: talk.Introduction) -> Proven:
        """Proves the channel from the listener's side.

        Raises: Unproven after a fixed delay and 32 random bytes, whatever was wrong; TooMany, Unavailable.
        """
        with self._gate.visit(stream.peer):
            return await self._admit(stream, mine)

    async def _admit(self, stream: Stream, mine: talk.Introduction) -> Proven:
        began = trio.current_time()
        reader = frames.FrameReader(stream, talk.FRAME_BYTES_MAX)
        try:
            transcript = await _exchange(stream, reader, self._entropy, self._network.peer, talk.Side.LISTENER)
            proof = await _read(reader)
            chan = await self._find(stream.peer, transcript, proof)
            key = talk.chan_key(chan.key)
            theirs = talk.introduced(key, talk.Side.DIALLER, transcript, proof)
        except PeerFault as fault:
            await trio.sleep(max(0.0, began + REFUSAL_DELAY_S - trio.current_time()))
            await frames.write(stream, self._entropy(32))
            raise Unproven(str(fault)) from fault
        stream.vouch()  # before the answer: after it, mail may come
        await frames.write(stream, talk.prove(key, talk.Side.LISTENER, transcript, mine, self._entropy(24)))
        return Proven(chan.contact, chan.epoch, theirs, reader)

    async def _find(self, peer: PeerId, transcript: bytes, proof: bytes) -> pairs.ChanKey:
        """The key that made the proof. talk 3: first the contact to whom this PeerId was announced, then the others."""
        known = await self._database.transact(pairs.chan_keys_of_peer, peer)
        if (chan := _match(known, transcript, proof)) is not None:
            return chan
        async with self._gate.turn():
            after = 0
            while page := await self._database.transact(pairs.chan_keys, after, SCAN_KEYS):
                if (chan := _match(page, transcript, proof)) is not None:
                    return chan
                after = page[-1].contact
        raise Unproven("no contact's key made this proof")


def _match(chans: tuple[pairs.ChanKey, ...], transcript: bytes, proof: bytes) -> pairs.ChanKey | None:
    found: pairs.ChanKey | None = None
    for chan in chans:
        if talk.proven(talk.chan_key(chan.key), talk.Side.DIALLER, transcript, proof):
            found = chan
    return found


async def _exchange(
    stream: Stream, reader: frames.FrameReader, entropy: keys.Entropy, own: PeerId, side: talk.Side
) -> bytes:
    """Both nonces are sent at once; the transcript binds them to both PeerIds (talk 2)."""
    mine = entropy(talk.NONCE_BYTES)
    await frames.write(stream, mine)
    theirs = await _read(reader)
    if len(theirs) != talk.NONCE_BYTES:
        raise Forged("the nonce of a channel proof has another length than 32")
    if side is talk.Side.DIALLER:
        return talk.transcript(own, stream.peer, mine, theirs)
    return talk.transcript(stream.peer, own, theirs, mine)


async def _read(reader: frames.FrameReader) -> bytes:
    frame = await reader.read()
    if frame is None:
        raise Unavailable("the other end closed the channel before proving it")
    return frame
