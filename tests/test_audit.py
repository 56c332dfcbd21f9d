"""The page of audit cases names every test of a case, and every case that this release promises has one."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests import rules, sources

pytestmark = pytest.mark.house
PAGE = sources.ROOT / "docs" / "protocol" / "audit.md"
PROMISED = (
    *("1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "12", "13", "14", "15", "16", "17", "18", "19", "20", "21"),
    *(
        "22",
        "23",
        "24",
        "25",
        "26",
        "27",
        "28",
        "29",
        "30",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36a",
        "36b",
        "37",
        "51",
        "52",
        "55",
        "56",
        "57",
        "58",
    ),
)
NAMED = re.compile(r"test_case_(\d+[ab]?)(?:_and_(\d+[ab]?))?_")


@cache
def cases() -> dict[str, set[str]]:
    """Case -> the tests whose names begin with it."""
    found: dict[str, set[str]] = {}
    for path, tree in sources.trees().items():
        if not path.startswith("tests/") or not Path(path).name.startswith("test_"):
            continue
        for node in rules.walked(tree):
            name = node.name if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else ""
            for case in filter(None, match.groups() if (match := NAMED.match(name)) else ()):
                found.setdefault(case, set()).add(f"{path}::{name}")
    return found


def rows() -> dict[str, set[str]]:
    """Case -> the tests in its row of the page."""
    lines = [line.split("|") for line in PAGE.read_text().splitlines() if line.startswith("| ")]
    return {cells[1].strip(): set(re.findall(r"`(tests/[^`]+)`", cells[3])) for cells in lines[1:]}


def test_every_promised_case_is_tested() -> None:
    assert sorted(set(PROMISED) - set(cases())) == []


def test_the_page_names_every_test_of_a_case_and_no_other() -> None:
    assert rows() == cases()
