"""Starts the node's program: the only way in which a door reaches keys and passphrases.

The passphrase goes as one JSON line over the program's stdin, never over its arguments or environment, and one JSON
line comes back. Not here: what the program does with it (node/__main__.py).
"""

import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from cli import faults, places, show
from cli.faults import Failure
from cli.options import Door

READY_S = 60.0  # a cold start on a slow disk takes about 10 s; after this something is wrong
STOP_S = 15.0  # what a node needs at most to close its database
LAST_S = 2.0  # how long a program may live on after its answer
TICK_S = 0.5  # how often the waiting person sees the seconds
LINE_BYTES_MAX = 1 << 20  # what a doctor finds with many contacts is some 10 kB
PASSPHRASE_BYTES_MAX = 1024
LAST_WORDS_CHARS = 300
_NAMES = {"run": "node", "keep": "keeper"}  # what a verb starts
AGAIN = {
    "init": "weft init",
    "doctor": "weft doctor",
    "backup": "weft backup create FILE",
    "verify": "weft backup verify FILE",
    "restore": "weft backup restore FILE",
    "run": "weft up",
    "keep": "weft keeper node",
}


def run_verb(
    door: Door,
    verb: str,
    said: dict[str, str],
    waiting: str,
    errors: Path | None = None,
    within_s: float = READY_S,
) -> dict[str, Any]:
    """What the program answers to a verb that ends by itself. Raises: Failure with what it says, or its silence.

    errors: where it writes what it has to say besides, None for log/start.log.
    """
    with _started(door, verb, said, errors) as program:
        try:
            return _first_line(door, program, waiting, verb, errors, within_s)
        finally:
            _end(program)


@contextmanager
def quiet_log(door: Door, name: str) -> Iterator[Path]:
    """A file for the errors of a program that must work where nothing else does, gone afterwards if it stayed empty.

    It stands in log/ where that is there and can be written, else among the system's temporary files, else nowhere.
    """
    with ExitStack() as stack:
        path = door.directory / "log" / name
        try:
            os.close(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600))
        except OSError:
            try:
                path = Path(stack.enter_context(tempfile.NamedTemporaryFile(prefix="weft-")).name)
            except OSError:
                path = Path(os.devnull)
        try:
            yield path
        finally:
            with suppress(OSError):  # another command beside this one has taken it away
                if path.name == name and path.stat().st_size == 0:
                    path.unlink()


def detached(door: Door, said: dict[str, str], verb: str = "run") -> dict[str, Any]:
    """Starts a node that outlives this terminal, and returns what it says when it serves. Raises: Failure.

    verb: "run", or "keep" for a keeper of one's own. said: its line on stdin.
    """
    with _started(door, verb, said) as program:
        try:
            told = _first_line(door, program, f"Starting the {_NAMES.get(verb, 'node')}", verb)
        except BaseException:
            _end(program)
            raise
        program.returncode = 0  # it is left to live on, so this process is not to wait for it
        return told


def attached(door: Door, said: dict[str, str], ready: Callable[[dict[str, Any]], None], verb: str = "run") -> int:
    """Runs a node until it ends, passing SIGINT and SIGTERM on; its exit code, or 130 after SIGINT. As `detached`."""
    with _started(door, verb, said) as program:
        asked: list[int] = []

        def pass_on(number: int, _frame: object) -> None:
            asked.append(number)
            if program.poll() is None:
                program.send_signal(signal.SIGTERM)

        before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            ready(_first_line(door, program, f"Starting the {_NAMES.get(verb, 'node')}", verb))
            code = program.wait()
        finally:
            _end(program)
            for number, old in before.items():
                signal.signal(number, old)
        if signal.SIGINT in asked:
            return faults.INTERRUPTED
        return code if code >= 0 else faults.FAILED  # negative: the signal that killed it


def passphrase(door: Door, question: str) -> str:
    """The passphrase from $WEFT_PASSPHRASE_FILE, else from the person, else empty. Raises: Failure."""
    import click

    file = door.environ.get("WEFT_PASSPHRASE_FILE", "")
    if file:
        try:
            with open(file, "rb") as opened:
                first = opened.read(PASSPHRASE_BYTES_MAX + 1).partition(b"\n")[0].rstrip(b"\r")
            return first.decode()
        except (OSError, UnicodeDecodeError) as broken:
            why = broken.strerror if isinstance(broken, OSError) else "it is not text in UTF-8"
            said = f"The passphrase is not known: {file}, named by WEFT_PASSPHRASE_FILE, cannot be read ({why})."
            retry = "WEFT_PASSPHRASE_FILE=FILE weft up"
            raise Failure("profile.locked", said, next=retry, verb="Name another", exit=faults.LOCKED) from None
    if not door.asks:
        return ""
    given: str = click.prompt(question, default="", show_default=False, hide_input=True, err=True)
    return given


def new_passphrase(door: Door, retry: str) -> str:
    """A passphrase for a new profile, asked twice of a person. Raises: Failure. retry: the command to type again."""
    import click

    given = passphrase(door, "Passphrase for this device (empty = key file only you can read)")
    if given and door.asks and not door.environ.get("WEFT_PASSPHRASE_FILE"):
        again = click.prompt("The same again", default="", show_default=False, hide_input=True, err=True)
        if again != given:
            said = "The two passphrases differ; nothing was made."
            raise Failure("usage", said, next=retry, verb="Again", exit=faults.USAGE)
    if not given:
        show.talk(door, "No passphrase: the key lies in a file that only you can read.")
    return given


def known_passphrase(door: Door, command: str) -> str:
    """What opens the profile that is there: empty for a key file. Raises: Failure. command: what needs it."""
    home = door.directory
    given = "" if places.has_key_file(home) else passphrase(door, "Passphrase")
    if not given and not places.has_key_file(home):
        said = (
            f"This identity opens with a passphrase, and nobody is there to type it. If it never had one, its file "
            f"{home / 'key'} is gone: put it back."
        )
        asked = f"WEFT_PASSPHRASE_FILE=FILE {command}"
        raise Failure("profile.locked", said, next=asked, verb="Give it", exit=faults.LOCKED)
    return given


def launcher(door: Door) -> tuple[str, ...]:
    """The command that starts the node's program of this installation, before the word `_node`."""
    if door.launcher is not None:
        return door.launcher
    here = Path(__file__).resolve().parent.parent  # the checkout, or _weft/ in an installed wheel
    candidates = (here / "weft.py", here.parent / "weft.py")
    found = next((path for path in candidates if path.is_file()), candidates[0])
    return (sys.executable, str(found))


@contextmanager
def _started(
    door: Door, verb: str, said: dict[str, str], errors: Path | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    """The program with its line on stdin, in a session of its own; its stderr goes to log/start.log, or to `errors`."""
    home = door.directory
    log = errors or _start_log(door)
    try:
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(log, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
    except OSError as broken:
        sentence = f"{home} cannot be written ({broken.strerror}); nothing was changed."
        raise Failure(
            "profile.unwritable", sentence, next="WEFT_HOME=DIRECTORY weft status", verb="Elsewhere"
        ) from None
    with open(descriptor, "wb") as stderr:
        program = subprocess.Popen(
            [*launcher(door), "_node", verb, "--profile", door.profile_name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
            env=dict(door.environ),
        )
    assert program.stdin is not None
    assert program.stdout is not None
    with suppress(BrokenPipeError), program.stdin:  # it ended before it read; its last words say why
        program.stdin.write(json.dumps(said).encode() + b"\n")
    try:
        yield program
    finally:
        program.stdout.close()


def _first_line(
    door: Door,
    program: "subprocess.Popen[bytes]",
    waiting: str,
    verb: str = "run",
    errors: Path | None = None,
    within_s: float = READY_S,
) -> dict[str, Any]:
    """The line that the program answers with, while the person sees that something goes on."""
    assert program.stdout is not None
    log = errors or _start_log(door)
    started = time.monotonic()
    heard = b""
    if not show.is_terminal():
        show.talk(door, f"{waiting}…")
    with selectors.DefaultSelector() as selector:
        selector.register(program.stdout, selectors.EVENT_READ)
        while b"\n" not in heard and len(heard) < LINE_BYTES_MAX:
            spent = time.monotonic() - started
            show.passing(door, f"{waiting}… {int(spent)} s")
            if spent > within_s:
                _end(program)
                said = f"The node's program said nothing for {within_s:.0f} s and was stopped; what was kept is safe."
                said += _last_words(log)
                raise Failure("node.silent", said, next=AGAIN[verb], verb="Again")
            if not selector.select(TICK_S):
                continue
            chunk = os.read(program.stdout.fileno(), LINE_BYTES_MAX)
            if not chunk:
                break
            heard += chunk
    show.passing(door, "")
    try:
        told = json.loads(heard.partition(b"\n")[0])
    except ValueError:
        code = program.wait(STOP_S)
        what = f"The {_NAMES[verb]} did not start" if verb in _NAMES else "weft's program ended before it was done"
        said = f"{what} (code {code}); what was kept is safe.{_last_words(log)}"
        raise Failure("node.start", said, next=AGAIN[verb], verb="Again") from None
    if "error" in told:
        raise _failure(told["error"])
    answer: dict[str, Any] = told
    return answer


def _failure(error: dict[str, Any]) -> Failure:
    return Failure(
        str(error.get("code", "node.start")),
        str(error.get("message", "The node did not start.")),
        next=str(error.get("next", "")),
        exit=int(error.get("exit", faults.FAILED)),
        data=error.get("data"),
    )


def _start_log(door: Door) -> Path:
    return door.directory / "log" / "start.log"


def _last_words(path: Path) -> str:
    try:
        lines = [line for line in path.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    return f" Its last words: {lines[-1].strip()[:LAST_WORDS_CHARS].rstrip('.')}." if lines else ""


def _end(program: "subprocess.Popen[bytes]") -> None:
    """Waits for a program that has said its last word, and stops it when it does not end: politely, then not."""
    try:
        program.wait(LAST_S)
        return
    except subprocess.TimeoutExpired:
        program.terminate()
    try:
        program.wait(STOP_S)
    except subprocess.TimeoutExpired:
        program.kill()
        program.wait()
