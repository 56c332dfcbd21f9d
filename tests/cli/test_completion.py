"""The Tab key in a real bash: it knows names, settings and profiles, and a name that is a command stays a name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from cli import completion
from tests.cli import contacts_room, fake
from tests.cli.profile_room import marked

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
NAMES = (
    "Bo",
    "Ana Maria O'Neil",
    "$(touch pwned)",
    "`touch pwned`; touch pwned",
    'quote " and * and \\ and , comma',
    "~ {a,b} !! $HOME",
    "李小龍",
)
ASK = """
eval "$(weft completion bash)"
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_weft_completion weft
printf '%s\\n' "${COMPREPLY[@]}"
"""


def bash(world: fake.World, script: str, *words: str) -> str:
    """What a script in bash prints, with a `weft` on its path."""
    programs = world.directory.parent / "bin"
    programs.mkdir(exist_ok=True)
    weft = programs / "weft"
    weft.write_text(f'#!/bin/sh\ncd {ROOT} && exec {sys.executable} -m cli "$@"\n')
    weft.chmod(0o755)
    environ = {**os.environ, **world.door.environ, "PATH": f"{programs}:{os.environ['PATH']}"}
    ran = subprocess.run(
        [shutil.which("bash") or "bash", "-c", script, "bash", *words],
        env=environ,
        cwd=world.directory,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert ran.stderr == ""
    return ran.stdout


def made(folder: Path, name: str) -> list[Path]:
    """What was made under a folder by this name."""
    return [*folder.rglob(name)]


async def completed(world: fake.World, *words: str) -> list[str]:
    """What the Tab key offers behind these words."""
    offered = await trio.to_thread.run_sync(bash, world, ASK, "weft", *words)
    return [line for line in offered.splitlines() if line]


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_is_one_word_for_bash_whatever_it_is(tmp_path: Path, name: str) -> None:
    async with fake.node(tmp_path, name) as world:
        for opened, closed in (("", ""), ('"', '"'), ("'", "'")):
            (offered,) = await completed(world, "send", opened)
            typed = f"printf '%s|' {opened}{offered}{closed}"
            assert await trio.to_thread.run_sync(bash, world, typed) == f"{name}|"
        assert made(tmp_path, "pwned") == []


async def test_what_stands_where_is_known(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Ana Maria") as world:
        world.contacts.rows.append(contacts_room.contact("Chen", state="request"))
        assert await completed(world, "sen") == ["send", "send-location"]
        assert await completed(world, "contacts", "ver") == ["verify"]
        assert await completed(world, "contacts", "verify", "ana") == ["Ana\\ Maria"]
        assert await completed(world, "read", "Ana\\ M") == ["Ana\\ Maria"]
        assert await completed(world, "status", "b") == ["Bo"]
        assert await completed(world, "requests", "accept", "") == ["Chen"]
        assert await completed(world, "config", "set", "listen.p") == ["listen.port"]
        assert await completed(world, "--profile", "d") == ["default"]
        assert await completed(world, "--profile", "default", "send", "b") == ["Bo"]
        assert await completed(world, "--profile", "other", "send", "b") == []
        assert await completed(world, "--profile", "../..", "send", "b") == []


async def test_who_can_be_paid_is_known_beside_what_else_pay_does(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "accept", "Ana Maria") as world:
        commands = ["accept", "code", "decline", "invoice", "recall", "receipt", "refund", "remind", "requests"]
        commands += ["show", "to"]
        assert await completed(world, "pay", "") == ["Bo", "Ana\\ Maria", *commands]
        assert await completed(world, "pay", "b") == ["Bo"]
        assert await completed(world, "pay", "re") == ["recall", "receipt", "refund", "remind", "requests"]
        assert await completed(world, "pay", "to", "acc") == ["accept"]
        assert await completed(world, "pay", "bo", "") == []
        assert await completed(world, "request", "ana") == ["Ana\\ Maria"]
        assert await completed(world, "ledger", "limit", "b") == ["Bo"]
        assert await completed(world, "voucher", "redeem", "1", "tea", "--at", "b") == ["Bo"]


async def test_for_whom_a_moment_is_is_known_name_by_name(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Ana Maria") as world:
        world.profile.written["Bo"] = marked("Bo", tags=["family"])
        assert await completed(world, "moments", "post", "hi", "--to", "") == [
            "all",
            "private",
            "family",
            "Bo",
            "Ana\\ Maria",
        ]
        assert await completed(world, "moments", "post", "hi", "--to", "family,a") == ["family\\,Ana\\ Maria"]
        assert await completed(world, "moments", "post", "hi", "--except", "f") == ["family"]
        assert await completed(world, "moments", "list", "--by", "") == ["me", "Bo", "Ana\\ Maria"]
        assert await completed(world, "moments", "rule", "b") == ["Bo"]
        assert await completed(world, "moments", "window", "") == ["3d", "1m", "6m", "all"]
        assert await completed(world, "contacts", "tag", "f") == ["family"]
        assert await completed(world, "contacts", "tag", "family", "b") == ["Bo"]


async def test_without_a_node_the_commands_are_known(tmp_path: Path) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    assert await completed(world, "stat") == ["status"]
    assert await completed(world, "send", "b") == []


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_the_scripts_of_the_other_shells_keep_a_comma_in_a_name(shell: str) -> None:
    script = completion.script(shell)
    assert f"_WEFT_COMPLETE={shell}_complete" in script
    assert 'string split "," $completion' not in script  # what follows the second comma would be lost
