"""The directory of one identity on this machine: its files, its lock, and the key that opens its database.

    <data directory>/<profile>/   0700
        vault      the database key, wrapped by the passphrase (Argon2id) or by `key`
        key        0600, only with an empty passphrase (docs/threats.md says what that does not protect)
        weft.db    written by store/; keeping.db, keeping.files: what is kept for others, once there is somebody
        blobs/     large content, sealed, one file each
        run/       rpc.sock (or rpc.path, where the socket stands when its own path is too long), lock, pid
        log/       node.log
        unfinished stands while `weft init` or a restore works, and names it; what was never finished is made anew

Everything here blocks for up to half a second (Argon2id) or on the disk: the caller runs it in a thread with a named
limiter. Not here: the vault's bytes (crypto/vault.py), the socket (node/rpc.py), the log (node/log.py).
"""

import fcntl
import os
import re
import resource
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal

import platformdirs

from crypto import vault
from crypto.keys import Entropy
from node import drafts
from protocol import rpc
from protocol.faults import UserFault

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")  # one path segment: no dot, no slash; 32 keeps socket paths short
SOCKET_PATH_BYTES_MAX = 103  # sun_path is 104 bytes with its closing zero on macOS, 108 on Linux: the smaller one
KEY_BYTES = 32
INIT, RESTORE = "weft init", "weft backup restore FILE"  # what makes an identity
VAULT_BYTES_MAX = 4096  # a vault is about 130 bytes; more is not one, and is not read
LITTLE_MEMORY_BYTES = 1 << 30  # below this, Argon2id with 256 MiB would push others out of memory


class BadProfileName(UserFault):
    """A profile's name has 1 to 32 letters, digits, - or _ and begins with a letter or digit."""

    code = "profile.name"
    next = "weft --profile NAME status"
    exit = 2


class NoIdentity(UserFault):
    """There is no identity in this profile yet."""

    code = "profile.empty"
    next = "weft init"
    exit = 3


class IdentityExists(UserFault):
    """This profile has an identity already; nothing was changed. Another one goes into another profile."""

    code = "profile.exists"
    next = "weft --profile NAME init"
    exit = 1


class NodeRuns(UserFault):
    """A node runs for this profile already, and goes on."""

    code = "node.running"
    next = "weft status"
    exit = 1


class WrongPassphrase(UserFault):
    """The passphrase is wrong; nothing was changed."""

    code = "profile.locked"
    next = "weft up"
    exit = 4


class ProfileDamaged(UserFault):
    """A file of this profile is missing or damaged; nothing was changed. Put a copy of its directory back, if any."""

    code = "profile.damaged"
    next = "weft --profile NEW init"
    exit = 1


class ProfileUnwritable(UserFault):
    """The directory of this profile cannot be written. What was there is as it was: make room, or let it be written."""

    code = "profile.unwritable"
    next = "df -h"
    exit = 1


class LittleMemory(UserFault):
    """This machine has not enough free memory to open or make the vault; nothing was changed. Close other programs."""

    code = "profile.memory"
    next = "weft up"
    exit = 1


class SocketPathTooLong(UserFault):
    """No path for the node's socket is short enough here, so nothing was started. Set WEFT_HOME to another."""

    code = "profile.path"
    next = "WEFT_HOME=/a/short/path weft up"
    exit = 1


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the files of a profile stand. Nothing is read or made by naming it."""

    name: str
    root: Path

    @property
    def vault(self) -> Path:
        return self.root / "vault"

    @property
    def key(self) -> Path:
        return self.root / "key"

    @property
    def database(self) -> Path:
        return self.root / "weft.db"

    @property
    def keeping(self) -> Path:
        return self.root / "keeping.db"

    @property
    def blobs(self) -> Path:
        return self.root / "blobs"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def log(self) -> Path:
        return self.root / "log" / "node.log"

    @property
    def unfinished(self) -> Path:
        return self.root / "unfinished"


class Lock(Enum):
    """Who holds a profile."""

    FREE = "free"
    HELD = "held"  # by a node
    UNREADABLE = "unreadable"  # we may not even ask


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """The directory of all profiles: $WEFT_HOME, or the system's place for the data of programs."""
    chosen = environ.get("WEFT_HOME", "")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_data_dir("weft", appauthor=False))


def named(name: str, environ: Mapping[str, str] = os.environ) -> Profile:
    """The profile of that name, whether it exists or not. Raises: BadProfileName."""
    if NAME.fullmatch(name) is None:
        raise BadProfileName
    return Profile(name, home(environ) / name)


def exists(profile: Profile) -> bool:
    """Whether a finished identity stands there."""
    return profile.vault.exists() and not profile.unfinished.exists()


def create(
    profile: Profile, passphrase: bytes, entropy: Entropy, cost: vault.Cost | None = None, command: str = INIT
) -> bytes:
    """Makes the directory and the vault, and returns the new database key, 32 bytes.

    passphrase: empty = a key file. cost: of Argon2id, None = what suits this machine's memory. command: INIT or
    RESTORE. The caller makes the database and the identity in it, and then calls `finish`; until then another `create`
    starts anew. Raises: IdentityExists, LittleMemory, ProfileUnwritable.
    """
    if exists(profile):
        raise IdentityExists
    with writing(profile):
        return _create(profile, passphrase, entropy, cost, command)


def discard(profile: Profile) -> None:
    """Removes what `create` and its caller have made, of an identity that is not finished. Raises: OSError."""
    assert not exists(profile)
    _remove_made(profile)
    profile.unfinished.unlink(missing_ok=True)


def finish(profile: Profile) -> None:
    """Marks the identity as whole: called once, after the transaction that made it."""
    profile.unfinished.unlink(missing_ok=True)
    drafts.sync_directory(profile.root)


def unlock(profile: Profile, passphrase: bytes) -> bytes:
    """The database key, 32 bytes. passphrase: ignored where a key file is used.

    Raises: NoIdentity, WrongPassphrase, ProfileDamaged, LittleMemory.
    """
    if not exists(profile):
        raise NoIdentity
    try:
        wrapped = _read(profile.vault, VAULT_BYTES_MAX)
        match vault.kind_of(wrapped):
            case "passphrase":
                return vault.unwrap(wrapped, passphrase)
            case "keyfile":
                return vault.unwrap_with_key(wrapped, _read(profile.key, KEY_BYTES))
    except vault.WrongPassphrase:
        raise WrongPassphrase from None
    except vault.MemoryShort:
        raise LittleMemory from None
    except (vault.VaultDamaged, OSError) as broken:
        raise ProfileDamaged from broken


def kind_of_vault(profile: Profile) -> Literal["passphrase", "keyfile"]:
    """How the vault opens. Raises: ProfileDamaged."""
    try:
        return vault.kind_of(_read(profile.vault, VAULT_BYTES_MAX))
    except (vault.VaultDamaged, OSError) as broken:
        raise ProfileDamaged(f"The file {profile.vault} is damaged or cannot be read; nothing was changed.") from broken


def require_database(profile: Profile) -> None:
    """Returns when the database stands where a finished identity left it: SQLite would make an empty one instead.

    Raises: ProfileDamaged.
    """
    if not profile.database.is_file() or profile.database.stat().st_size == 0:
        raise ProfileDamaged(f"The database {profile.database} is missing or empty; nothing was changed.")


@contextmanager
def writing(profile: Profile) -> Iterator[None]:
    """Around what makes files of the profile. Raises: ProfileUnwritable where the disk is full, read-only or fails."""
    try:
        yield
    except OSError as broken:
        why = f"{broken.filename or profile.root} cannot be written ({broken.strerror})"
        raise ProfileUnwritable(f"{why}. What was there is as it was: make room, or let it be written.") from broken


@contextmanager
def locked(profile: Profile) -> Iterator[None]:
    """Holds the profile for this process; the system lets go when the process dies, however it dies.

    Makes run/ (0700), writes run/pid, and removes what a killed node left there.
    Raises: NodeRuns, NoIdentity, ProfileUnwritable.
    """
    if not profile.root.is_dir():
        raise NoIdentity
    with writing(profile):
        profile.run.mkdir(mode=0o700, exist_ok=True)
        profile.run.chmod(0o700)
        opened = open(profile.run / "lock", "ab")  # noqa: SIM115  # the next line closes it
    pid_file = profile.run / "pid"
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NodeRuns(f"A node runs for this profile already (pid {_pid(pid_file)}), and goes on.") from None
        with writing(profile):
            pid_file.write_text(f"{os.getpid()}\n")
            _remove_socket(profile)
        try:
            yield
        finally:
            with suppress(OSError):  # the next node removes what a failing disk kept
                pid_file.unlink(missing_ok=True)
                _remove_socket(profile)


@contextmanager
def kept_still(profile: Profile) -> Iterator[Lock]:
    """Says whether a node holds the profile; where none does, none starts until the block is left. Writes nothing."""
    try:
        opened = open(profile.run / "lock", "rb")  # noqa: SIM115  # the next lines close it
    except FileNotFoundError:
        yield Lock.FREE  # no node was ever started here
        return
    except OSError:
        yield Lock.UNREADABLE
        return
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            yield Lock.HELD
            return
        yield Lock.FREE


def socket_path(profile: Profile) -> Path:
    """Where the node's socket is to stand: run/rpc.sock, or a directory of its own under the system's temporary one.

    The second, told by run/rpc.path, is for paths too long for a socket. Called locked. Raises: SocketPathTooLong.
    """
    wanted = profile.run / "rpc.sock"
    if len(os.fsencode(wanted)) <= SOCKET_PATH_BYTES_MAX:
        return wanted
    short = Path(tempfile.mkdtemp(prefix="weft-")) / "rpc.sock"  # mkdtemp: 0700, and nobody else can know the name
    if len(os.fsencode(short)) > SOCKET_PATH_BYTES_MAX:
        short.parent.rmdir()
        raise SocketPathTooLong
    (profile.run / "rpc.path").write_text(rpc.place_said(str(short), profile.run.stat().st_ino))
    return short


def forbid_core_dumps() -> None:
    """From now on a crash of this process leaves no copy of its memory, and so of its keys, on disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _create(profile: Profile, passphrase: bytes, entropy: Entropy, cost: vault.Cost | None, command: str) -> bytes:
    profile.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    profile.root.chmod(0o700)
    drafts.sync_directory(profile.root.parent)
    _write(profile.unfinished, command.encode())
    _remove_made(profile)
    database_key = entropy(KEY_BYTES)
    if passphrase:
        try:
            wrapped = vault.wrap(database_key, passphrase, entropy(16), entropy(24), cost or _cost())
        except vault.MemoryShort:
            raise LittleMemory from None
    else:
        file_key = entropy(KEY_BYTES)
        _write(profile.key, file_key)
        wrapped = vault.wrap_with_key(database_key, file_key, entropy(24))
    _write(profile.vault, wrapped)
    return database_key


def _remove_made(profile: Profile) -> None:
    """The vault goes first: without it nothing else opens. A `.new-` is what a kill left of one, even a key."""
    for made in (profile.vault, profile.key, *profile.root.glob(".new-*"), *profile.root.glob("weft.db*")):
        made.unlink(missing_ok=True)


def _cost() -> vault.Cost:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return vault.INTERACTIVE if memory < LITTLE_MEMORY_BYTES else vault.MODERATE


def _write(path: Path, content: bytes) -> None:
    """Puts a whole file in its place, 0600, durable before it is visible."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # mkstemp makes it 0600
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise
    drafts.sync_directory(path.parent)


def _read(path: Path, bytes_max: int) -> bytes:
    with path.open("rb") as file:
        content = file.read(bytes_max + 1)
    return content if len(content) <= bytes_max else b""  # too long is neither a vault nor a key


def _pid(path: Path) -> str:
    with suppress(OSError):
        return path.read_text(errors="replace").strip()[:20] or "unknown"
    return "unknown"


def _remove_socket(profile: Profile) -> None:
    """Removes the socket of a node that is gone. Only called with the lock held, so nobody serves on it."""
    record = profile.run / "rpc.path"
    with suppress(OSError, ValueError):  # ValueError: what stands there is no path
        short = Path(rpc.place_of(record.read_text(), profile.run.stat().st_ino) or "")
        if short.name == "rpc.sock" and stat.S_ISSOCK(short.lstat().st_mode):
            short.unlink()
            short.parent.rmdir()
    record.unlink(missing_ok=True)
    (profile.run / "rpc.sock").unlink(missing_ok=True)
