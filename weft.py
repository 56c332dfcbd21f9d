"""The launcher of the `weft` command: the doors, or with a hidden word the program of the node or of the workshop."""

import sys
from pathlib import Path


def main() -> None:
    """Runs a door (cli/) or the node (node/), from a checkout or from an installed wheel."""
    here = Path(__file__).resolve().parent
    packed = here / "_weft"  # only an installed wheel has it
    sys.path.insert(0, str(packed if packed.is_dir() else here))
    if sys.argv[1:2] == ["_node"]:
        from node.__main__ import main as run_node

        sys.exit(run_node(sys.argv[2:]))
    if sys.argv[1:2] == ["_workshop"]:
        from node.workshop.program import main as run_workshop

        sys.exit(run_workshop(sys.argv[2:]))
    from cli.__main__ import main as run_door

    sys.exit(run_door(sys.argv[1:]))


if __name__ == "__main__":
    main()
