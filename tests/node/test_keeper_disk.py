"""The spare file of a keeper of one's own, without a disk that is full: that is in stories/test_keeper_full.py."""

from pathlib import Path

from node import keeper_disk, keeper_files
from node.profile import Profile


def test_a_spare_file_that_was_not_finished_takes_no_room_after_a_start(tmp_path: Path) -> None:
    place = Profile("cellar", tmp_path)
    spare = keeper_files.spare(place)
    keeper_disk._make(spare)
    assert [one.name for one in tmp_path.iterdir()] == [spare.name]
    spare.rename(tmp_path / "keeper.spare.new")  # killed while it was made
    keeper_disk.ready(place)
    assert list(tmp_path.iterdir()) == []
