"""The room in which people send red packets to each other."""

from dataclasses import asdict

from features.packets import hearing, lines, service, view
from features.packets.content import Claim, Closed, Granted, Packet, Refused
from features.packets.service import Packets
from node.feature import Feature
from store.database import Tx

AS_STORED = 0  # no time: a change tells what was committed


def _show(tx: Tx, packet_id: int) -> dict[str, object] | None:
    one = view.packet(tx, packet_id)
    return None if one is None else asdict(lines.line(tx, one, AS_STORED))


FEATURE = Feature(
    name="packets",
    contents=(Packet, Claim, Granted, Refused, Closed),
    migrations=view.MIGRATIONS,
    apply=hearing.apply,
    open=Packets,
    shows={view.CHANGED: _show},
    run=service.run,
)
