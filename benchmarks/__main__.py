"""`python -m benchmarks [NAME]`: runs every benchmark, or the one of that name; each figure is one JSON line on stdout.

Each runs in a program of its own, so that none inherits what another has imported or left warm.
"""

import subprocess
import sys
from pathlib import Path

ALL = (
    *("messages", "cli", "node", "ratchet", "lan", "search", "logs", "discovery", "keepers", "payments", "media"),
    "moments",
)
# Of discovery, logs, keepers, search; each runs alone too.
PARTS = ("finding", "relaying", "idle", "replicate", "collecting", "million")
ROOT = Path(__file__).resolve().parent.parent


def main(chosen: list[str]) -> int:
    """Returns 0, or 1 when a benchmark failed, or 2 for a name that is none."""
    if not set(chosen) <= {*ALL, *PARTS}:
        print(f"There are these benchmarks: {', '.join((*ALL, *PARTS))}", file=sys.stderr)
        return 2
    failed = 0
    for name in chosen or ALL:
        print(f"{name} …", file=sys.stderr, flush=True)
        script = f"from benchmarks import {name}; {name}.main()"
        failed |= subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False).returncode
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
