"""/weft/dialback/1: "do you reach me at this port of the address that you see?" Source: docs/protocol/relay.md 7.

    asker ──0 || nonce 16 || port u16──> witness        over a link that the asker dialled
    asker <──1 || nonce 16────────────── witness        over a link to that port of the same address, or not at all
    asker <──u8: 1 reached, 0 not─────── witness

The witness dials the address from which the asker comes and no other, so it can be aimed at nobody; expects the asker's
PeerId there, and does it rarely. libp2p's AutoNAT asks for lists of addresses to be dialled; it is not spoken.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import cast

import trio

from crypto import keys
from crypto.faults import Malformed
from node.guests import place_of
from node.network import Link, Network, Stream, address_of, parts_of
from node.relay.carrier import Trunk
from protocol.faults import PeerFault, Unavailable

DIALBACK = "/weft/dialback/1"
NONCE_BYTES = 16
PORT_MIN = 1024  # below are services that have nothing to do with us, perhaps of somebody behind the same NAT
DIAL_S = 5.0
ASK_S = 12.0  # for an answer: the dial of the witness and its way back
GAP_S = 30.0  # between two dials to the same place
PLACES_MAX = 256  # whose last dial is remembered
DIALS_MAX = 4  # at once

_ASKED, _BACK = b"\x00", b"\x01"
_NO, _YES = b"\x00", b"\x01"


class Dialback:
    """Both sides. It is served while we ask, and while a relay or a DHT is offered (by who offers it)."""

    def __init__(self, network: Network, entropy: keys.Entropy, is_offered: Callable[[], bool]) -> None:
        self._network = network
        self._entropy = entropy
        self._is_offered = is_offered
        self._waiting: dict[bytes, trio.Event] = {}  # nonce -> it came back
        self._dialled_at: dict[str, float] = {}  # place -> when
        self._dials = 0

    async def ask(self, link: Link, port: int) -> bool:
        """Whether the peer at the other end reaches our port. Raises: Unavailable (it does not say), PeerFault."""
        nonce = self._entropy(NONCE_BYTES)
        came = self._waiting[nonce] = trio.Event()
        if len(self._waiting) == 1 and not self._is_offered():
            self._network.serve((DIALBACK,), self.accept)
        try:
            with trio.fail_after(ASK_S):
                stream = await link.open(DIALBACK)
                await stream.send_all(_ASKED + nonce + port.to_bytes(2))
                answer = await stream.receive_some(1)
                await stream.aclose()
        except trio.TooSlowError as slow:
            raise Unavailable("a peer does not say whether it reaches us") from slow
        finally:
            del self._waiting[nonce]
            if not self._waiting and not self._is_offered():
                self._network.unserve((DIALBACK,))
        if answer not in (_NO, _YES):
            raise Unavailable("a peer does not try to reach us now")
        return came.is_set()  # what it says does not count, what came does

    async def accept(self, _protocol: str, stream: Stream) -> None:
        """Serves one stream. Raises: PeerFault, Unavailable."""
        stream.welcome()
        said = b""
        with trio.move_on_after(DIAL_S):
            while len(said) < 1 + NONCE_BYTES + (2 if said[:1] == _ASKED else 0):
                received = await stream.receive_some(1 + NONCE_BYTES + 2 - len(said))
                if not received:
                    raise Malformed("a dial-back ended early")
                said += received
        nonce = said[1 : 1 + NONCE_BYTES]
        if said[:1] == _BACK and nonce in self._waiting:
            if not stream.is_relayed and cast("Trunk", stream.link).is_inbound:  # it did dial us
                self._waiting[nonce].set()
        elif said[:1] == _ASKED and len(said) == 1 + NONCE_BYTES + 2 and self._is_offered():
            await stream.send_all(await self._answer(stream, nonce, int.from_bytes(said[-2:])))

    async def _answer(self, stream: Stream, nonce: bytes, port: int) -> bytes:
        if stream.is_relayed or stream.remote is None or port < PORT_MIN:
            return b"\xff"
        ip = parts_of(stream.remote)[0]
        if not self._may_dial(place_of(str(ip))):
            return b"\xff"
        self._dials += 1
        try:
            with trio.fail_after(DIAL_S):
                await self._dial(ip, port, stream, nonce)
        except (PeerFault, Unavailable, trio.TooSlowError):
            return _NO
        finally:
            self._dials -= 1
        return _YES

    async def _dial(self, ip: IPv4Address | IPv6Address, port: int, stream: Stream, nonce: bytes) -> None:
        link = await self._network.dial(address_of(ip, port), stream.peer)
        try:
            back = await link.open(DIALBACK)
            await back.send_all(_BACK + nonce)
            await back.receive_some(1)  # the end: it was read
        finally:
            with trio.CancelScope(shield=True):  # closing a link is bounded by the network itself
                await link.aclose()

    def _may_dial(self, place: str) -> bool:
        now = trio.current_time()
        if self._dials >= DIALS_MAX or now - self._dialled_at.get(place, float("-inf")) < GAP_S:
            return False
        self._dialled_at.pop(place, None)
        self._dialled_at[place] = now
        while len(self._dialled_at) > PLACES_MAX:
            del self._dialled_at[next(iter(self._dialled_at))]
        return True
