"""The directory of an identity: made, locked, opened, and left whole by whatever goes wrong."""

import os
import resource
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cli import places
from crypto import vault
from node import profile

COST = vault.FLOOR


def _profile(tmp_path: Path, name: str = "ana") -> profile.Profile:
    return profile.named(name, {"WEFT_HOME": str(tmp_path / "home")})


def _made(tmp_path: Path, passphrase: bytes = b"") -> tuple[profile.Profile, bytes]:
    place = _profile(tmp_path)
    key = profile.create(place, passphrase, os.urandom, COST)
    profile.finish(place)
    return place, key


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_file_opens_without_a_passphrase_and_only_the_owner_reads_it(tmp_path: Path) -> None:
    place, key = _made(tmp_path)
    assert profile.unlock(place, b"") == key
    assert (_mode(place.root), _mode(place.key), _mode(place.vault)) == (0o700, 0o600, 0o600)
    assert key not in place.vault.read_bytes() + place.key.read_bytes()


def test_a_passphrase_opens_and_a_wrong_one_changes_nothing(tmp_path: Path) -> None:
    place, key = _made(tmp_path, b"correct horse")
    before = place.vault.read_bytes()
    assert not place.key.exists()
    for wrong in (b"", b"correct hors", b"correct horse "):
        with pytest.raises(profile.WrongPassphrase) as caught:
            profile.unlock(place, wrong)
        assert caught.value.exit == 4
    assert place.vault.read_bytes() == before
    assert profile.unlock(place, b"correct horse") == key


def test_an_identity_is_never_overwritten(tmp_path: Path) -> None:
    place, key = _made(tmp_path)
    with pytest.raises(profile.IdentityExists):
        profile.create(place, b"", os.urandom, COST)
    assert profile.unlock(place, b"") == key


def test_an_identity_that_was_never_finished_is_made_anew(tmp_path: Path) -> None:
    place = _profile(tmp_path)
    profile.create(place, b"one", os.urandom, COST)
    place.database.write_bytes(b"half")
    assert not profile.exists(place)
    with pytest.raises(profile.NoIdentity):
        profile.unlock(place, b"one")
    key = profile.create(place, b"", os.urandom, COST)
    profile.finish(place)
    assert not place.database.exists()
    assert profile.unlock(place, b"") == key


@pytest.mark.parametrize("name", ["vault", "key"])
@pytest.mark.parametrize("content", [b"", b"x", bytes(32), b"x" * 10_000, None])
def test_a_damaged_file_is_told_so(tmp_path: Path, name: str, content: bytes | None) -> None:
    place, _ = _made(tmp_path)
    path = place.root / name
    if content is None:
        path.unlink()
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises((profile.ProfileDamaged, profile.WrongPassphrase)):
        profile.unlock(place, b"")


def test_nothing_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(profile.NoIdentity) as caught:
        profile.unlock(_profile(tmp_path), b"")
    assert (caught.value.exit, caught.value.next) == (3, "weft init")
    with pytest.raises(profile.NoIdentity), profile.locked(_profile(tmp_path)):
        raise AssertionError


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-a", "a.b", "ä", "a" * 33, "a\n"])
def test_a_name_that_is_no_directory_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(profile.BadProfileName):
        _profile(tmp_path, name)


def test_doors_and_nodes_look_in_the_same_places(tmp_path: Path) -> None:
    for environ in ({"WEFT_HOME": str(tmp_path)}, {"WEFT_HOME": "~/weft"}, {}):
        assert places.home(environ) == profile.home(environ)
        place = profile.named("ana", environ)
        assert places.profile_directory(environ, "ana") == place.root
        assert places.socket_path(place.root) == place.run / "rpc.sock"
    place = _profile(tmp_path)
    assert not places.has_identity(place.root)
    profile.create(place, b"", os.urandom, COST)
    assert not places.has_identity(place.root)
    profile.finish(place)
    assert places.has_identity(place.root)
    assert places.has_key_file(place.root)


@pytest.mark.process
def test_a_second_node_is_refused_with_the_pid_of_the_first(tmp_path: Path) -> None:
    place, _ = _made(tmp_path)
    program = (
        "import sys\nfrom pathlib import Path\nfrom node import profile\n"
        "with profile.locked(profile.Profile('ana', Path(sys.argv[1]))):\n"
        "    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(place.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(profile.NodeRuns, match=f"pid {other.pid}"), profile.locked(place):
            raise AssertionError
        other.kill()  # the system frees the lock, whatever the node did last
    with profile.locked(place):
        assert (place.run / "pid").read_text() == f"{os.getpid()}\n"
    assert not (place.run / "pid").exists()


def test_what_a_killed_node_left_is_removed(tmp_path: Path) -> None:
    place, _ = _made(tmp_path)
    with profile.locked(place):
        path = profile.socket_path(place)
        assert path == place.run / "rpc.sock"
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    with profile.locked(place):
        assert not path.exists()
    assert _mode(place.run) == 0o700


def test_a_path_too_long_for_a_socket_gets_a_short_one(tmp_path: Path) -> None:
    deep = tmp_path / ("x" * 60) / ("y" * 60)
    place = profile.named("ana", {"WEFT_HOME": str(deep)})
    profile.create(place, b"", os.urandom, COST)
    profile.finish(place)
    with profile.locked(place):
        path = profile.socket_path(place)
        assert len(str(path)) <= profile.SOCKET_PATH_BYTES_MAX
        assert _mode(path.parent) == 0o700
        assert places.socket_path(place.root) == path
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(path))
    assert not path.parent.exists()
    assert places.socket_path(place.root) == place.run / "rpc.sock"


def test_no_core_dumps() -> None:
    profile.forbid_core_dumps()
    assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)
