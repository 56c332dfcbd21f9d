"""Every command and option says in a sentence what it does, and the command line stays light."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
import trio

from cli import options
from cli.__main__ import COMMANDS
from ledger import units
from tests.cli import fake

ROOT = Path(__file__).parents[2]
CONTEXT = click.Context(COMMANDS, info_name="weft")


def _all() -> list[tuple[str, click.Command]]:
    found: list[tuple[str, click.Command]] = []
    for name in COMMANDS.list_commands(CONTEXT):
        made = COMMANDS.get_command(CONTEXT, name)
        assert made is not None
        found.append((name, made))
        if isinstance(made, click.Group):
            found.extend((f"{name} {inner}", command) for inner, command in made.commands.items())
    return found


@pytest.mark.parametrize(("name", "command"), _all(), ids=lambda value: value if isinstance(value, str) else "")
def test_every_command_and_option_says_what_it_does(name: str, command: click.Command) -> None:
    assert command.help is not None
    assert command.help.split("\n")[0].endswith((".", ")."))
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert {"--profile", "--json", "--jsonl", "-q", "--no-input"} <= {one for option in options for one in option.opts}
    for option in options:
        assert option.help is not None
        assert option.help[0].isupper()
        assert option.help.partition(" [")[0].endswith(".")


AMOUNTS = {"amount", "each", "tip", "mine"}
OWING = [pair for pair in _all() if AMOUNTS & {one.name for one in pair[1].params}]


@pytest.mark.parametrize(("name", "command"), OWING, ids=lambda value: value if isinstance(value, str) else "")
def test_where_an_amount_is_typed_the_help_says_what_it_is(name: str, command: click.Command) -> None:
    assert " ".join(command.get_help(click.Context(command, info_name=name)).split()).endswith(units.IOU)


TYPED = ("split new -5 EUR bo", "packet --to bo -5 EUR", "invoice -5 EUR", "shop offer tea -5 EUR")


@pytest.mark.parametrize("typed", [*TYPED, "ledger forward bo -5 10 EUR", "pay bo -5 EUR"])
def test_an_amount_below_nothing_is_one_for_the_node(tmp_path: Path, typed: str) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*typed.split())
    assert (ran.code, ran.err) == (3, "Node is not running. Start it: weft up\n")


@pytest.mark.parametrize("name", list(COMMANDS.places))
def test_the_list_of_commands_begins_as_each_command_does(name: str) -> None:
    made = COMMANDS.get_command(CONTEXT, name)
    assert made is not None
    assert made.help is not None
    listed = COMMANDS.places[name][1]
    assert listed.endswith(".")
    assert made.help.split()[0] == listed.split()[0]


@pytest.mark.parametrize(
    ("said", "listed"),
    [
        ("Does it.", "Does it."),
        ("Does it. Twice.", "Does it."),
        ("Does it all, at once; and more of it, again.", "Does it all, at once."),
        ("Does it all, and more of it, and again.", "Does it all, and more of it."),
        ("Does it all with that (as it is) and again.", "Does it all with that."),
        ("Does all of it without a place to end.", "Does all of it without a..."),
    ],
)
def test_a_list_of_commands_shows_whole_clauses(said: str, listed: str) -> None:
    @options.command(help=said)
    def made() -> None: ...

    assert made.get_short_help_str(29) == listed


def test_help_is_help(tmp_path: Path) -> None:
    world = fake.stopped(tmp_path)
    for words in (("--help",), ("-h",), ("send", "--help"), ("contacts", "verify", "-h")):
        ran = world.weft_now(*words)
        assert (ran.code, ran.out.startswith("Usage: weft"), ran.err) == (0, True, "")
    ran = world.weft_now()
    assert (ran.code, ran.out, ran.err.startswith("Usage: weft")) == (2, "", True)
    ran = world.weft_now("sned", "bo", "hi")
    assert (ran.code, "No such command 'sned'" in ran.err, "See: weft --help" in ran.err) == (2, True, True)
    assert world.weft_now("backup").code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_a_script_of_that_shell(tmp_path: Path, shell: str) -> None:
    ran = fake.stopped(tmp_path).weft_now("completion", shell)
    assert ran.code == 0
    assert f"_WEFT_COMPLETE={shell}_complete" in ran.out


@pytest.mark.process
async def test_the_tab_key_knows_the_contacts(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        environ = {"_WEFT_COMPLETE": "bash_complete", "COMP_WORDS": "weft send b", "COMP_CWORD": "2"}
        program = await _run(world, environ)
        assert program.stdout.decode().split() == ["plain,Bo"]


async def _run(world: fake.World, environ: dict[str, str]) -> "subprocess.CompletedProcess[bytes]":
    return await trio.run_process(
        [sys.executable, "-m", "cli"], cwd=ROOT, env={**world.door.environ, **environ}, capture_stdout=True, check=False
    )


@pytest.mark.process
def test_the_command_line_imports_nothing_heavy() -> None:
    program = (
        "import sys, cli.__main__, cli.commands.messages, cli.commands.people, cli.commands.contacts\n"
        "import cli.commands.acts, cli.commands.chat, cli.commands.node, cli.commands.settings\n"
        "import cli.commands.scripting, cli.commands.backup, cli.commands.nearby, cli.commands.log\n"
        "import cli.commands.keeper, cli.commands.pay, cli.commands.ledger, cli.commands.voucher\n"
        "ours = {'crypto', 'store', 'node', 'features', 'lab'}\n"
        "heavy = ours | {'ledger', 'trio', 'libp2p', 'nacl', 'rich', 'segno', 'asyncio'}\n"
        "rest = {name for name in sys.modules if name.startswith('protocol.')} - {'protocol.version'}\n"
        "print(sorted(heavy & set(sys.modules) | rest))"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=True)
    assert ran.stdout.decode().strip() == "[]"
