"""A program that restores a profile and kills itself, with SIGKILL, at the nth of the stages that it comes to.

    python -m tests.stories.restore_victim PROFILE N    its line of JSON on stdin, as for `weft.py _node restore`

A stage is the moment before, and the one after, each of the functions in WATCHED. Nothing of the product is changed.
"""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from node import __main__ as program

WATCHED = {  # file and function: what writes, or makes what was written count
    ("profile.py", "_write"),
    ("profile.py", "create"),
    ("profile.py", "finish"),
    ("database.py", "transact"),  # also where it begins to wait for the commit, and where it goes on
    ("__main__.py", "_answer"),
}


def killing_at(nth: int) -> Callable[[FrameType, str, Any], None]:
    count = 0

    def look(frame: FrameType, event: str, _: Any) -> None:
        nonlocal count
        code = frame.f_code
        if event not in ("call", "return") or (os.path.basename(code.co_filename), code.co_name) not in WATCHED:
            return
        if count == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    return look


if __name__ == "__main__":
    name, nth = sys.argv[1:]
    sys.setprofile(killing_at(int(nth)))
    sys.exit(program.main(["restore", "--profile", name]))
