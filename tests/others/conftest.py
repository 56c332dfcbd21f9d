"""What the tests with other people's programs need."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.others import js_peer

NODE_VERSION_MIN = 20


def node_version() -> int:
    """The first number of Node's version: "v20.20.2" is 20."""
    said = subprocess.run(["node", "--version"], capture_output=True, check=True, text=True).stdout
    return int(said.removeprefix("v").partition(".")[0])


@pytest.fixture(scope="session")
def packages() -> Path:
    """js-libp2p's packages; where there is no Node or nobody to fetch them from, the tests are skipped."""
    if shutil.which("node") is None or shutil.which("npm") is None or node_version() < NODE_VERSION_MIN:
        pytest.skip(f"runs js-libp2p: Node {NODE_VERSION_MIN} or newer and npm")
    try:
        return js_peer.modules()
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"runs js-libp2p, which npm cannot fetch here: {error}")
