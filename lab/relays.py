"""Circuits in a simulated network: any host is a relay for those who announce a circuit at it.

A relayed link breaks with each of its two halves, and with its relay. Not here: reservations, limits and hole punching,
which are shown with real hosts (tests/node/relay).
"""

from typing import TYPE_CHECKING

from lab.wire import End
from node.network import Address, Circuit, PeerId, circuit_of, circuit_text, parts_of
from protocol.faults import Unavailable

if TYPE_CHECKING:
    from lab.network import SimHost, SimNetwork


def reserve(host: "SimHost", relay: "SimHost") -> Address:
    """Makes a host be found at a relay from now on; returns its address there."""
    direct = relay.addresses()[0]
    circuit = circuit_text(Circuit(direct, relay.peer, host.peer))
    host.announced = (*host.announced, circuit)
    return circuit


async def dial(sim: "SimNetwork", dialler: "SimHost", address: Address, expected: PeerId | None) -> End:
    """Returns a link through the relay of a circuit. Raises: Unavailable."""
    circuit = circuit_of(address)
    assert circuit is not None
    ip, port = parts_of(circuit.relay)
    name = sim.name_at(ip)
    relay = None if name is None else sim.listener(name, port)
    listener = sim.host_of(circuit.target)
    if relay is None or relay.peer != circuit.relay_peer or relay is dialler:
        raise Unavailable("no such relay answers there")
    await sim.reach(dialler, relay.name)
    if listener is None or listener is dialler or expected not in (None, listener.peer):
        raise Unavailable("the relay knows no such peer")
    await sim.reach(relay, listener.name)
    if address not in listener.announced or dialler.is_stopped:
        raise Unavailable("the relay knows no such peer")
    return sim.connect(dialler, listener, address, relay.name)
