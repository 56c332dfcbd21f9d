"""Where the files of a profile stand, for doors: the same rule as node/profile.py, which a door does not import."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cli.faults import NODE_DOWN, USAGE, Failure

RESTORE = "weft backup restore FILE"  # what a restore writes into `unfinished`
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


def home(environ: Mapping[str, str]) -> Path:
    """The directory of all profiles: $WEFT_HOME, or the system's place for the data of programs."""
    chosen = environ.get("WEFT_HOME", "")
    if chosen:
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("weft", appauthor=False))


def profile_directory(environ: Mapping[str, str], name: str) -> Path:
    """The directory of this profile, whether it exists or not. Raises: Failure for a name that cannot be one."""
    if _NAME.fullmatch(name) is None:
        said = "A profile's name has 1 to 32 letters, digits, - or _ and begins with a letter or digit."
        raise Failure("profile.name", said, next="weft --profile NAME status", exit=USAGE)
    return home(environ) / name


def has_identity(profile: Path) -> bool:
    """Whether `weft init` was done there, and to its end. Raises: Failure where we may not look."""
    try:
        return (profile / "vault").exists() and not (profile / "unfinished").exists()
    except PermissionError:
        said = f"{profile} cannot be entered by you; nothing was changed."
        raise Failure("profile.unreadable", said, next="weft doctor", verb="Why") from None


def is_keeper(profile: Path) -> bool:
    """Whether the profile is that of a keeper of one's own, which has no identity."""
    return os.access(profile / "keeper.key", os.F_OK)


def no_identity(profile: Path) -> Failure:
    """There is no identity, so there is no node to start: why, and what makes one."""
    if is_keeper(profile):
        said = "This profile is a keeper's, and it does not run."
        return Failure("node.down", said, next="weft keeper node -d", verb="Start it", exit=NODE_DOWN)
    try:
        was_restored = (profile / "unfinished").read_text() == RESTORE
    except (OSError, ValueError):
        was_restored = False
    if was_restored:
        said = "A restore was begun here and was interrupted, so there is no identity yet; the backup is as it was."
        return Failure("profile.empty", said, next=RESTORE, verb="Do it again", exit=NODE_DOWN)
    return Failure("profile.empty", "No identity here yet.", next="weft init", verb="Make one", exit=NODE_DOWN)


def require_empty(profile: Path, next: str) -> None:
    """Returns when nobody's files stand there. Raises: Failure, which names the command for another profile."""
    if is_keeper(profile):
        said = f"A keeper stands there ({shown(profile)}), and it holds nobody's keys; nothing was changed."
        raise Failure("profile.exists", said, next=next, verb="Another one")
    if has_identity(profile):
        said = f"There is an identity already ({shown(profile)}); nothing was changed."
        raise Failure("profile.exists", said, next=next, verb="Another one")


def shown(path: Path) -> str:
    """A path with ~ for the person's home."""
    home = os.path.expanduser("~")
    text = str(path)
    return "~" + text[len(home) :] if text.startswith(home + os.sep) else text


def has_key_file(profile: Path) -> bool:
    """Whether the profile opens without a passphrase."""
    return (profile / "key").exists()


def socket_path(profile: Path) -> Path:
    """Where the node listens: run/rpc.sock, or what run/rpc.path says when that path was too long for a socket."""
    from protocol import rpc

    run = profile / "run"
    with suppress(OSError, ValueError):  # none is written there, or nothing that is a path
        if place := rpc.place_of((run / "rpc.path").read_text(), run.stat().st_ino):
            return Path(place)
    return run / "rpc.sock"
