"""Dials a peer at every address it is known by, a little apart, and keeps the first link that stands.

Used instead of libp2p's own dialling, which tries one address per transport, waits 250 ms before it does, and refuses a
peer for 60 s after one failure. Not here: when to dial again (node/delivery), which addresses a contact has (store/).
"""

from collections.abc import Sequence

import trio

from node.network import CIRCUIT, Address, Link, Network, PeerId
from protocol.faults import PeerFault, Unavailable

STAGGER_S = 0.05  # before the next address is tried as well: a LAN answers within it, so one dial is the usual case
DIRECT_FIRST_S = 0.5  # longer for a way through a relay: one that is direct stands by then, even across the world
ADDRESSES_MAX = 16  # tried per peer: 8 announced in its hello, what the beacon heard and where it last was


async def dial(network: Network, addresses: Sequence[Address], expected: PeerId | None) -> Link:
    """Returns the first link that stands; the other attempts are cancelled, and links that stood too late closed.

    addresses: in the order of preference, relays behind all others; the same one twice counts once, those after the
    16th are left out.
    expected: None takes any PeerId (only /weft/talk/1, /weft/invite/1, looking for its record and introductions may).
    The caller sets the deadline; when it is cancelled no link stays open.
    Raises: Unavailable when there is no address, or none of them answers as it should.
    """
    tried = sorted(list(dict.fromkeys(addresses))[:ADDRESSES_MAX], key=lambda address: CIRCUIT in address)
    direct = sum(CIRCUIT not in address for address in tried)
    if not tried:
        raise Unavailable("no address of this peer is known")
    links: list[Link] = []
    faults: list[str] = []
    failed = [trio.Event() for _ in tried]

    async def attempt(place: int) -> None:
        if place:  # a failure before us starts us at once, else we wait our turn
            with trio.move_on_after(STAGGER_S * place + DIRECT_FIRST_S * (0 < direct <= place)):
                for event in failed[:place]:
                    await event.wait()
        try:
            links.append(await network.dial(tried[place], expected))
        except (PeerFault, Unavailable) as fault:
            faults.append(f"{tried[place]}: {fault}")
            failed[place].set()
        else:
            nursery.cancel_scope.cancel()

    try:
        async with trio.open_nursery() as nursery:
            for place in range(len(tried)):
                nursery.start_soon(attempt, place)
    except BaseException:
        await _close(links)
        raise
    if not links:
        raise Unavailable("; ".join(faults))
    await _close(links[1:])
    return links[0]


def reasons(said: str) -> str:
    """The different reasons of all addresses, out of what `dial` says of them: "ADDRESS: why; ADDRESS: why"."""
    return ", ".join(dict.fromkeys(part.rpartition(": ")[2] for part in said.split("; ")))


async def _close(links: Sequence[Link]) -> None:
    with trio.CancelScope(shield=True):  # closing a link is bounded by the network itself
        for link in links:
            await link.aclose()
