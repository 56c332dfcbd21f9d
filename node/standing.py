"""What `node.status` says of the DHT and of the way to each contact: which it is, why no better one, what comes next.

Not here: the other lines of the status (service.py), how a person reads them (cli/commands/node.py).
"""

from ipaddress import ip_address

from node.core import Core
from node.network import CIRCUIT, Address, circuit_of, parts_of, peer_text
from protocol.faults import PeerFault


def dht(core: Core) -> dict[str, object]:
    """What this node does in the DHT, with how many peers, and why it is of no use now.

    mode: the setting, "none" without a DHT. copies: peers that keep our record of today; trouble: why none does.
    """
    found: dict[str, object] = {"mode": "none", "serves": False, "peers": 0, "keeps": 0, "why": "this node has no DHT"}
    if core.bootstrap is not None:
        state = core.bootstrap.dht.state()
        found = {
            "mode": core.bootstrap.mode,
            "serves": state.is_serving,
            "peers": state.peers,
            "keeps": state.records,
            "why": core.bootstrap.why_not(),
        }
    ours = core.publisher
    return found | {
        "copies": 0 if ours is None else ours.copies,
        "published_ms": 0 if ours is None else ours.published_ms,
        "trouble": "" if ours is None else ours.fault,
    }


def way(core: Core, contact_id: int) -> dict[str, object]:
    """The way to a contact now, or what is done to find one.

    path: "direct", "relayed" or "". local: whether it stays in a local network. relay: the PeerId of the relay as text.
    found_ms: when his record in the DHT was found last; look: what the last look gave where that was no address;
    next_look_s, next_dial_s: seconds until then, None where there is none to come.
    """
    delivery = core.delivery
    path = delivery.talks.path(contact_id)
    address = delivery.talks.address_of(contact_id)
    found: dict[str, object] = {
        "path": path,
        "local": path == "direct" and (delivery.ways.is_near(contact_id, address) or _is_local(address)),
        "relay": _relay(address),
        "next_dial_s": delivery.next_dial_s(contact_id),
        "found_ms": 0,
        "looked_ms": 0,
        "look": "",
        "next_look_s": None,
    }
    sought = None if core.finder is None else core.finder.sought.get(contact_id)
    if sought is None or core.finder is None:
        return found
    return found | {
        "found_ms": sought.found_ms,
        "looked_ms": sought.looked_ms,
        "look": "" if path else sought.answer,
        "next_look_s": core.finder.next_look_s(contact_id),
    }


def why(core: Core, contact_id: int) -> str:
    """Why a contact is not connected, or not in a better way; "" where there is none."""
    match core.delivery.talks.path(contact_id):
        case "":
            return core.delivery.reasons.get(contact_id, "")
        case "relayed":
            told = "" if core.reachable is None else core.reachable.punching.reasons.get(contact_id, "")
            return told or "a direct way is looked for"
        case _:
            return ""


def _relay(address: Address) -> str:
    try:
        circuit = circuit_of(address) if CIRCUIT in address else None
    except PeerFault:
        return ""
    return "" if circuit is None else peer_text(circuit.relay_peer)


def _is_local(address: Address) -> bool:
    """Whether this is an address of the same network as ours, whichever: private, of the link, or of this machine."""
    if not address or CIRCUIT in address:
        return False
    ip, _ = parts_of(address)
    return ip_address(str(ip).partition("%")[0]).is_private or ip.is_link_local
