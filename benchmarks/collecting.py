"""How fast mail comes in from a keeper, and how long a message and its receipt take by way of one.

keepers.drain: the owner was off while 20 contacts left her 500 messages each at her own keeper; messages a second, from
her node's first word that it is up until the last is durable (and can be read through her local socket). Beside it: the
bare loop of bare.py, as many messages one way. All are shipped nodes; once the mail lies there, the folders of the
stopped owner and of the stopped keeper are copied, and each run begins with such a copy.

keepers.round_trip: two are connected with a contact who keeps for both, and cannot reach each other: both have
moved to other ports, and look neither around them nor in the DHT. From the call that sends until the sender's node says
that it is delivered: put, pushed, committed, receipt put, pushed. Beside it: a message to the keeper, on the stream.
"""

import shutil
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import bare, figures, profiles
from benchmarks.messages import Api
from benchmarks.profiles import Place

SENDERS = 20
MESSAGES = 500  # of each
CALL_TEXTS = 50
TEXT = "x" * 90
RUNS = 5
TRIPS = 31
WITHIN_S = 300.0
LOOK_S = 0.02
TRIP_LOOK_S = 0.002
SPACE = "1GB"


def main() -> None:
    """Prints both figures."""
    with profiles.home() as home:
        _drain(home)
    with profiles.home() as home:
        _round_trip(home)


def _drain(home: Path) -> None:
    there = profiles.place(home)
    began = time.monotonic()
    _fill(home, there)
    filled_s = round(time.monotonic() - began)

    def ours() -> float:
        with _restored(home), _keeper(there):
            profiles.call(there, "ana", "up", "-d")
            return _drained(home, there)

    values, floor = figures.in_turn(RUNS, ours, lambda: bare.oneway(home, SENDERS * MESSAGES))
    remarks = {"queues": SENDERS, "messages": SENDERS * MESSAGES, "filled_s": filled_s}
    figures.show("keepers.drain", values, "1/s", "higher", "bare loop", floor, **remarks)


def _fill(home: Path, there: Place) -> None:
    """The senders become contacts, the owner goes, and they leave her their mail."""
    senders = _senders()
    with _keeper(there) as code:
        profiles.call(there, "ana", "init", "--name", "Ana")
        profiles.call(there, "ana", "up", "-d")
        profiles.call(there, "ana", "keeper", "use", code)
        with profiles.running(there, *senders):
            for one in senders:
                profiles.befriend(there, "ana", one)
            ana = Api(home, "ana")
            _until(_has_told, ana, SENDERS)
            profiles.call(there, "ana", "down")
            for one in senders:
                sender = Api(home, one)
                for start in range(0, MESSAGES, CALL_TEXTS):
                    texts = [f"{TEXT} {n}" for n in range(start, start + CALL_TEXTS)]
                    sender.call("chat.send_all", to="ana", texts=texts)
            for one in senders:
                _until(_is, Api(home, one), "ana", "state", "kept")
    for name in ("ana", "keeper"):
        shutil.copytree(home / name, home / "saved" / name, ignore=shutil.ignore_patterns("run"))


def _drained(home: Path, there: Place) -> float:
    """Messages a second until the last of every sender is there; then the owner's node is stopped."""
    ana = Api(home, "ana")
    began = time.perf_counter()
    for one in _senders():
        _until(_is, ana, one, "text", f"{TEXT} {MESSAGES - 1}")
    took_s = time.perf_counter() - began
    for one in _senders():
        lines = ana.call("chat.history", to=one, limit=MESSAGES)
        assert [line["text"] for line in lines] == [f"{TEXT} {n}" for n in range(MESSAGES)]
    profiles.call(there, "ana", "down")
    return SENDERS * MESSAGES / took_s


@contextmanager
def _restored(home: Path) -> Iterator[None]:
    """The owner and the keeper as they were when the mail lay there and nobody had come for it."""
    for name in ("ana", "keeper"):
        shutil.rmtree(home / name)
        shutil.copytree(home / "saved" / name, home / name)
    yield


def _round_trip(home: Path) -> None:
    there = profiles.place(home)
    with profiles.running(there, "chen", "ana", "bo"):
        for one in ("ana", "bo"):
            for name, wanted in (("lan.beacon", "no"), ("dht.mode", "off")):
                profiles.call(there, one, "config", "set", name, wanted)
            profiles.befriend(there, "chen", one)
        profiles.befriend(there, "ana", "bo")
        profiles.call(there, "chen", "keeper", "offer", "ana,bo", "--space", SPACE)
        for one in ("ana", "bo"):
            _until(_has_told, Api(home, one), 1)
        for one in ("ana", "bo"):
            profiles.call(there, one, "down")
        for one in ("ana", "bo"):
            profiles.call(profiles.place(home, WEFT_PORT=str(_free_port())), one, "up", "-d")
        ana = Api(home, "ana")
        _trip_ms(ana, "bo")  # until here both have found the keeper again
        ours, direct = figures.in_turn(TRIPS, lambda: _trip_ms(ana, "bo"), lambda: _trip_ms(ana, "chen"))
        assert {one["name"]: one["online"] for one in ana.call("contacts.list")} == {"Bo": False, "chen": True}
        figures.show("keepers.round_trip", ours, "ms", "lower", "a message on a stream", direct)


def _trip_ms(sender: Api, to: str) -> float:
    began = time.perf_counter()
    sender.call("chat.send", to=to, text=TEXT)
    _until(_is, sender, to, "state", "delivered", look_s=TRIP_LOOK_S)
    return (time.perf_counter() - began) * 1000


@contextmanager
def _keeper(there: Place) -> Iterator[str]:
    """A keeper node; its code."""
    told = profiles.call(there, "keeper", "keeper", "node", "-d")
    try:
        yield told["code"]
    finally:
        profiles.call(there, "keeper", "down")


def _senders() -> tuple[str, ...]:
    return tuple(f"s{number:02}" for number in range(SENDERS))


def _has_told(api: Api, queues: int) -> bool:
    """Whether the one keeper of a node has opened so many queues, and all contacts know of them."""
    keepers = api.call("keepers.list")["keepers"]
    return [one["open"] for one in keepers] == [queues] and api.call("node.status")["queued"] == 0


def _is(api: Api, contact: str, what: str, value: str) -> bool:
    """Whether the newest line with a contact is so."""
    return [line[what] for line in api.call("chat.history", to=contact, limit=1)] == [value]


def _until(is_so: Callable[..., bool], *args: object, look_s: float = LOOK_S) -> None:
    """Waits until a question is answered with yes. Raises: profiles.Failed."""
    deadline = time.monotonic() + WITHIN_S
    while not is_so(*args):
        if time.monotonic() > deadline:
            raise profiles.Failed(f"not within {WITHIN_S:.0f} s")
        time.sleep(look_s)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
