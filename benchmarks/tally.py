"""Counts what goes over one interface, by connection: for benchmarks/idle.py. Linux and root only.

    python -m benchmarks.tally INTERFACE PORT SECONDS     prints one line of JSON: bytes by kind

Every byte of every IP packet counts, both ways. A connection that lives from the first third of the time to the last is
a talk; any other TCP connection is of the DHT, asked by us or, where it comes to our port, by others.
"""

import json
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Iterator

ALL_PROTOCOLS, IPV4, TCP, UDP = 0x0003, 0x0800, 6, 17
BEACON_PORT = 47474
EDGE = 0.3  # a talk on which nobody writes is asked every 150 s of 600


def packets(interface: str, seconds: float) -> Iterator[tuple[float, int, bytes]]:
    """(share of the time that has passed, bytes of the IP packet, its first bytes)."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL_PROTOCOLS)) as tap:
        tap.bind((interface, 0))
        tap.settimeout(0.2)
        began = time.monotonic()
        while (spent := (time.monotonic() - began) / seconds) < 1:
            try:
                raw, (_, protocol, *_) = tap.recvfrom(65_535)
            except TimeoutError:
                continue
            if protocol == IPV4:
                yield spent, struct.unpack_from("!H", raw, 2)[0] or len(raw), raw


def count(interface: str, port: int, seconds: float) -> dict[str, int]:
    """Bytes of each kind."""
    sizes: Counter[tuple[tuple[bytes, int], ...]] = Counter()
    seen: dict[tuple[tuple[bytes, int], ...], list[float]] = {}
    found: Counter[str] = Counter()
    for spent, size, raw in packets(interface, seconds):
        begins = 4 * (raw[0] & 0x0F)
        if raw[9] not in (TCP, UDP):
            found["other"] += size
            continue
        source, target = struct.unpack_from("!HH", raw, begins)
        if raw[9] == UDP:
            found["beacon" if target == BEACON_PORT else "other"] += size
            continue
        ends = tuple(sorted(((raw[12:16], source), (raw[16:20], target))))
        sizes[ends] += size
        seen.setdefault(ends, [spent, spent])[1] = spent
    for ends, size in sizes.items():
        is_long = seen[ends][0] < EDGE and seen[ends][1] > 1 - EDGE
        is_ours = all(there != port for _, there in ends)
        found["talk" if is_long else "asked" if is_ours else "served"] += size
    return dict(found)


if __name__ == "__main__":
    print(json.dumps(count(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
