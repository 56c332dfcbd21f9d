"""Two real nodes and a backup as a person has it: written beside a running node, read, and brought to another disk."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.stories.real import LAUNCHER, START_S, RealNode, open_pair

pytestmark = [pytest.mark.process, pytest.mark.socket]

TEXTS = [f"line {n} " + "x" * 500 for n in range(1500)]  # some chunks of stream


def weft(node: RealNode, *words: str, stdin: str = "", code: int = 0) -> Any:
    """What the command says as JSON, in the profile of this node; it must end with this code."""
    ran = subprocess.run(
        [sys.executable, str(LAUNCHER), *words, "--profile", node.name, "--json"],
        env={**os.environ, "WEFT_HOME": str(node.home), "WEFT_LISTEN": "127.0.0.1"},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == code, ran.stdout + ran.stderr
    return json.loads(ran.stdout)


def texts(node: RealNode, of: str) -> list[str]:
    return [line["text"] for line in node.call("chat.history", to=of, limit=1000)]


def contact(node: RealNode) -> dict[str, Any]:
    (row,) = node.call("contacts.list")
    found: dict[str, Any] = row
    return found


def test_a_lost_disk_is_replaced_by_a_backup_and_the_words(tmp_path: Path) -> None:
    file = tmp_path / "ana.weft"
    with open_pair(tmp_path / "home") as (ana, bo):
        ana.call("contacts.verify", name="bo")
        bo.call("contacts.verify", name="ana", how="qr")
        for start in range(0, len(TEXTS), 500):
            bo.call("chat.send_all", to="ana", texts=TEXTS[start : start + 500])
        ana.await_that(lambda: len(texts(ana, "bo")) == 1000, START_S)
        ana.await_that(lambda: ana.call("chat.history", to="bo", limit=1)[0]["text"] == TEXTS[-1], START_S)
        words = weft(ana, "backup", "words")["words"]
        made = weft(ana, "backup", "create", str(file))
        assert (made["contacts"], made["messages"], made["bytes"]) == (1, 1500, file.stat().st_size)
        assert file.stat().st_mode & 0o777 == 0o600
        assert weft(ana, "backup", "create", str(file), code=1)["error"]["code"] == "backup.exists"
        assert weft(ana, "backup", "verify", str(file))["messages"] == 1500
        assert weft(bo, "backup", "verify", str(file), code=4)["error"]["code"] == "backup.words"
        ana.kill()
        # The profile is not running: its words come from its own disk, and another backup is made there.
        assert weft(ana, "backup", "verify", str(file))["account"] == made["account"]
        assert weft(ana, "backup", "create", str(file), "--force")["messages"] == 1500
        before = file.read_bytes()
        for size, error in ((len(before) - 1, "backup.cut"), (40, "backup.cut"), (4, "backup.foreign")):
            (tmp_path / "cut").write_bytes(before[:size])
            assert weft(ana, "backup", "verify", str(tmp_path / "cut"), code=1)["error"]["code"] == error
        shutil.rmtree(ana.folder)
        for text in ("while away 1", "while away 2"):
            bo.call("chat.send", to="ana", text=text)
        flipped = bytearray(before)
        flipped[-1] ^= 1
        (tmp_path / "flipped").write_bytes(flipped)
        restore = ("backup", "restore", "--words-file", "-")
        for bad, error in (("cut", "backup.foreign"), ("flipped", "backup.damaged"), ("home", "backup.unreadable")):
            code = 5 if error == "backup.unreadable" else 1
            told = weft(ana, *restore, str(tmp_path / bad), stdin=words, code=code)
            assert told["error"]["code"] == error
            assert not (ana.folder / "vault").exists()
        assert weft(ana, *restore, str(file), stdin="not mine", code=4)["error"]["code"] == "words.wrong"
        assert weft(ana, *restore, str(file), stdin=words)["messages"] == 1500
        assert weft(ana, *restore, str(file), stdin=words, code=1)["error"]["code"] == "profile.exists"
        ana.up()
        ana.await_that(lambda: texts(ana, "bo")[-2:] == ["while away 1", "while away 2"], START_S)
        assert texts(ana, "bo")[:-2] == TEXTS[-998:]
        assert (contact(ana)["verified"], contact(bo)["verified"]) == ("digits", "qr")
        assert (contact(ana)["alarm"], contact(bo)["alarm"]) == ("", "recovered")
        ana.call("chat.send", to="bo", text="here again")
        bo.await_that(lambda: texts(bo, "ana")[-1] == "here again", START_S)
        states = {line["state"] for line in bo.call("chat.history", to="ana", limit=1000) if line["mine"]}
        assert states == {"delivered"}
