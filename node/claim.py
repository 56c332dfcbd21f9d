"""One running node a device on this machine: a copied profile is refused while the other one runs.

    <data directory>/.devices/<device key>    locked by the node that runs with it; says which profile that is

Two nodes with one identity would each move the same sessions on, and break every conversation of both. A copy in
another data directory or on another machine is not seen here: docs/threats.md says what then happens.
"""

import fcntl
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from node import profile
from node.profile import Profile
from protocol import ids
from protocol.faults import UserFault

FOLDER = ".devices"  # no profile can have this name


class DeviceRuns(UserFault):
    """This profile is a copy of another one, which runs on this machine already; nothing was changed."""

    code = "profile.copied"
    next = "weft --profile NAME status"
    exit = 1


@contextmanager
def held(place: Profile, device: ids.DeviceId) -> Iterator[None]:
    """Holds this device for this process; the system lets go when the process dies, however it dies.

    Raises: DeviceRuns, ProfileUnwritable.
    """
    folder = place.root.parent / FOLDER
    with profile.writing(place):
        folder.mkdir(mode=0o700, exist_ok=True)
        opened = open(os.open(folder / device.hex(), os.O_CREAT | os.O_RDWR, 0o600), "r+")  # noqa: SIM115  # see below
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _runs(lock.read().strip()) from None
        with profile.writing(place):
            lock.truncate(0)
            lock.write(place.name)
            lock.flush()
        yield


def holder(place: Profile, device: ids.DeviceId) -> str:
    """The profile whose node runs with this device on this machine, "?" when it does not say; "" for none."""
    try:
        with (place.root.parent / FOLDER / device.hex()).open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return lock.read().strip() or "?"
    except OSError:
        return ""
    return ""


def _runs(name: str) -> DeviceRuns:
    if profile.NAME.fullmatch(name) is None:
        return DeviceRuns()  # the other one is just starting, and has not written its name
    said = (
        f"This profile is a copy of the profile {name}, which runs on this machine already: two nodes of one identity "
        "would break each other's conversations. Nothing was changed; use that one, or stop it first."
    )
    return DeviceRuns(said, next=shlex.join(("weft", "--profile", name, "status")), profile=name)
