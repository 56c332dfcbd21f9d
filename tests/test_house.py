"""The rules of the house (docs/architecture.md), held against every file, and against bad samples so that each fails.

The exceptions stand first, each with its reason; one that is no longer needed fails too. Not here: the rules themselves
(rules.py, orders.py), what a wheel carries (test_packaging.py).
"""

import ast
import json
import re
import subprocess
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests import orders, rules, sources
from tests.sources import ROOT, product, trees

pytestmark = pytest.mark.house
THREATS = "docs/threats.md"
VERIFIER = "docs/verify_payment.py"
VERIFIER_LINES_MAX = 200

EXCUSED_IMPORTS = {
    ("protocol/wire.py", "cbor2"): "the one CBOR encoder and decoder",
    ("store/database.py", "trio"): "the one door between tasks and the database thread",
    ("node/host.py", "libp2p"): "Network over libp2p",
    ("node/host.py", "multiaddr"): "libp2p's addresses",
    ("node/guards.py", "libp2p"): "what host.py needs of libp2p's insides",
    ("node/guards.py", "multiaddr"): "libp2p's addresses",
    ("node/identify.py", "libp2p"): "libp2p's identify message",
    ("node/links.py", "libp2p"): "names the protocol of a stream, as host.py does",
    ("node/relay/messages.py", "libp2p"): "libp2p's messages of relays, and signed envelopes",
    ("node/kad/messages.py", "libp2p"): "the messages of libp2p's Kademlia",
    ("node/__main__.py", "features"): "the composition root knows the rooms",
    ("node/__main__.py", "os.urandom"): "the composition root hands entropy out",
    ("node/ground.py", "time"): "the one clock, handed out from here",
    ("node/ground.py", "os.urandom"): "the one source of entropy, handed out from here",
}
FOREIGN_NAMES = {
    ("tests/crypto/test_ratchet_oracles.py", "_get_info"): "a method that doubleratchet calls",
    ("tests/crypto/test_ratchet_oracles.py", "_build_associated_data"): "a method that doubleratchet calls",
    ("tests/cli/test_export.py", "handle_data"): "a method that HTMLParser calls",
    ("node/workshop/pages.py", "handle_data"): "a method that HTMLParser calls",
}
EXAMPLES_IN_PAGES = (
    "docs/architecture.md:tests/features/test_polls.py",
)  # the room that is explained there is not built
MAY_IMPORT_BY_NAME = {
    "features/__init__.py": "loads the rooms that it names, so that the package itself stays light",
    "cli/options.py": "loads a sub-command when it is called: `weft --help` stays under 100 ms",
}
MAY_CATCH_EVERYTHING = {
    ("node/supervisor.py", "supervise"): "logs a crashed service and starts it again",
    ("node/supervisor.py", "attempt"): "a bug in one call of the local API ends that call alone",
    ("node/guards.py", "contain"): "an exception that escapes a libp2p handler ends libp2p's whole host",
    ("node/guards.py", "as_faults"): "libp2p fails with some forty kinds; each becomes Unavailable, none is swallowed",
    ("node/guards.py", "_unsealing.unseal"): "the Noise cipher's exceptions have no root; each becomes Forged",
}
THE_TWO_PLACES = {"node/supervisor.py", "node/guards.py"}  # where a bug ends: it is logged there, and nowhere else
TYPES_ONLY = {"trio_typing": ["trio"]}  # libp2p brings these stubs, which hide trio's own types from mypy
BROUGHT = {"google": ["libp2p"]}  # protobuf, the runtime of libp2p's own messages: its version is libp2p's affair
LIGHT = {
    "cli.__main__": (
        "trio",
        "libp2p",
        "peewee",
        "sqlcipher3",
        "nacl",
        "cryptography",
        "rich",
        "store",
        "node",
        "crypto",
    ),
    # `features.contacts.content` speaks of certificates, so it loads protocol/ and with it crypto/ and nacl
    "features.*.content": ("trio", "libp2p", "peewee", "sqlcipher3", "store", "node", "structlog"),
}


def excused(path: str) -> tuple[str, ...]:
    return tuple(module for file, module in EXCUSED_IMPORTS if file == path)


@cache
def needs(room: str) -> tuple[str, ...]:
    """The rooms that this room's feature.py declares in `needs=(...)`."""
    tree = trees().get(f"features/{room}/feature.py", ast.Module([], []))
    declared = (node.value for node in rules.walked(tree) if isinstance(node, ast.keyword) and node.arg == "needs")
    return tuple(name for value in declared for name in ast.literal_eval(value))


def forbidden(path: str, tree: ast.AST, excuses: tuple[str, ...]) -> list[str]:
    room = path.split("/")[1] if path.startswith("features/") else ""
    return [*rules.forbidden_imports(path, tree, needs(room), excuses), *rules.reaching_out(path, tree, excuses)]


def pages() -> dict[str, str]:
    files = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    return {file.relative_to(ROOT).as_posix(): file.read_text() for file in sorted(files)}


# --- the house -------------------------------------------------------------------------------------------------------


def test_each_floor_imports_what_it_may() -> None:
    assert [c for path, tree in trees().items() for c in forbidden(path, tree, excused(path))] == []


def test_no_excused_import_is_left_over() -> None:
    unused = [
        (path, module)
        for path, module in EXCUSED_IMPORTS
        if path not in trees()
        or forbidden(path, trees()[path], tuple(other for other in excused(path) if other != module)) == []
    ]
    assert unused == []


def test_imports_by_name_stand_where_they_may() -> None:
    found = [path for path, tree in product().items() if rules.hidden_imports(path, tree)]
    assert found == sorted(MAY_IMPORT_BY_NAME)


def test_files_and_functions_fit_a_screen() -> None:
    assert [c for path, tree in trees().items() for c in rules.oversized(path, sources.texts()[path], tree)] == []


def test_no_name_says_nothing() -> None:
    found = {(path, name): c for path, tree in trees().items() for c, name in rules.banned_names(path, tree)}
    assert [complaint for place, complaint in found.items() if place not in FOREIGN_NAMES] == []
    assert [place for place in FOREIGN_NAMES if place not in found] == []


def test_everything_is_caught_in_the_named_places_only() -> None:
    found = {(path, name): c for path, tree in product().items() for c, name in rules.broad_excepts(path, tree)}
    assert [complaint for place, complaint in found.items() if place not in MAY_CATCH_EVERYTHING] == []
    assert [place for place in MAY_CATCH_EVERYTHING if place not in found] == []
    assert {path for path, _ in MAY_CATCH_EVERYTHING} == THE_TWO_PLACES


def test_nothing_depends_on_the_order_of_a_set() -> None:
    assert [c for path, tree in product().items() for c in orders.unordered(path, tree)] == []


def test_a_fault_is_a_sentence() -> None:
    faults = rules.faults_of(product(), ("PeerFault", "UserFault", "Unavailable"))
    assert {"PeerFault", "UserFault", "Unavailable", "Forged"} <= set(faults)
    assert [f"{where}: {name}" for name, (where, text) in faults.items() if not rules.is_sentence(text)] == []


def test_every_file_of_the_product_says_what_it_is() -> None:
    assert [path for path, tree in product().items() if tree.body and ast.get_docstring(tree) is None] == []


def test_the_threats_name_tests_that_exist() -> None:
    text = pages().get(THREATS, "")
    assert "tests/" in text, f"{THREATS} names no test"
    assert rules.untested_rows(THREATS, text) == []
    assert [c for path, page in pages().items() for c in missing_tests(path, page)] == []


def missing_tests(path: str, page: str) -> list[str]:
    for example in EXAMPLES_IN_PAGES:
        page = page.replace(example.removeprefix(f"{path}:"), "")
    return rules.missing_tests(path, page, trees())


def test_folders_are_packages_with_names_of_their_own() -> None:
    homes = {file.rpartition("/")[0] for file in sources.texts()} - {""}
    assert sorted(home for home in homes if f"{home}/__init__.py" not in sources.texts()) == []
    assert sorted(home for home in homes if set(rules.FOREIGN_FOLDERS) & set(home.split("/"))) == []
    assert [
        path for path, text in sources.texts().items() if path.endswith("__init__.py") and path.count("/") > 1 and text
    ] == []


def test_no_folder_is_forgotten() -> None:
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    shipped = [folder for folder in sources.folders() if folder not in ("tests", "benchmarks")]
    assert [folder for folder in sources.folders() if folder not in rules.FLOORS] == []
    assert sorted(packaged["include"]) == sorted(["/weft.py", *(f"/{folder}" for folder in shipped)])
    assert packaged["sources"] == {folder: f"_weft/{folder}" for folder in shipped}


def test_dependencies_are_explained() -> None:
    rows = re.findall(r"^\| ([\w-]+) \|", pages()["docs/dependencies.md"], re.MULTILINE)
    assert sorted(_package(row) for row in rows if row != "package") == sorted(declared("run") + declared("dev"))


def test_imports_are_declared() -> None:
    packages = {**packages_distributions(), **TYPES_ONLY, **BROUGHT}
    undeclared = [
        f"{path} imports {name}"
        for path, tree in trees().items()
        for name in sorted({module.split(".")[0] for _, module in rules.imports_of(tree)} - rules.OURS)
        if name not in sys.stdlib_module_names
        if {_package(one) for one in packages.get(name, ())}.isdisjoint(allowed(path))
    ]
    assert undeclared == []


def allowed(path: str) -> list[str]:
    """The packages that a file may import. kyber-py, which makes the simulated world repeat, is for development."""
    folder = path.split("/")[0]
    return declared("run") if folder in rules.PRODUCT and folder != "lab" else declared("run") + declared("dev")


@cache
def declared(group: str) -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    lines = project["project"]["dependencies"] if group == "run" else project["dependency-groups"][group]
    return [_package(line) for line in lines]


def _package(line: str) -> str:
    """The name of a package as registries compare it, at the start of a requirement."""
    name = re.match(r"[\w.-]+", line)
    assert name is not None
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def test_who_verifies_a_payment_reads_little_and_needs_nothing_of_weft() -> None:
    text = (ROOT / VERIFIER).read_text()
    needed = {module.split(".")[0] for _, module in rules.imports_of(ast.parse(text))}
    assert needed - sys.stdlib_module_names == {"cbor2", "nacl"}
    assert text.count("\n") <= VERIFIER_LINES_MAX
    assert [file.relative_to(ROOT).as_posix() for file in (ROOT / "docs").rglob("*.py")] == [VERIFIER]


@pytest.mark.parametrize("modules", sorted(LIGHT))
def test_doors_stay_light(modules: str) -> None:
    found = sorted(
        path.removesuffix(".py").replace("/", ".") for path in sources.texts() if Path(path).match(_pattern(modules))
    )
    script = f"import json, sys; {'; '.join(f'import {name}' for name in found)}; print(json.dumps(list(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found
    assert sorted(set(json.loads(ran.stdout)) & set(LIGHT[modules])) == []


def _pattern(modules: str) -> str:
    return modules.replace(".", "/") + ".py"


# --- bad samples: each rule can fail ------------------------------------------------------------------------------

SERVICE = "features/polls/service.py"
BAD_IMPORTS = [
    ("crypto/keys.py", "from protocol import wire"),
    ("crypto/keys.py", "import time"),
    ("crypto/keys.py", "from os import urandom"),
    ("crypto/keys.py", "import os\nos.urandom(3)"),
    ("crypto/keys.py", "from nacl import utils"),
    ("crypto/keys.py", "import cbor2"),
    ("protocol/talk.py", "import trio"),
    ("protocol/talk.py", "def f() -> None:\n    import random"),
    ("protocol/talk.py", "open('x')"),
    ("ledger/book.py", "from store import people"),
    ("store/people.py", "import trio"),
    ("store/people.py", "from node import frames"),
    ("store/people.py", "import libp2p.abc"),
    ("node/delivery.py", "from libp2p.abc import IHost"),
    ("node/delivery.py", "import features"),
    ("node/delivery.py", "from features.chat import view"),
    ("node/delivery.py", "import time"),
    ("node/delivery.py", "import peewee"),
    ("features/polls/content.py", "from store import people"),
    ("features/polls/content.py", "from features.polls import view"),
    ("features/polls/content.py", "from features.chat.content import Text"),
    ("features/polls/view.py", "from node.core import Core"),
    ("features/polls/view.py", "from features.polls.service import Polls"),
    ("features/polls/view.py", "import trio"),
    (SERVICE, "import peewee"),
    (SERVICE, "import libp2p"),
    (SERVICE, "from features.chat import view"),
    ("cli/show.py", "from store import people"),
    ("cli/show.py", "from crypto import keys"),
    ("cli/show.py", "def f() -> None:\n    import trio"),
    ("cli/show.py", "from features.chat.view import Line"),
    ("cli/show.py", "from features.chat import service"),
    ("lab/world.py", "from cli import client"),
    ("weft.py", "from store import people"),
    ("node/core.py", "from .network import Address"),
]


@pytest.mark.parametrize(("path", "source"), BAD_IMPORTS)
def test_a_bad_import_is_seen(path: str, source: str) -> None:
    tree = ast.parse(source)
    assert rules.forbidden_imports(path, tree, needs=("contacts",)) + rules.reaching_out(path, tree)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("cli/show.py", "from features.chat.content import Text"),
        ("cli/show.py", "from protocol import ids"),
        (SERVICE, "from features.contacts import view"),
        (SERVICE, "from features.polls import view\nfrom node.core import Core\nimport trio"),
        ("store/people.py", "import peewee"),
        ("node/core.py", "from store.database import Tx"),
        ("features/polls/view.py", "from features.polls import content\nfrom features.polls.content import Poll"),
    ],
)
def test_a_good_import_passes(path: str, source: str) -> None:
    assert rules.forbidden_imports(path, ast.parse(source), needs=("contacts",)) == []


@pytest.mark.parametrize("source", ["import_module('node')", "importlib.import_module(name)", "__import__('trio')"])
def test_an_import_by_name_is_seen(source: str) -> None:
    assert rules.hidden_imports("node/core.py", ast.parse(source))


def test_a_long_file_and_a_long_function_are_seen() -> None:
    function = "def f() -> None:\n" + "    pass\n" * 70
    assert rules.oversized("node/core.py", function, ast.parse(function)) == [
        "node/core.py:1: f has 71 lines, more than 70"
    ]
    assert rules.oversized("node/core.py", "\n" * 401, ast.parse(""))
    assert rules.oversized("tests/test_x.py", "\n" * 500, ast.parse("")) == []
    assert rules.oversized("tests/test_x.py", "\n" * 501, ast.parse(""))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("node/utils.py", ""),
        ("node/peer_handler.py", ""),
        ("common/peers.py", ""),
        ("node/core.py", "class PeerManager: ..."),
        ("node/core.py", "class RPCHandler: ..."),
        ("node/core.py", "async def process(x: int) -> None: ..."),
        ("node/core.py", "class Peer:\n    def get_info(self) -> None: ..."),
    ],
)
def test_a_banned_name_is_seen(path: str, source: str) -> None:
    assert rules.banned_names(path, ast.parse(source))


def test_a_name_that_only_contains_banned_letters_passes() -> None:
    source = "def document(process: int, data: bytes) -> None: ...\nclass Database: ...\ndef processed() -> None: ..."
    assert rules.banned_names("store/database.py", ast.parse(source)) == []


@pytest.mark.parametrize(
    "caught",
    ["except Exception:", "except:", "except BaseException:", "except (ValueError, Exception):", "except* Exception:"],
)
def test_a_broad_except_is_seen(caught: str) -> None:
    source = (
        f"class Door:\n    def open(self) -> None:\n        try:\n            pass\n        {caught}\n            pass"
    )
    assert [name for _, name in rules.broad_excepts("node/rpc.py", ast.parse(source))] == ["Door.open"]
    assert rules.broad_excepts("node/rpc.py", ast.parse("with suppress(Exception): pass"))
    assert (
        rules.broad_excepts("node/rpc.py", ast.parse(source.removesuffix("pass") + "close()\n            raise")) == []
    )


@pytest.mark.parametrize(
    "source",
    [
        "for x in {1, 2}: pass",
        "for x in set(y): pass",
        "[x for x in frozenset(y)]",
        "list({x for x in y})",
        "wanted = set(y)\nfor x in wanted: pass",
        "def f(wanted: set[bytes]) -> None:\n    return tuple(wanted)",
        "class A:\n    peers: set[bytes]\n    def f(self) -> None:\n        for peer in self.peers: ...",
        "wanted = set(y)\ntuple(x for x in wanted - {1})",
        "b''.join(set(y))",
        "f(*{1, 2})",
        "wanted = set(y)\nwanted.pop()",
        "wanted = set(y)\ndef f() -> None:\n    for x in wanted: ...",
        "sorted(y, key=id)",
        "sorted(y, key=lambda x: hash(x))",
    ],
)
def test_an_order_that_changes_from_run_to_run_is_seen(source: str) -> None:
    assert orders.unordered("node/core.py", ast.parse(source))


@pytest.mark.parametrize(
    "source",
    [
        "for x in sorted({1, 2}): pass",
        "for x in (1, 2): pass",
        "wanted = set(y)\nassert x in wanted",
        "sorted(x for x in set(y))",
        "wanted = frozenset(x for x in y)\nlen(wanted)",
        "wanted = {1: 2}\nfor x in wanted: pass",
        "wanted = set(y)\ndef f(wanted: list[int]) -> None:\n    for x in wanted: ...",
    ],
)
def test_a_set_that_is_only_asked_passes(source: str) -> None:
    assert orders.unordered("node/core.py", ast.parse(source)) == []


def test_a_fault_without_a_sentence_is_seen() -> None:
    source = "class Forged(PeerFault):\n    'forged'\nclass Late(Forged): ...\nclass Good(Late):\n    'It is late.'"
    faults = rules.faults_of({"crypto/faults.py": ast.parse(source)}, ("PeerFault",))
    assert [name for name, (_, text) in faults.items() if not rules.is_sentence(text)] == ["Forged", "Late"]


def test_a_threat_without_its_test_is_seen() -> None:
    known = {"tests/test_x.py": ast.parse("def test_y() -> None: ...")}
    assert rules.missing_tests("t.md", "`tests/test_x.py::test_y` and `tests/test_x.py`", known) == []
    assert rules.missing_tests("t.md", "`tests/test_x.py::test_z`", known)
    assert rules.missing_tests("t.md", "tests/test_q.py", known)
    assert rules.untested_rows("t.md", "| who | cannot |\n|---|---|\n| reads | `tests/test_x.py` |\n") == []
    assert rules.untested_rows("t.md", "| who | cannot |\n|---|---|\n| reads | all |\n") == [
        "t.md:3: a row that names no test"
    ]
