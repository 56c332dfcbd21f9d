"""The machine: this installation of weft, the disk under the profile, the clock."""

import errno
import os
import platform
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

import psutil
import trio

from crypto import keys
from node.doctor import findings
from node.doctor.findings import DAY_MS, Finding, Level, size, span
from node.doctor.patient import Patient, aside
from node.ground import utc
from protocol.version import VERSION
from store import examination
from store.faults import NoSqlCipher, StoreUnreadable

DISK_BYTES_LOW = 200 * 10**6
DISK_BYTES_NONE = 20 * 10**6
INODES_NONE = 100  # files that can still be made
FLUSHES = 3
FLUSH_S_SLOW = 0.1  # each message waits for one: an SSD takes about a millisecond, a good disk ten
DISTANT = ("nfs", "cifs", "smb", "sshfs", "9p", "afp", "webdav")  # disks behind a network, by a part of their kind
BORN_MS = 1_767_225_600_000  # 2026-01-01: no clock that is right showed an earlier time to a weft
YEARS_MAX_MS = 30 * 365 * DAY_MS  # nor will one show a later time than this after it
OFFSET_S_MAX = 60  # what a beacon takes without a word (protocol/beacon.py)
SET_CLOCK = "timedatectl set-ntp true" if sys.platform == "linux" else "sudo sntp -sS time.apple.com"
CLOCK_MS_MAX = 60_000  # two clocks of one machine, that of files and that of programs, differ by less


async def installation(_: Patient) -> list[Finding]:
    """Whether this weft has what it needs."""
    found = []
    try:
        keys.require_ml_kem()
    except keys.MissingMlKem as missing:
        found.append(findings.failure("program", str(missing), "pip install --upgrade cryptography"))
    try:
        cipher = examination.cipher_version()
    except NoSqlCipher as missing:
        found.append(findings.failure("program", str(missing), missing.next))
        cipher = ""
    here = f"{platform.system()} {platform.release()}"
    said = f"weft {VERSION} on Python {platform.python_version()}, {here}, SQLCipher {cipher}, with ML-KEM."
    return found or [findings.ok("program", said)]


async def disk(patient: Patient) -> list[Finding]:
    """Whether there is room, and whether what is written gets onto the disk, in good time."""
    place = _nearest(patient.place.root)
    found = [*_room(place), *_kind(place)]
    folder = _written(patient)
    if folder is None:
        if not os.access(place, os.W_OK | os.X_OK):
            said = f"{place} cannot be written, so no identity can be made there."
            found.append(findings.failure("disk", said, "WEFT_HOME=DIRECTORY weft init"))
        return found or [findings.ok("disk", f"{_free(place)} free{_on(place)}.")]
    try:
        took_s = await _flush(folder)
    except OSError as fault:
        return found if _is_full(found) else [*found, _unwritable(folder, fault)]
    if took_s > FLUSH_S_SLOW:
        said = f"Slow: a small write reaches it{_on(place)} in {took_s * 1000:.0f} ms, and each message waits for one."
        found.append(findings.warning("disk", said))
    return found or [
        findings.ok("disk", f"{_free(place)} free{_on(place)}; a small write reaches it in {took_s * 1000:.1f} ms.")
    ]


async def clock(patient: Patient) -> list[Finding]:
    """Whether the time can be right: after weft was made, and after all that was kept here."""
    now = patient.ground.now_ms()
    shown = _moment(now)
    if not BORN_MS <= now <= BORN_MS + YEARS_MAX_MS:
        said = f"It shows {shown}, which cannot be: certificates, invitations and expiry go by it. Set it."
        return [findings.failure("clock", said, SET_CLOCK)]
    newest, what = _newest_file(patient), "a file of this profile was written"
    others: tuple[int, ...] = ()
    if patient.ask is not None:
        try:
            kept = await patient.ask(examination.newest_ms)
            others = await patient.ask(examination.offsets_s)
        except StoreUnreadable:
            kept = 0  # the check of the store says why
        newest, what = max((newest, what), (kept, "something was kept here"))
    if newest > now + CLOCK_MS_MAX:
        said = f"It shows {shown}, but {what} at {_moment(newest)}, {span(newest - now)} later: it went back. Set it."
        return [findings.failure("clock", said, SET_CLOCK)]
    return _against(others) or [findings.ok("clock", f"{shown}, later than all that was kept here.")]


def _moment(ms: int) -> str:
    return f"{utc(ms)[:16].replace('T', ' ')} UTC"


def _against(offsets_s: tuple[int, ...]) -> list[Finding]:
    """What the clocks of contacts say of ours."""
    off = [one for one in offsets_s if abs(one) > OFFSET_S_MAX]
    if len(off) < 2 or (off[0] < 0 < off[-1]):
        return []  # one clock alone, or some before and some after: theirs may be as wrong as ours
    said = f"The clocks of {len(off)} devices of contacts are {'ahead of' if off[0] > 0 else 'behind'} yours, by about"
    sentence = f"{said} {span(abs(off[len(off) // 2]) * 1000)}: yours is probably wrong. Set it."
    return [findings.warning("clock", sentence, SET_CLOCK)]


def _written(patient: Patient) -> Path | None:
    """The folder into which a node would write; None before there is one."""
    return next((one for one in (patient.place.run, patient.place.root) if os.path.isdir(one)), None)


async def _flush(folder: Path) -> float:
    """The seconds in which a small file is on the disk: the best of a few. Raises: OSError."""
    took: list[float] = []
    for _ in range(FLUSHES):
        began = trio.current_time()
        await aside(_write, folder)
        took.append(trio.current_time() - began)
    return min(took)


def _write(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder, prefix=".doctor-") as file:
        file.write(bytes(4096))
        file.flush()
        os.fsync(file.fileno())


def _is_full(found: list[Finding]) -> bool:
    return any(one.level is Level.FAILURE for one in found)


def _unwritable(folder: Path, fault: OSError) -> Finding:
    match fault.errno:
        case errno.ENOSPC | errno.EDQUOT:
            said = (
                f"Full: nothing can be written into {folder} ({fault.strerror}). What was accepted is kept; make room."
            )
            return findings.failure("disk", said, findings.typed("df -h", folder))
        case errno.EROFS:
            said = f"Read-only: nothing can be written into {folder}. Mount it for writing, or use another place."
        case _:
            said = f"Nothing can be written into {folder} ({fault.strerror})."
    return findings.failure("disk", said, "WEFT_HOME=DIRECTORY weft init")


def _room(place: Path) -> list[Finding]:
    numbers = os.statvfs(place)
    free = shutil.disk_usage(place).free
    df = findings.typed("df -h", place)
    if free < DISK_BYTES_NONE:
        return [
            findings.failure("disk", f"Full: {size(free)} free{_on(place)}. Make room, else nothing is accepted.", df)
        ]
    if numbers.f_files and numbers.f_favail < INODES_NONE:
        said = f"Full: {numbers.f_favail} more files can be made{_on(place)}, though {size(free)} are free."
        return [findings.failure("disk", said, findings.typed("df -i", place))]
    if free < DISK_BYTES_LOW:
        return [findings.warning("disk", f"Little room: {size(free)} free{_on(place)}.", df)]
    return []


def _kind(place: Path) -> list[Finding]:
    kind = _filesystem(place)
    if any(part in kind for part in DISTANT):
        said = f"{place} lies behind a network ({kind}), where locks and writes are not sure. Use a disk here."
        return [findings.warning("disk", said, "WEFT_HOME=DIRECTORY weft up")]
    if kind in ("tmpfs", "ramfs"):
        said = f"{place} lies in memory ({kind}): all of it is gone after a restart of the machine."
        return [findings.warning("disk", said, "WEFT_HOME=DIRECTORY weft init")]
    return []


def _filesystem(place: Path) -> str:
    """The kind of file system a path lies on, e.g. "ext4"; "" when the system does not say."""
    try:
        mounts = psutil.disk_partitions(all=True)
    except (OSError, psutil.Error):
        return ""
    above = [one for one in mounts if place.resolve().is_relative_to(one.mountpoint)]
    return str(max(above, key=lambda one: len(one.mountpoint)).fstype).lower() if above else ""


def _on(place: Path) -> str:
    kind = _filesystem(place)
    return f" on {kind}" if kind else ""


def _free(place: Path) -> str:
    return size(shutil.disk_usage(place).free)


def _nearest(path: Path) -> Path:
    """The path, or the nearest folder above it that exists."""
    return next(one for one in (path, *path.parents) if os.path.isdir(one))


def _newest_file(patient: Patient) -> int:
    """When a file of the profile was last written, by the clock of then, in ms; 0 without any."""
    place = patient.place
    times = [0]
    for file in (place.vault, place.database, place.database.with_name("weft.db-wal"), place.log, place.run / "lock"):
        with suppress(OSError):  # it is not there, or not ours: the check of the files says so
            times.append(int(file.stat().st_mtime * 1000))
    return max(times)
