"""cli.help, cli.send: what one call of `weft` costs in CPU, beside an empty Python program.

CPU of the command's own process, from the system's count when it ends; the node's part of a send is not in it.
"""

import os
import sys
from collections.abc import Mapping

from benchmarks import figures, profiles

RUNS = 15
EMPTY = [sys.executable, "-c", "pass"]


def main() -> None:
    """Prints both figures."""
    _show("cli.help", [*profiles.LAUNCHER, "--help"], os.environ)
    with profiles.home() as home:
        there = profiles.place(home)
        with profiles.running(there, "ana", "bo"):
            profiles.befriend(there, "ana", "bo")
            send = [*there.weft, "--profile", "ana", "send", "bo", "A message like any other."]
            _show("cli.send", send, there.environment)


def _show(bench: str, command: list[str], environment: Mapping[str, str]) -> None:
    ours, empty = figures.in_turn(RUNS, lambda: _cpu_ms(command, environment), lambda: _cpu_ms(EMPTY, environment))
    figures.show(bench, ours, "ms", "lower", "python -c pass", empty)


def _cpu_ms(command: list[str], environment: Mapping[str, str]) -> float:
    """User and system time of a program that must end well; what it prints is thrown away."""
    silent = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in (0, 1, 2)]
    child = os.posix_spawn(command[0], command, environment, file_actions=silent)
    _, status, usage = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise profiles.Failed(f"{' '.join(command)}: exit {os.waitstatus_to_exitcode(status)}")
    return (usage.ru_utime + usage.ru_stime) * 1000
