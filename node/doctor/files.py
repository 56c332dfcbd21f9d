"""The files of a profile: whether it is whole, whose the files are, and who may read them."""

import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

from node import keeper_files, making, profile
from node.doctor import findings
from node.doctor.findings import Finding
from node.doctor.patient import Patient

OTHERS = 0o077  # what nobody but the owner may do
OWNERS = 0o700
OPENING = ("key", "vault", "weft.db", "keeper.key")  # the files with which somebody else would be this account
NAMED_MAX = 4


def whole(patient: Patient) -> list[Finding]:
    """Whether an identity stands here, to its end."""
    place = patient.place
    for folder in (place.root.parent, place.root):
        if os.path.exists(folder) and not os.access(folder, os.R_OK | os.X_OK):
            said = f"{folder} cannot be entered by you, so nothing in it was examined."
            return [findings.failure("profile", said, findings.typed("chmod u+rwx", folder))]
    if command := making.interrupted(place):
        said = f"`{command}` was interrupted, so there is no identity in {place.root} yet; nothing is lost."
        return [findings.failure("profile", said, command)]
    if keeper_files.key(place).exists():
        held_in = keeper_files.database(place)
        if not held_in.exists():
            return [findings.failure("profile", f"{held_in} is gone, with all that lay there.")]
        held = findings.size(held_in.stat().st_size)
        return [findings.ok("profile", f"{place.root}, a keeper's, with a database of {held}.")]
    if not place.vault.exists():
        if place.database.exists():
            said = f"{place.vault} is gone: without it nobody opens the database. Put a copy of it back."
            return [findings.failure("profile", said)]
        return [findings.failure("profile", f"No identity here yet ({place.root}).", "weft init")]
    try:
        profile.require_database(place)
    except profile.ProfileDamaged as damaged:
        said = f"{damaged} Put a copy of the whole directory back; without one, begin anew:"
        return [findings.failure("profile", said, damaged.next)]
    return [findings.ok("profile", f"{place.root}, with a database of {findings.size(place.database.stat().st_size)}.")]


def guarded(patient: Patient) -> list[Finding]:
    """Whether only the owner reads and writes the files, and whether that is the person who asks."""
    root = patient.place.root
    if not os.access(root, os.R_OK | os.X_OK):
        return []
    files = [path for path in _all_under(root) if not path.is_socket()]  # that one: life.py
    bare = [path for path in files if _mode(path) & OTHERS]
    shut = [path for path in files if _mode(path) & OWNERS != _right(path) or not os.access(path, os.R_OK)]
    found = [*_owners(root)]
    if bare:
        tell = findings.failure if {*bare} & {root, *(root / name for name in OPENING)} else findings.warning
        found.append(
            tell("files", f"Open to others: {_list(root, bare)}. Only you may read them.", _chmod(root, bare, "go="))
        )
    if shut:
        said = f"Not yours to read and write: {_list(root, shut)}."
        found.append(findings.failure("files", said, _chmod(root, shut, "u+rwX")))
    return found or [findings.ok("files", "Only you can read them.")]


def _list(root: Path, paths: list[Path]) -> str:
    """The first of these with their modes: "key (0644), weft.db (0644) and 3 more"."""
    shown = [f"{root if path == root else path.relative_to(root)} ({_mode(path):04o})" for path in paths[:NAMED_MAX]]
    return ", ".join(shown) + (f" and {len(paths) - NAMED_MAX} more" if len(paths) > NAMED_MAX else "")


def _chmod(root: Path, paths: list[Path], many: str) -> str:
    """What sets these right: the one of them, or all under the root."""
    if len(paths) == 1:
        return findings.typed(f"chmod {_right(paths[0]) >> 6}00", paths[0])
    return findings.typed(f"chmod -R {many}", root)


def _right(path: Path) -> int:
    """The mode that a file or a folder of a profile has."""
    return 0o700 if path.is_dir() else 0o600


def _owners(root: Path) -> Iterator[Finding]:
    me = os.geteuid()
    strange = [path for path in _all_under(root) if path.lstat().st_uid != me]
    if not strange:
        return
    owner = _name_of(strange[0].lstat().st_uid)
    if me == 0:
        said = f"They belong to {owner}, and you are root: what a node run by root writes, {owner} cannot read."
        yield findings.warning("files", said, f"sudo -u {owner} weft doctor")
        return
    said = f"{strange[0]} belongs to {owner}, not to you."
    yield findings.failure("files", said, findings.typed(f"sudo chown -R {_name_of(me)}", root))


def _all_under(root: Path) -> list[Path]:
    """The directory and what weft keeps in it; what cannot be listed is left out."""
    files = ("vault", "key", "weft.db", "weft.db-wal", "keeping.db", "keeping.db-wal")
    of_keeper = ("keeper.key", "keeper.db", "keeper.db-wal", "keeper.spare", "keeper.files", "keeping.files")
    names = (*files, *of_keeper, "run", "log")
    found = [root, *(root / name for name in names if os.path.lexists(root / name))]
    for folder in (root / "run", root / "log"):
        if folder.is_dir() and os.access(folder, os.R_OK | os.X_OK):
            found += sorted(folder.iterdir())
    return [path for path in found if os.path.lexists(path)]


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
