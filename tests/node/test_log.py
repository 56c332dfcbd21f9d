"""The log: JSON lines, rotated, readable by the owner alone, and never a secret in it."""

import json
import logging
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import structlog

from crypto import words
from crypto.keys import SigningKey
from node import log

SEED = bytes(range(32))
CANARY = "meet me at nine"
SECRETS = [
    SEED.hex(),
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8",  # base64url of the seed
    CANARY,
    "hunter2",
    "weft:i/AAEC",
    words.words_of(SEED),
    words.words_of(SEED).split()[3] + " " + words.words_of(SEED).split()[4],
]


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_record_is_one_line_of_json(tmp_path: Path) -> None:
    path = tmp_path / "log" / "node.log"
    with log.opened(path, "info"):
        structlog.get_logger("node.test").info("dialled", address="/ip4/127.0.0.1/tcp/4001", failures=3, fast=True)
        structlog.get_logger("node.test").debug("not kept")
        logging.getLogger("trio.something").info("not kept")
        logging.getLogger("trio.something").warning("a link of %s ended", "a peer")
    first, second = _lines(path)
    at = first.pop("timestamp")
    assert first == {
        "event": "dialled",
        "address": "/ip4/127.0.0.1/tcp/4001",
        "failures": 3,
        "fast": True,
        "level": "info",
        "logger": "node.test",
    }
    assert second["event"] == "a link of a peer ended"
    assert str(at).endswith("Z")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def _values(event: Callable[..., object]) -> None:
    event("value", seed=SEED, other=SEED, view=memoryview(SEED), pair=(SEED, [SEED]))


def _keys(event: Callable[..., object]) -> None:
    event("keys", signing=SigningKey(SEED), nested={"signing": SigningKey(SEED), "at": {"depth": {"of": [SEED]}}})


def _by_name(event: Callable[..., object]) -> None:
    event("named", text=CANARY, passphrase="hunter2", recovery_words=words.words_of(SEED), nested={"body": CANARY})


def _in_text(event: Callable[..., object]) -> None:
    event(f"dialled with {SEED.hex()} and {SECRETS[1]}", why=f"{SEED!r} of weft:i/AAEC{'x' * 40}")
    event(f"words {words.words_of(SEED)} end")


def _in_object(event: Callable[..., object]) -> None:
    class Line:
        def __repr__(self) -> str:
            return CANARY

    event("object", line=Line())


def _in_fault(event: Callable[..., object]) -> None:
    try:
        try:
            raise KeyError(CANARY)
        except KeyError as missing:
            raise ExceptionGroup("all", [ValueError(f"cannot read '{CANARY}' and {SEED!r}")]) from missing
    except ExceptionGroup:
        event("failed", exc_info=True)


@pytest.mark.parametrize("say", [_values, _keys, _by_name, _in_text, _in_object, _in_fault])
def test_no_secret_is_written(tmp_path: Path, say: Callable[[Callable[..., object]], None]) -> None:
    path = tmp_path / "node.log"
    with log.opened(path, "debug"):
        say(structlog.get_logger("node.test").warning)
        say(logging.getLogger("trio.test").warning if say is _in_fault else structlog.get_logger("x").error)
    written = path.read_text()
    assert len(_lines(path)) >= 2
    assert "fault" in _lines(path)[0] or say is not _in_fault
    for secret in SECRETS:
        assert secret not in written
    assert "\\u0001\\u0002" not in written
    assert "\\\\x01\\\\x02" not in written


def test_a_fault_says_where(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    with log.opened(path, "info"):
        try:
            None.missing  # type: ignore[attr-defined]  # noqa: B018
        except AttributeError:
            structlog.get_logger("node.test").exception("failed")
    told = str(_lines(path)[0]["fault"])
    assert "AttributeError: 'NoneType' object has no attribute 'missing'" in told
    assert "node/test_log.py:" in told
    assert "test_a_fault_says_where" in told


def test_the_log_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    path.write_bytes(b"x" * (log.FILE_BYTES_MAX - 10))
    with log.opened(path, "info"):
        structlog.get_logger("node.test").info("one")
        structlog.get_logger("node.test").info("two")
    assert [line["event"] for line in _lines(path)] == ["one", "two"]
    assert (tmp_path / "node.log.1").stat().st_size == log.FILE_BYTES_MAX - 10
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_ids_that_people_may_see_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "node.log"
    account = "wf1" + "q" * 58
    with log.opened(path, "info"):
        structlog.get_logger("node.test").info("contact", account=account, file="/home/ana/.local/share/weft/x")
    assert _lines(path)[0]["account"] == account
    assert _lines(path)[0]["file"] == "/home/ana/.local/share/weft/x"
