"""Where a caller is dialled: at the IP that he came from and nowhere else, whatever he says."""

from node.identify import Identified
from node.kad.callers import ADDRESSES_MAX, dialled_at
from node.network import Address, Circuit, PeerId, circuit_text

PEER, RELAY = PeerId(b"p" * 32), PeerId(b"r" * 32)


def said(*addresses: str) -> Identified:
    return Identified(PEER, (), tuple(Address(one) for one in addresses), None)


def test_only_his_own_ip_is_dialled() -> None:
    remote = Address("/ip4/9.9.9.9/tcp/55555")
    victim = said("/ip4/8.8.8.8/tcp/22", "/ip4/192.168.1.1/tcp/80", "/ip4/127.0.0.1/tcp/631")
    assert dialled_at(victim, remote) == tuple(Address(f"/ip4/9.9.9.9/tcp/{port}") for port in (22, 80, 631))


def test_a_circuit_is_not_dialled_and_a_flood_of_ports_is_cut() -> None:
    remote = Address("/ip4/9.9.9.9/tcp/55555")
    circuit = circuit_text(Circuit(Address("/ip4/8.8.8.8/tcp/1"), RELAY, PEER))
    assert dialled_at(said(circuit), remote) == ()
    assert len(dialled_at(said(*(f"/ip4/9.9.9.9/tcp/{port}" for port in range(1, 9))), remote)) == ADDRESSES_MAX


def test_on_one_machine_any_of_its_ips_is_dialled() -> None:
    listens = Address("/ip4/127.1.2.3/tcp/7")
    assert dialled_at(said(listens), Address("/ip4/127.0.0.1/tcp/55555")) == (listens,)
