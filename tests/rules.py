"""The rules of the house as pure functions: the source of a file in, complaints out. They read, they import nothing.

Not here: the house itself, its exceptions, and the bad samples that show each rule fail (test_house.py).
"""

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

FILE_LINES_MAX = 400
TEST_LINES_MAX = 500
FUNCTION_LINES_MAX = 70

# style.md, Names: whole words in the names of files, functions and classes
_NOUNS = (
    "manager",
    "handler",
    "helper",
    "util",
    "utils",
    "common",
    "base",
    "misc",
    "data",
    "info",
    "process",
    "obj",
    "impl",
)
BANNED = ("do", *_NOUNS)
# libp2p's dependencies install packages of these names
FOREIGN_FOLDERS = ("docs", "examples", "interop", "stubs", "newsfragments", "build")

CLOCKS_AND_CHANCE = ("time", "datetime", "random", "secrets", "uuid", "os.urandom", "nacl.utils")
_IO = (
    "os",
    "io",
    "pathlib",
    "socket",
    "subprocess",
    "threading",
    "asyncio",
    "tempfile",
    "shutil",
    "sqlite3",
    "logging",
)
_DATABASE = ("peewee", "playhouse", "sqlcipher3", "sqlite3")
_LIBP2P = ("libp2p", "multiaddr")
_PURE = ("trio", "structlog", "cbor2", *_DATABASE, *_LIBP2P, *CLOCKS_AND_CHANCE, *_IO)
_DEFINED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_IO_CALLS = frozenset({"open", "print", "input"})


@dataclass(frozen=True, slots=True)
class Floor:
    """What the files of one part of the house may import: our own modules by prefix, and never these foreign ones."""

    may: tuple[str, ...]
    never: tuple[str, ...]
    pure: bool = False


_BELOW = ("crypto", "protocol", "ledger")
_SAID = ("content", "faults", "view")  # of a room, what its view builds on: its own, and that of a room it needs
_DOOR = Floor(
    ("cli", "web", "protocol", "features.*.content"), ("trio", "nacl", "cryptography", "cbor2", *_DATABASE, *_LIBP2P)
)
FLOORS: Mapping[str, Floor] = {
    "crypto": Floor(("crypto",), _PURE, pure=True),
    "protocol": Floor(("crypto", "protocol"), _PURE, pure=True),
    "ledger": Floor(_BELOW, _PURE, pure=True),
    "store": Floor((*_BELOW, "store"), (*_LIBP2P, *CLOCKS_AND_CHANCE, "trio")),
    "node": Floor((*_BELOW, "store", "node"), (*_LIBP2P, *_DATABASE, *CLOCKS_AND_CHANCE, "cbor2")),
    "features": Floor(("node.feature",), ()),  # features/__init__.py, for the type alone
    "features.content": Floor((*_BELOW, "features.ROOM.content", "features.ROOM.faults"), _PURE, pure=True),
    "features.view": Floor(
        (*_BELOW, "store", *(f"features.{room}.{name}" for room in ("ROOM", "NEEDED") for name in _SAID)),
        ("trio", "structlog", "cbor2", *_DATABASE, *_LIBP2P, *CLOCKS_AND_CHANCE),
    ),
    "features.service": Floor(
        (*_BELOW, "store", "node", "features.ROOM", "features.NEEDED"),
        ("cbor2", *_DATABASE, *_LIBP2P, *CLOCKS_AND_CHANCE),
    ),
    "cli": _DOOR,
    "web": Floor(_DOOR.may, tuple(name for name in _DOOR.never if name != "trio")),
    "lab": Floor((*_BELOW, "store", "node", "features", "lab"), ()),
    "weft": Floor(("cli", "node"), ("click", "trio", "rich", *_DATABASE, *_LIBP2P)),
    "tests": Floor(("",), ()),
    "benchmarks": Floor(("",), ()),
}
PRODUCT = ("crypto", "protocol", "ledger", "store", "node", "features", "cli", "web", "lab")
OURS = frozenset({*PRODUCT, "weft", "tests", "benchmarks"})


def floor_of(path: str) -> tuple[str, Floor]:
    """The name and the floor of a file: by its folder; in a room by its name, where any other name is service's."""
    parts = path.removesuffix(".py").split("/")
    name = parts[0]
    if name == "features" and len(parts) == 3:
        layer = {"content": "content", "faults": "content", "view": "view"}.get(parts[2], "service")
        name = f"features.{layer}"
    return name, FLOORS[name]


@cache
def walked(tree: ast.AST) -> tuple[ast.AST, ...]:
    """All nodes of a tree. Each rule asks for them, and a walk takes longer than what any rule does with it."""
    return tuple(ast.walk(tree))


def imports_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Every imported module or member, wherever the import stands: `from crypto import keys` is crypto.keys."""
    for node in walked(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)


def forbidden_imports(path: str, tree: ast.AST, needs: tuple[str, ...], excused: tuple[str, ...] = ()) -> list[str]:
    """Imports that this file's floor does not allow. needs: the rooms that its room declares; excused: prefixes."""
    name, floor = floor_of(path)
    room = path.split("/")[1] if path.startswith("features/") else ""
    may = tuple(prefix.replace("ROOM", room) for prefix in floor.may if "NEEDED" not in prefix)
    may += tuple(prefix.replace("NEEDED", one) for prefix in floor.may if "NEEDED" in prefix for one in needs)
    complaints = []
    for line, module in imports_of(tree):
        if any(_within(module, prefix) for prefix in excused):
            continue
        if module.startswith("."):
            complaints.append(f"{path}:{line}: a relative import")
        elif module.split(".")[0] in OURS:
            if not any(_within(module, prefix) for prefix in may):
                complaints.append(f"{path}:{line}: {name} imports {module}")
        elif any(_within(module, prefix) for prefix in floor.never):
            complaints.append(f"{path}:{line}: {name} imports {module}")
    return complaints


@cache
def _within(module: str, prefix: str) -> bool:
    pattern = re.escape(prefix).replace(r"\*", r"[^.]+")
    return not prefix or re.fullmatch(rf"{pattern}(\..*)?", module) is not None


def reaching_out(path: str, tree: ast.AST, excused: tuple[str, ...] = ()) -> list[str]:
    """Uses that need no import of their own: os.urandom where entropy is an argument, files in pure floors."""
    floor = floor_of(path)[1]
    complaints = []
    for node in walked(tree):
        name = _name_of(node)
        drawn = name in ("urandom", "randombytes") and "os.urandom" in floor.never and "os.urandom" not in excused
        if drawn or (floor.pure and isinstance(node, ast.Name) and name in _IO_CALLS):
            complaints.append(f"{path}:{getattr(node, 'lineno', 0)}: uses {name}")
    return complaints


def hidden_imports(path: str, tree: ast.AST) -> list[str]:
    """Imports by a name that only the running program knows: no other rule can see them."""
    return [
        f"{path}:{node.lineno}: imports by name"
        for node in walked(tree)
        if isinstance(node, ast.Call) and _name_of(node.func) in ("import_module", "__import__")
    ]


def oversized(path: str, source: str, tree: ast.AST) -> list[str]:
    """Files and functions that are too long."""
    lines, lines_max = source.count("\n"), TEST_LINES_MAX if path.startswith("tests/") else FILE_LINES_MAX
    complaints = [f"{path}: {lines} lines, more than {lines_max}"] if lines > lines_max else []
    for node in walked(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES_MAX:
                complaints.append(
                    f"{path}:{node.lineno}: {node.name} has {length} lines, more than {FUNCTION_LINES_MAX}"
                )
    return complaints


def words_of(name: str) -> list[str]:
    """The words of a snake_case or CamelCase name, in small letters."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)]


def banned_names(path: str, tree: ast.AST) -> list[tuple[str, str]]:
    """Files, folders, functions and classes named with a word of BANNED, but tests, whose names are sentences.

    Each is (complaint, name); the name of a file or folder is "".
    """
    found = [(f"{path}: named {word!r}", "") for word in words_of(path.removesuffix(".py")) if word in BANNED]
    named = (node for node in walked(tree) if isinstance(node, _DEFINED) and not node.name.startswith("test_"))
    banned = [node for node in named if set(words_of(node.name)) & set(BANNED)]
    return [*found, *((f"{path}:{node.lineno}: {node.name}", node.name) for node in banned)]


def broad_excepts(path: str, tree: ast.AST, where: str = "") -> list[tuple[str, str]]:
    """Every place that catches all exceptions and does not raise them again: (complaint, qualified name)."""
    found = []
    for child in ast.iter_child_nodes(tree):
        name = where
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            name = f"{where}.{child.name}".removeprefix(".")
        if isinstance(child, ast.ExceptHandler) and _catches_all(child.type) and not _reraises(child):
            found.append((f"{path}:{child.lineno}: catches everything in {name or 'the module'}", name))
        if isinstance(child, ast.Call) and _name_of(child.func) == "suppress" and any(map(_catches_all, child.args)):
            found.append((f"{path}:{child.lineno}: suppresses everything in {name or 'the module'}", name))
        found += broad_excepts(path, child, name)
    return found


def _catches_all(kind: ast.expr | None) -> bool:
    if isinstance(kind, ast.Tuple):
        return any(map(_catches_all, kind.elts))
    return kind is None or _name_of(kind) in ("Exception", "BaseException")


def _reraises(caught: ast.ExceptHandler) -> bool:
    last = caught.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def _name_of(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def faults_of(trees: Mapping[str, ast.AST], roots: tuple[str, ...]) -> dict[str, tuple[str, str | None]]:
    """All classes that inherit from one of the roots, by name, with where each stands and its own docstring."""
    classes = [(path, node) for path, tree in trees.items() for node in walked(tree) if isinstance(node, ast.ClassDef)]
    known: dict[str, tuple[str, str | None]] = {}
    grown = True
    while grown:
        grown = False
        for path, node in classes:
            inherits = any(_name_of(parent) in known or _name_of(parent) in roots for parent in node.bases)
            if node.name not in known and (inherits or node.name in roots):
                known[node.name] = (f"{path}:{node.lineno}", ast.get_docstring(node))
                grown = True
    return known


def is_sentence(text: str | None) -> bool:
    """Whether this begins with a capital letter or a digit and ends with a full stop, a question mark or a command."""
    return (
        text is not None
        and re.match(r"[A-Z0-9]", text) is not None
        and re.search(r"[.?!:][\w\s.<>-]*$", text) is not None
    )


def missing_tests(path: str, text: str, trees: Mapping[str, ast.AST]) -> list[str]:
    """Tests that this page names and nobody has written: tests/x/test_y.py or tests/x/test_y.py::test_z."""
    complaints = []
    for line, words in enumerate(text.splitlines(), 1):
        for file, name in re.findall(r"(tests/[\w/]+\.py)((?:::\w+)*)", words):
            wanted = name.split("::")[-1]
            tree = trees.get(file)
            if tree is None or (wanted and wanted not in _functions(tree)):
                complaints.append(f"{path}:{line}: there is no {file}{name}")
    return complaints


@cache
def _functions(tree: ast.AST) -> frozenset[str]:
    return frozenset(node.name for node in walked(tree) if isinstance(node, _DEFINED))


def untested_rows(path: str, text: str) -> list[str]:
    """Rows of this page's tables that name no test; the line under a table's head is all bars, dashes and colons."""
    lines = [line.strip() for line in text.splitlines()]
    rules = [re.fullmatch(r"\|[\s|:-]+\|", line) is not None for line in lines]
    heads = [*rules[1:], False]
    return [
        f"{path}:{number}: a row that names no test"
        for number, (line, rule, head) in enumerate(zip(lines, rules, heads, strict=True), 1)
        if line.startswith("|") and not rule and not head and "tests/" not in line
    ]
