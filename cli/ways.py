"""The DHT and the way to a contact in words: which way is used, why not a better one, what is done about it.

Not here: where these facts come from (node/standing.py).
"""

from collections.abc import Mapping
from typing import Any

from cli import show

RELAY_CHARS = 8  # of a relay's PeerId, its end: enough to tell two apart


def dht(told: Mapping[str, Any], has_contacts: bool = True) -> str:
    """One line on the DHT: what this node does there, with how many peers, who keeps its record; or why not."""
    if told["why"]:
        return f"DHT: {show.clean(told['why'])}"
    does = f"serves, keeps {told['keeps']} records" if told["serves"] else "asks only"
    record = f"your record is with {told['copies']} of them" if told["copies"] else "nobody keeps a record of yours"
    if not has_contacts:
        record = "contacts will find you there"  # without any there is nobody to whom a record would say something
    if told["trouble"]:
        record += f": {show.clean(told['trouble'])}"
    return f"DHT: {does}, knows {told['peers']} peer{'' if told['peers'] == 1 else 's'}, {record}"


def reached(row: Mapping[str, Any]) -> str:
    """How a contact is reached now, in a word or two."""
    if not row["online"]:
        return f"seen {show.ago(row['seen_ms'])}"
    path = "direct, LAN" if row.get("local") else row.get("path", "")
    return f"online {path}".strip()


def waiting(row: Mapping[str, Any]) -> str:
    """How much waits for a contact, and how much of it keepers have; "" for nothing."""
    count, kept = row.get("waiting", 0), row.get("kept", 0)
    if not kept:
        return f"{count} waiting" if count else ""
    return f"{count} kept" if kept >= count else f"{count} waiting, {kept} kept"


def lines(row: Mapping[str, Any]) -> list[str]:
    """The way to one contact, line by line."""
    reason = show.clean(row.get("reason", ""))
    found = [show.clean(row["name"]) + f"   {row['state']}   {reached(row)}"]
    if said := waiting(row):
        found.append(said)
    match row.get("path", ""):
        case "direct" if row.get("local"):
            found.append("Path: direct, in the local network: there is none better")
        case "direct":
            found.append("Path: direct: there is none better")
        case "relayed":
            relay = f" …{show.clean(row['relay'])[-RELAY_CHARS:]}" if row.get("relay") else ""
            found.append(f"Path: through the relay{relay}" + (f"; not directly: {reason}" if reason else ""))
        case _:
            found.append("Path: none" + (f": {reason}" if reason else ""))
    if row.get("next_dial_s") is not None:
        found.append(f"Dialled again {_in(row['next_dial_s'])}")
    if row.get("found_ms"):
        found.append(f"Record found in the DHT {show.ago(row['found_ms'])}")
    if row.get("next_look_s") is not None:
        last = f"looked {show.ago(row['looked_ms'])}" if row.get("looked_ms") else "not looked yet"
        answer = f": {show.clean(row['look'])}" if row.get("look") else ""
        found.append(f"DHT: {last}{answer}; looked again {_in(row['next_look_s'])}")
    return found


def _in(seconds: float) -> str:
    return "now" if seconds < 1 else f"in {show.span(seconds)}"
