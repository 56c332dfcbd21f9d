"""The node's log: JSON lines in <profile>/log/node.log, rotated, without secrets.

Every record, of ours (structlog) or of a library (logging), passes `redact`: bytes become their length, what a person
wrote and what opens something is left out by the name of its field, and text that looks like a key is cut. Keys log as
their fingerprint, which is the caller's to make. Not here: what is worth a line; that is where things happen.
"""

import logging
import logging.handlers
import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog

FILE_BYTES_MAX = 4 << 20  # about 20,000 lines: days of an ordinary node, and still read by an editor
FILES_KEPT = 4  # node.log.1 … node.log.4: 20 MiB of disk in all
TEXT_CHARS_MAX = 2_000  # one value of one record
ITEMS_MAX = 50  # of a list or record in a value
DEPTH_MAX = 4
FRAMES_MAX = 30  # of a traceback, the innermost
HIDDEN = "<hidden>"

# Words in a field's name that say: its value is somebody's message, or opens something.
_SECRET = frozenset(
    (
        *("text", "texts", "body", "content", "message", "messages", "plaintext", "greeting", "note", "said", "params"),
        *("passphrase", "password", "word", "words", "recovery", "secret", "secrets", "seed", "key", "keys"),
        *("root", "chain", "token", "link", "invitation", "vault"),
    )
)
_WEFT_LINK = re.compile(r"weft:[a-z]/[\w=-]+")
_LONG_CODE = re.compile(
    r"(?<![\w/.])(?!wf1)[A-Za-z0-9+_=-]{32,}(?![\w/])"
)  # hex, base64; not a path, not an account id
_BYTES = re.compile(r"""\bb(['"])(?:\\.|(?!\1).)*\1""")
_MANY_WORDS = re.compile(r"\b(?:[a-z]{3,8}\s+){11,}[a-z]{3,8}\b")  # recovery words; prose has longer and shorter ones
_QUOTED = re.compile(r"""(['"`]).*\1""", re.DOTALL)
_NAMES_CODE = (AttributeError, NameError, TypeError, ImportError)  # these quote names of ours, not values

Record = MutableMapping[str, Any]


@contextmanager
def opened(path: Path, level: str) -> Iterator[None]:
    """Sends all records of this process from `level` up ("debug" … "error") to the file, until it ends.

    The file and its directory are readable by their owner only.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make(path)
    path.chmod(0o600)
    file = logging.handlers.RotatingFileHandler(
        path, maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8", errors="backslashreplace"
    )
    file.rotator = _rotate
    with _sent_to(file, level):
        yield


@contextmanager
def on_stderr(level: str) -> Iterator[None]:
    """The same records on standard error, for a program that ends by itself."""
    with _sent_to(logging.StreamHandler(sys.stderr), level):
        yield


@contextmanager
def _sent_to(sink: logging.Handler, level: str) -> Iterator[None]:
    sink.setFormatter(_formatter())
    root = logging.getLogger()
    before = root.level, root.handlers[:]
    root.handlers[:] = [sink]
    set_level(level)
    structlog.configure(
        processors=[*_FIRST, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        root.handlers[:] = before[1]
        root.setLevel(before[0])
        sink.close()


def set_level(level: str) -> None:
    """What is kept from now on: of our own records from `level` up, of libraries only warnings and errors."""
    logging.getLogger().setLevel(level.upper())
    for library in ("libp2p", "multiaddr", "trio", "peewee"):
        logging.getLogger(library).setLevel(logging.WARNING)


def redact(_logger: Any, _method: str, record: Record) -> Record:
    """A processor of structlog: the record without secrets."""
    for name, value in record.items():
        if not name.startswith("_"):
            record[name] = value if name in ("level", "timestamp", "logger") else _clean(name, value, DEPTH_MAX)
    return record


def _make(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600))


def _rotate(full: str, kept: str) -> None:
    """Puts a full file aside, and an empty one in its place that only its owner reads."""
    os.replace(full, kept)
    _make(Path(full))


def _formatter() -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=list(_FIRST),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _tell_fault,
            redact,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def _tell_fault(_logger: Any, _method: str, record: Record) -> Record:
    """Turns exc_info into text: where, and what, but no value of a variable and no quoted text."""
    given = record.pop("exc_info", None)
    match sys.exc_info() if given is True else given:
        case BaseException():
            record["fault"] = "\n".join(_story(given))
        case (_, BaseException() as fault, _):
            record["fault"] = "\n".join(_story(fault))
    return record


def _story(fault: BaseException, depth: int = DEPTH_MAX) -> Iterator[str]:
    yield f"{type(fault).__qualname__}: {_said(fault)}"
    yield from _frames(fault.__traceback__)
    if depth == 0:
        return
    if isinstance(fault, BaseExceptionGroup):
        for one in fault.exceptions[:ITEMS_MAX]:
            yield from _story(one, depth - 1)
    if fault.__cause__ is not None:
        yield "because of"
        yield from _story(fault.__cause__, depth - 1)


def _said(fault: BaseException) -> str:
    said = str(fault)
    if isinstance(fault, KeyError):
        return HIDDEN
    return said if isinstance(fault, _NAMES_CODE) else _QUOTED.sub("'…'", said)


def _frames(trace: TracebackType | None) -> Iterator[str]:
    for frame in traceback.extract_tb(trace)[-FRAMES_MAX:]:
        yield f"  {'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno} {frame.name}"


def _clean(name: str, value: object, depth: int) -> object:
    match value:
        case None | bool() | int() | float():
            return value
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case _ if not _SECRET.isdisjoint(re.split(r"[^a-z]+", name.lower())):
            return HIDDEN
        case str():
            return _clean_text(value)
        case _ if depth == 0:
            return f"<{type(value).__name__}>"
        case Mapping():
            items = list(value.items())[:ITEMS_MAX]
            return {_clean_text(str(key)): _clean(str(key), item, depth - 1) for key, item in items}
        case list() | tuple():
            return [_clean(name, item, depth - 1) for item in value[:ITEMS_MAX]]
        case Path():
            return str(value)
        case _:
            return f"<{type(value).__name__}>"  # its repr may say anything


def _clean_text(text: str) -> str:
    if len(text) > TEXT_CHARS_MAX:
        text = text[:TEXT_CHARS_MAX] + "…"
    text = _WEFT_LINK.sub(HIDDEN, text)
    text = _BYTES.sub(HIDDEN, text)
    text = _LONG_CODE.sub(HIDDEN, text)
    return _MANY_WORDS.sub(HIDDEN, text)


_FIRST: tuple[structlog.types.Processor, ...] = (
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)
