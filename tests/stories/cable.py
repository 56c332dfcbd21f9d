"""A cable to a real node: it passes TCP on, keeps what went over it, and can lose everything without a word."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from node.network import Address, parts_of
from store import devices, people, settings
from store.database import Tx
from tests.stories.real import RealNode
from tests.stories.siege import in_database


@dataclass
class Cable:
    """Connections to its own port go on to a node's. Threads move the bytes, so that tests may block."""

    target: tuple[str, int]
    there: bytearray = field(default_factory=bytearray)  # all that went to the node
    back: bytearray = field(default_factory=bytearray)  # all that came from it
    connections: int = 0
    _flows: threading.Event = field(default_factory=threading.Event)
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    _sockets: list[socket.socket] = field(default_factory=list)
    _threads: list[threading.Thread] = field(default_factory=list)

    @property
    def address(self) -> Address:
        """Where to dial for what lies behind it."""
        return Address(f"/ip4/127.0.0.1/tcp/{self._listener.getsockname()[1]}")

    def cut(self) -> None:
        """From now on nothing arrives, and nobody is told: no end, no reset, no refusal."""
        self._flows.clear()

    def heal(self) -> None:
        """Lets everything flow again, what was held up too."""
        self._flows.set()

    def run(self) -> None:
        """Takes connections until the cable is pulled out."""
        while True:
            try:
                near, _ = self._listener.accept()
                self._flows.wait()
                far = socket.create_connection(self.target)
            except OSError:
                return
            self.connections += 1
            self._sockets += (near, far)
            self._start(self._pump, near, far, self.there)
            self._start(self._pump, far, near, self.back)

    def end(self) -> None:
        """Pulls it out."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self.heal()
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()

    def _start(self, work: object, *args: object) -> None:
        thread = threading.Thread(target=work, args=args)  # type: ignore[arg-type]
        thread.start()
        self._threads.append(thread)

    def _pump(self, source: socket.socket, sink: socket.socket, record: bytearray) -> None:
        with suppress(OSError):
            while piece := source.recv(65_536):
                self._flows.wait()
                record += piece
                sink.sendall(piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def laid_to(address: Address) -> Iterator[Cable]:
    """A cable to this address, until the block ends."""
    ip, port = parts_of(address)
    cable = Cable((str(ip), port))
    cable.heal()
    cable._start(cable.run)
    try:
        yield cable
    finally:
        cable.end()


async def move(node: RealNode, contact: str, *addresses: str) -> None:
    """Lets a stopped node believe that a contact can be dialled at these addresses and at no other.

    Its beacon is off from now on: the other would hear where it is, and sometimes be first to dial it there.
    """

    def write(tx: Tx) -> None:
        settings.put(tx, "lan.beacon", "no")
        found = people.find_contact(tx, contact)
        for device in devices.devices_of(tx, found.id):
            devices.set_route(tx, device.id, None, addresses)

    await in_database(node, write)
