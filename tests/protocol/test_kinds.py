"""The table of kinds: the page is the code's, numbers are unique in their place, rooms keep to their ranges."""

import pytest

from protocol import content, kinds
from tests.protocol import golden, samples

PLACES = samples.places()


def test_the_page_is_written_from_the_code() -> None:
    # When it fails: `python -m tests.protocol.golden`, and read what it changed.
    assert golden.KINDS_PAGE.read_text() == kinds.table(samples.contents(), samples.terms())


@pytest.mark.parametrize("place", PLACES)
def test_no_two_kinds_of_a_place_have_one_number(place: str) -> None:
    numbers = [cls.KIND for cls in PLACES[place]]  # type: ignore[attr-defined]
    assert len(set(numbers)) == len(numbers)
    assert len({cls.__name__ for cls in PLACES[place]}) == len(numbers)


def test_structures_and_contents_stay_in_their_ranges() -> None:
    for cls in PLACES["Structures"]:
        assert 10 <= cls.KIND < content.KIND_MIN  # type: ignore[attr-defined]
    for cls, room in samples.rooms().items():
        assert cls.KIND in kinds.ROOMS.get(room, range(400, content.KIND_MAX + 1))  # type: ignore[attr-defined]
    for cls in PLACES["Terms of ledgers"]:
        assert cls.KIND in kinds.ROOMS["ledger"]  # type: ignore[attr-defined]
    content.Kinds((*PLACES["Contents"], *PLACES["Contents of the node"], *PLACES["Terms of ledgers"]))


def test_ranges_of_rooms_do_not_meet() -> None:
    taken = [kind for owned in kinds.ROOMS.values() for kind in owned]
    assert len(set(taken)) == len(taken)
    assert min(taken) == content.KIND_MIN
