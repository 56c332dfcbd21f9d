"""The wheel: it carries every folder of the product and nothing else, inside _weft/, and `weft` works from it alone."""

import json
import os
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

from benchmarks import profiles
from tests import rules

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parent.parent
PIP_S = 120.0


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built by pip without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that has the wheel and nothing else; its dependencies come from this environment."""
    folder = tmp_path_factory.mktemp("installed")
    _pip("install", "--no-deps", "--target", str(folder), str(wheel))
    return folder


def test_the_wheel_has_every_file_of_the_product_and_no_other(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
    carried = {name for name in names if ".dist-info/" not in name}
    about = {name.split(".dist-info/")[1] for name in names if ".dist-info/" in name}
    files = [file for folder in rules.PRODUCT for file in (ROOT / folder).rglob("*") if file.is_file()]
    wanted = {f"_weft/{file.relative_to(ROOT).as_posix()}" for file in files if "__pycache__" not in file.parts}
    assert carried == {"weft.py", *wanted}
    assert {"METADATA", "entry_points.txt", "licenses/LICENSE"} <= about


@pytest.mark.parametrize(
    ("words", "package"), [(["--help"], "cli"), (["_node", "nothing"], "node"), (["_workshop"], "node")]
)
def test_door_and_node_of_the_wheel_take_their_code_from_it(
    words: list[str], package: str, installed: Path, tmp_path: Path
) -> None:
    script = (
        f"import sys, weft\nsys.argv = {['weft', *words]!r}\n"
        f"try:\n    weft.main()\nexcept SystemExit:\n    import {package}\n    print({package}.__file__)"
    )
    ran = _run([sys.executable, "-c", script], installed, tmp_path)
    assert ran.splitlines()[-1] == str(installed / "_weft" / package / "__init__.py")


def test_two_nodes_of_the_wheel_meet_and_talk(installed: Path) -> None:
    with profiles.home() as home:
        there = profiles.place(home, (str(installed / "bin" / "weft"),), PYTHONPATH=str(installed))
        with profiles.running(there, "ana", "bo"):
            profiles.befriend(there, "ana", "bo")
            said = profiles.call(there, "ana", "send", "bo", "from a wheel", "--wait", "delivered", "30")
            came = profiles.call(there, "bo", "inbox")["messages"]
    assert said["state"] == "delivered"
    assert [message["text"] for message in came].count("from a wheel") == 1


def _pip(*words: str) -> None:
    _run([sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "--no-input", *words], ROOT, ROOT)


def _run(command: list[str], code: Path, folder: Path) -> str:
    """What the command prints, run in this folder with `code` first on Python's path; it must end well."""
    environment = {**os.environ, "PYTHONPATH": str(code)}
    ran = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=PIP_S, check=False
    )
    assert ran.returncode == 0, json.dumps({"command": command, "out": ran.stdout, "error": ran.stderr})
    return ran.stdout
