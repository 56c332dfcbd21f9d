"""The Python files of this repository as text and as trees: read, parsed and walked once in a process, for all tests.

Not here: what the files must be like (rules.py, orders.py), and the tests that look (test_house.py and others).
"""

import ast
from functools import cache
from pathlib import Path

from tests import rules

ROOT = Path(__file__).resolve().parent.parent


def folders() -> tuple[str, ...]:
    """The top folders that hold Python: also one that no rule knows yet. docs/ is for people who have not got weft."""
    found = (one for one in ROOT.iterdir() if one.is_dir() and not one.name.startswith(".") and one.name != "docs")
    return tuple(sorted(folder.name for folder in found if next(folder.rglob("*.py"), None) is not None))


@cache
def texts() -> dict[str, str]:
    """Every Python file of ours by its path from the root."""
    found = [ROOT / "weft.py", *(file for folder in folders() for file in (ROOT / folder).rglob("*.py"))]
    return {file.relative_to(ROOT).as_posix(): file.read_text() for file in sorted(found)}


@cache
def trees() -> dict[str, ast.Module]:
    """The same files, parsed."""
    return {path: ast.parse(text, path) for path, text in texts().items()}


def product() -> dict[str, ast.Module]:
    """Those of them that are shipped."""
    return {path: tree for path, tree in trees().items() if path.split("/")[0] in rules.PRODUCT}
