"""The links of a host: the one we dialled, or the other end of a stream that a peer opened.

Not here: how a link comes to be (host.py), what goes on it (yamux.py).
"""

from dataclasses import dataclass, field
from typing import Any, cast

import trio
from libp2p.custom_types import TProtocol
from libp2p.protocol_muxer.multiselect_client import MultiselectClient
from libp2p.protocol_muxer.multiselect_communicator import MultiselectCommunicator

from node import guards
from node.network import Address, PeerId, Stream
from node.yamux import Session

NEGOTIATION_S = 10  # for naming the protocol of a stream; a peer that is silent longer is reset


class HostLink:
    """One link of host.py: implements node.network.Link, and Trunk of node/relay/carrier.py."""

    def __init__(self, session: Session, address: Address) -> None:
        self.peer = session.peer
        self.address = address
        self.is_relayed = session.is_relayed
        self.is_inbound = session.is_inbound
        self.is_from_port = False  # dialled from the port on which we listen
        self._session = session

    @property
    def is_gone(self) -> bool:
        """Whether it has ended."""
        return self._session.is_gone

    def hold(self, until: float) -> None:
        """Answers for who is at the other end until then (trio's time), as if he had proven himself."""
        self._session.held_until = until

    async def open(self, protocol: str) -> Stream:
        """Returns a stream on which the peer speaks `protocol`. Raises: Unavailable."""
        stream = await self._session.open()
        try:
            with guards.as_faults():
                communicator = MultiselectCommunicator(cast("Any", guards.MuxedStream(None, stream)))
                await MultiselectClient().select_one_of([TProtocol(protocol)], communicator, NEGOTIATION_S)
        except BaseException:
            stream.reset()
            raise
        return stream

    async def aclose(self) -> None:
        """Ends the link and every stream on it."""
        await self._session.aclose()

    async def closed(self) -> None:
        """Returns when the link is gone."""
        await self._session.closed()


@dataclass(eq=False)
class Awaited:
    """Somebody whom we dial from our port, and who may get through to it first. link: when he did."""

    peer: PeerId
    came: trio.Event = field(default_factory=trio.Event)
    link: HostLink | None = None
