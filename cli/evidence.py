"""What is said of a file of evidence: who signed which entries of which logs, whether all is good, what was said.

Not here: the law of such files (protocol/log_file.py, protocol/log_examination.py), the command (cli/commands/log.py).
"""

import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

from cli import faults, show
from cli.faults import Failure
from cli.options import Door, Form
from features.logs.content import Note
from protocol import entry, ids, log_file, record
from protocol.faults import PeerFault
from protocol.log import Fork
from protocol.log_examination import Convicted, Examination, Finding, Log, Said, Wrong
from protocol.log_file import Claimed, CutOff, NotEvidence

NOTES_MAX = 20  # that are shown though nobody asked for them
FINDINGS_MAX = 20  # that a person is shown; a script gets those that the examination keeps
CHUNK_BYTES = 1 << 18
KEY_DIGITS = 64
SHORT_LOG_DIGITS = 8
TICK_S = 1.0

_WRONG = {
    Wrong.BYTES: "from here on it is no evidence, or damaged, and was not read",
    Wrong.SIGNATURE: "its author did not sign it",
    Wrong.AUTHOR: "it was signed by another device",
    Wrong.ORDER: "an entry of the same place, or of a later one, stands before it",
    Wrong.CHAIN: "it does not follow the entry before it",
    Wrong.SPINE: "it may not stand in a spine",
    Wrong.CONTENT: "the content beside it is another",
    Wrong.KEY: "the key beside its content does not open it",
    Wrong.COSIGNATURE: "a cosignature of it is not the witness's",
    Wrong.COVERED: "no spine commits to it as is said there",
    Wrong.PROOF: "the proof convicts nobody",
    Wrong.CERTIFICATE: "the account did not sign this certificate of a device",
    Wrong.LOGS: "the file has more logs than are examined",
}


def verify(door: Door, file: str, author: str | None, text: bool) -> bool:
    """Examines a file and writes what it shows; whether all of it is good. Raises: Failure.

    file: "-" is stdin. author: the key of the device that must have signed all, in hex. text: whether all notes are
    shown, also when they are many.
    """
    examination = Examination(None if author is None else _key(author))
    notes, count = _walk(door, file, examination, text)
    found: dict[str, Any] = {
        "good": examination.is_good,
        "devices": [{"device": one.device.hex(), "account": one.account.hex()} for one in examination.certificates],
        "logs": [_log(one) for one in examination.logs],
        "notes": notes if text or count <= NOTES_MAX else [],
        "notes_count": count,
        "proofs": [_proof(one) for one in examination.convicted],
        "wrong": [_wrong(one) for one in examination.findings],
        "wrong_count": examination.wrong,
    }
    if door.form is Form.TEXT:
        _show(door, examination, found["notes"])
        if count > NOTES_MAX and not text:
            show.talk(door, f"  It holds {count} notes; to read them: {door.typed('weft log verify --text FILE')}")
    else:
        show.outcome(door, found, "")
    return examination.is_good


def _key(digits: str) -> bytes:
    """A device key as it is typed. Raises: Failure."""
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(digits) != KEY_DIGITS or len(key) * 2 != KEY_DIGITS:
        wrong = faults.usage(f"The key of a device is {KEY_DIGITS} hex digits, not {faults.quoted(digits)!r}.")
        wrong.next = "weft log verify --help"
        raise wrong
    return key


def _walk(door: Door, file: str, examination: Examination, text: bool) -> tuple[list[dict[str, Any]], int]:
    """Examines the whole file; its notes, as far as they are kept, and how many there are. Raises: Failure.

    text: whether all notes are shown; then they are written as they come, but for JSON, which is one object.
    """
    kept: list[dict[str, Any]] = []
    notes = items = entries = 0
    told_s = time.monotonic()
    try:
        for placed in log_file.read(_chunks(file)):
            items += 1
            entries += isinstance(placed.item, Claimed)
            said = examination.take(placed)
            note = None if said is None else _note(said)
            if note is not None:
                notes += 1
                if text and door.form is not Form.JSON:
                    show.outcome(door, note, _note_line(note))
                elif text or notes <= NOTES_MAX:
                    kept.append(note)
            if time.monotonic() - told_s > TICK_S:
                told_s = time.monotonic()
                show.passing(door, f"Reading… {entries} entries")
    except NotEvidence as fault:
        if not items:
            raise _foreign(file, fault) from None
        examination.stop(fault)
    finally:
        show.passing(door, "")
    if not items:
        raise _foreign(file, None)
    return kept, notes


def _chunks(file: str) -> Iterator[bytes]:
    """The bytes of a file, or of stdin. Raises: Failure."""
    try:
        with nullcontext(sys.stdin.buffer) if file == "-" else open(file, "rb") as source:
            while chunk := source.read(CHUNK_BYTES):
                yield chunk
    except OSError as broken:
        said = f"The file {faults.quoted(file)} cannot be read ({broken.strerror}), so nothing is known of it."
        raise Failure(
            "log.unreadable", said, next="weft log verify FILE", verb="Name another", exit=faults.UNKNOWN_NAME
        ) from None


def _foreign(file: str, fault: NotEvidence | None) -> Failure:
    """What is said of a file in which nothing was found."""
    match fault:
        case None:
            why = "it is empty"
        case CutOff():
            why = "it ends inside its first entry"
        case _:
            why = "it does not begin with an entry or a proof"
    said = f"The file {faults.quoted(file)} holds no entries of a log: {why}."
    return Failure("log.foreign", said, next="weft log verify --help", verb="See")


def _note(said: Said) -> dict[str, Any] | None:
    """A note, when that is what was said."""
    try:
        note = record.decode(Note, said.said, entry.SAID_BYTES_MAX)
    except PeerFault:
        return None
    return {
        "author": said.author.hex(),
        "log": said.log.hex(),
        "seq": said.seq,
        "at_ms": said.at_ms,
        "text": note.text,
    }


def _log(found: Log) -> dict[str, Any]:
    return {
        "author": found.author.hex(),
        "log": found.id.hex(),
        "first": found.first,
        "last": found.head.seq,
        "head": found.head.id.hex(),
        "chain": _chain(found),
        "gaps": found.gaps,
        "signatures": found.entries,
        "contents": found.contents,
        "opened": found.opened,
        "covered": found.covered,
        "covered_seq": found.covered_seq,
        "cosigned": found.cosigned,
        "unproven": found.unproven,
        "witnesses": [{"witness": key.hex(), "time_ms": time_ms} for key, time_ms in found.witnesses.items()],
    }


def _chain(found: Log) -> str:
    if found.breaks:
        return "broken"
    if found.gaps:
        return "gaps"
    return "part" if found.first else "whole"


def _proof(one: Convicted) -> dict[str, Any]:
    kind = one.proof.__name__.lower()
    return {"offset": one.offset, "proof": kind, "author": one.author.hex(), "log": one.log.hex()}


def _wrong(one: Finding) -> dict[str, Any]:
    of = "" if one.log is None else one.log.hex()
    return {"offset": one.offset, "wrong": one.wrong.value, "log": of, "seq": one.seq}


def _show(door: Door, examination: Examination, notes: list[dict[str, Any]]) -> None:
    """Writes to a person what was found: what was said, logs, proofs, what is wrong, the verdict."""
    for note in notes:
        show.outcome(door, None, _note_line(note))
    for one in examination.logs:
        show.outcome(door, None, _log_text(one))
    for certificate in examination.certificates[:FINDINGS_MAX]:
        account, device = ids.account_text(certificate.account), certificate.device.hex()
        show.outcome(door, None, f"The account {account} says that the device {device} is its own")
    for convicted in examination.convicted[:FINDINGS_MAX]:
        show.outcome(door, None, _proof_text(convicted))
    if examination.proofs > FINDINGS_MAX:
        show.outcome(door, None, f"! and {examination.proofs - FINDINGS_MAX} more proofs that hold")
    for finding in examination.findings[:FINDINGS_MAX]:
        show.outcome(door, None, _wrong_text(finding))
    if examination.wrong > FINDINGS_MAX:
        show.outcome(door, None, f"✖ and {examination.wrong - FINDINGS_MAX} more things that are wrong")
    bad = _many(examination.wrong, "thing")
    verdict = "✔ Good: every check of this file held." if examination.is_good else f"✖ Not good: {bad} wrong."
    show.outcome(door, None, verdict)


def _note_line(note: dict[str, Any]) -> str:
    """A note as a person reads it; every line of it begins with spaces, so that none is taken for ours."""
    said = show.clean(note["text"], keep_lines=True).replace("\n", "\n      ")
    return f"  {note['seq']} of {note['log'][:SHORT_LOG_DIGITS]}, {show.clock(note['at_ms'])}: {said}"


def _log_text(found: Log) -> str:
    chain = {
        "broken": "the chain is broken",
        "gaps": f"with {_many(found.gaps, 'gap')}, chain whole between them",
        "part": f"chain whole from {found.first} on, what was before is not here",
        "whole": "chain whole",
    }[_chain(found)]
    span = f"entry {found.first}" if found.first == found.head.seq else f"entries {found.first} to {found.head.seq}"
    lines = [
        f"Log {_short(found.id)} of the device {found.author.hex()}",
        f"  {span}: {chain}; {_many(found.entries, 'signature')} good",
    ]
    if found.contents:
        lines.append(f"  {_many(found.contents, 'content')} as signed, {found.opened} opened with a key")
    if found.covered:
        lines.append(f"  a spine commits to {_many(found.covered, 'head')} of it, the newest is {found.covered_seq}")
    if found.cosigned:
        lines.append(f"  {_many(found.cosigned, 'cosignature')} good")
    lines += [f"    by {key.hex()}, {show.clock(at_ms)}" for key, at_ms in found.witnesses.items()]
    if found.unproven:
        lines.append(f"  {_many(found.unproven, 'cosignature')} of whom no device is known here: not proven")
    return "\n".join(lines)


def _proof_text(one: Convicted) -> str:
    what = "two entries for one place" if one.proof is Fork else "what contradicts its own spine"
    return f"! A proof holds (byte {one.offset}): the device {one.author.hex()} signed {what}, log {_short(one.log)}"


def _wrong_text(one: Finding) -> str:
    place = f"byte {one.offset}" if one.log is None else f"entry {one.seq} of {_short(one.log)}, byte {one.offset}"
    return f"✖ {place}: {_WRONG[one.wrong]}"


def _short(of: bytes) -> str:
    return of.hex()[:SHORT_LOG_DIGITS]


def _many(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
