"""`make demo`: three real nodes meet by invitation and talk; one is killed and comes back; every message arrives once.

Everything shown is read from `weft … --json` of separate processes over real sockets. Exit code 0 only if all of it is
so. `--break-one` leaves one message unsent, which must be noticed. Not here: the simulated world (world.py).
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LAUNCHER = Path(__file__).resolve().parent.parent / "weft.py"
PEOPLE = ("ana", "bo", "chen")
CALL_S = 60.0
ARRIVE_S = 30

# who says what to whom; None is where Chen's node is killed, and the second None where it is started again
SCRIPT: tuple[tuple[str, str, str] | None, ...] = (
    ("ana", "bo", "Are you coming on Saturday?"),
    ("bo", "ana", "Yes, with Chen. 好的!"),
    ("ana", "chen", "Bo says you are coming too?"),
    ("chen", "ana", "I am. What shall I bring?"),
    ("bo", "chen", "Bring the tent."),
    None,
    ("ana", "chen", "Bring the stove, please."),
    ("bo", "chen", "And the long rope."),
    ("ana", "bo", "Chen has gone quiet."),
    ("bo", "ana", "Battery, I guess. It will arrive."),
    None,
    ("chen", "ana", "Back! Stove and rope, got it."),
    ("chen", "bo", "And the tent."),
)
BROKEN = 8  # the message that --break-one leaves unsent


class Failed(Exception):
    """A command did not do what it should."""


@dataclass(frozen=True, slots=True)
class Weft:
    """The `weft` command of one profile."""

    home: Path
    person: str

    def call(self, *words: str, ok: Sequence[int] = (0,)) -> Any:
        """Runs `weft WORDS --json` and returns what it prints. Raises: Failed."""
        command = [sys.executable, str(LAUNCHER), "--profile", self.person, "--no-input", *words, "--json"]
        environment = {**os.environ, "WEFT_HOME": str(self.home), "WEFT_LISTEN": "127.0.0.1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=CALL_S, check=False)
        if done.returncode not in ok:
            raise Failed(f"weft {' '.join(words)} of {self.person}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)


def main(argv: list[str]) -> int:
    """Lives the story; 0 when every message arrived exactly once."""
    began = time.monotonic()
    broken = BROKEN if "--break-one" in argv else None
    with tempfile.TemporaryDirectory(prefix="weft-demo-") as folder:
        nodes = {person: Weft(Path(folder), person) for person in PEOPLE}
        try:
            _meet(nodes)
            sent = _talk(nodes, broken)
            return _judge(nodes, sent, began)
        except Failed as failure:
            print(f"✖ {failure}")
            return 1
        finally:
            for node in nodes.values():
                node.call("down", ok=(0, 1, 3))


def _meet(nodes: dict[str, Weft]) -> None:
    """Makes three profiles, starts three nodes, and makes everybody a contact of everybody by one-time invitations."""
    for person, node in nodes.items():
        node.call("init", "--name", person.title())
        up = node.call("up", "-d")
        print(f"• {person.title()}'s node is up (pid {up['pid']})")
    for inviter, asker in (("ana", "bo"), ("ana", "chen"), ("bo", "chen")):
        link = nodes[inviter].call("invite", "--no-wait")["link"]
        nodes[asker].call("add", link, "--as", inviter, "--wait", str(ARRIVE_S))
        print(f"• {asker.title()} followed {inviter.title()}'s invitation")


def _talk(nodes: dict[str, Weft], broken: int | None) -> dict[int, str]:
    """Says the lines of the script, kills Chen in the middle; returns the id of each line that was sent."""
    sent: dict[int, str] = {}
    chen_is_up = True
    for number, line in enumerate(SCRIPT):
        if line is None:
            if chen_is_up:
                pid = nodes["chen"].call("status")["pid"]
                os.kill(pid, signal.SIGKILL)
                print(f"• Chen's node is killed (SIGKILL to pid {pid})")
            else:
                print(f"• Chen's node is up again (pid {nodes['chen'].call('up', '-d')['pid']})")
            chen_is_up = not chen_is_up
        elif number == broken:
            print(f"• left unsent on purpose: {line[0].title()} to {line[1].title()}: {line[2]}")
        else:
            speaker, hearer, text = line
            waits = ("--wait", "delivered", str(ARRIVE_S)) if chen_is_up or hearer != "chen" else ()
            sent[number] = nodes[speaker].call("send", hearer, text, *waits)["id"]
    return sent


def _judge(nodes: dict[str, Weft], sent: dict[int, str], began: float) -> int:
    """Compares what everybody has with what was to be said; prints the transcript. 0 when all is as it should be."""
    seen = {person: node.call("inbox", "--limit", "1000")["messages"] for person, node in nodes.items()}
    states = {person: _own_lines(node) for person, node in nodes.items()}
    faults: list[str] = []
    print()
    for number, line in enumerate(SCRIPT):
        if line is None:
            continue
        speaker, hearer, text = line
        copies = [one for one in seen[hearer] if one["contact"].lower() == speaker and one["text"] == text]
        mine = states[speaker].get(sent[number]) if number in sent else None
        state = mine["state"] if mine else "not sent"
        took = f"{mine['state_ms'] - mine['at_ms']:6d} ms" if mine else ""
        print(f"  {speaker.title():>4} → {hearer.title():<4}  {text:<40} {state:<10} {took}")
        if len(copies) != 1 or state != "delivered":
            faults.append(f"“{text}” from {speaker} to {hearer}: {len(copies)} arrived, {state}")
    count = sum(len(lines) for lines in seen.values())
    wanted = sum(line is not None for line in SCRIPT)
    if count != wanted:
        faults.append(f"{count} messages are in the three inboxes, {wanted} should be")
    print()
    for fault in faults:
        print(f"✖ {fault}")
    if not faults:
        print(f"✔ {wanted} messages, each delivered exactly once, in {time.monotonic() - began:.1f} s with all set-up")
    return 1 if faults else 0


def _own_lines(node: Weft) -> dict[str, Any]:
    """What a person has said, by id, as his own node shows it."""
    others = [person for person in PEOPLE if person != node.person]
    lines = [line for other in others for line in node.call("read", other, "--limit", "1000")["messages"]]
    return {line["id"]: line for line in lines if line["mine"]}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
