"""Making an identity: one program at a time, and what fails leaves nothing."""

import os
from pathlib import Path

import pytest

from crypto import vault
from node import making, profile
from node.profile import Profile


def made_in(place: Profile) -> None:
    profile.create(place, b"secret", os.urandom, vault.FLOOR, profile.RESTORE)
    (place.root / "weft.db").write_bytes(b"a chat")
    (place.root / "weft.db-wal").write_bytes(b"more of it")


def files(place: Profile) -> set[str]:
    return {one.name for one in place.root.iterdir() if one.is_file()}


def test_what_is_made_is_finished_at_the_end(tmp_path: Path) -> None:
    place = Profile("ana", tmp_path / "ana")
    assert making.interrupted(place) == ""
    with making.making(place):
        made_in(place)
        assert making.interrupted(place) == "weft backup restore FILE"
        assert not profile.exists(place)
    assert profile.exists(place)
    assert making.interrupted(place) == ""
    assert profile.unlock(place, b"secret")
    with pytest.raises(profile.IdentityExists), making.making(place):
        raise AssertionError


@pytest.mark.parametrize("fault", [OSError, KeyboardInterrupt, profile.LittleMemory])
def test_what_fails_leaves_nothing_of_the_identity(tmp_path: Path, fault: type[BaseException]) -> None:
    place = Profile("ana", tmp_path / "ana")

    def fail() -> None:
        with making.making(place):
            made_in(place)
            raise fault

    with pytest.raises(fault):
        fail()
    assert files(place) == set()
    assert making.interrupted(place) == ""


def test_a_second_program_makes_nothing_and_spoils_nothing(tmp_path: Path) -> None:
    place = Profile("ana", tmp_path / "ana")
    with making.making(place):
        made_in(place)
        before = place.vault.read_bytes()
        with pytest.raises(making.BeingMade), making.making(place):
            made_in(place)
        assert place.vault.read_bytes() == before
        assert (place.root / "weft.db").exists()
    assert profile.unlock(place, b"secret")


def test_a_key_that_a_kill_left_half_written_goes_with_the_next_one(tmp_path: Path) -> None:
    place = Profile("ana", tmp_path / "ana")
    place.root.mkdir()
    (place.root / ".new-abcdefgh").write_bytes(b"k" * 32)
    (place.root / "unfinished").touch()
    with making.making(place):
        made_in(place)
    assert files(place) == {"vault", "weft.db", "weft.db-wal"}


@pytest.mark.parametrize("name", ["keeper.db", "keeper.key"])
def test_where_a_keeper_node_lives_no_identity_is_made_and_nothing_is_touched(tmp_path: Path, name: str) -> None:
    place = Profile("p", tmp_path / "p")
    place.root.mkdir()
    (place.root / name).write_bytes(b"what lies there for somebody")
    with pytest.raises(making.KeeperLivesHere), making.making(place):
        made_in(place)
    assert files(place) == {name}
    assert (place.root / name).read_bytes() == b"what lies there for somebody"


def test_what_is_not_of_an_identity_stays_when_one_is_made_anew(tmp_path: Path) -> None:
    place = Profile("p", tmp_path / "p")
    place.root.mkdir()
    (place.root / "photos.db").write_bytes(b"somebody's")
    with making.making(place):
        made_in(place)
    assert (place.root / "photos.db").read_bytes() == b"somebody's"
