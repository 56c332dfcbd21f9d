"""What is written on contacts: what can be a tag, also where it comes from a file."""

import pytest

from store import remarks
from store.remarks import Marks


@pytest.mark.parametrize(
    ("tags", "is_good"),
    [
        (("climbing", "family"), True),
        (("old friends", "C#"), False),  # not in the order of their folded forms
        (("c#",), True),
        (("a,b",), False),
        (("#family",), False),
        ((" family",), False),
        (("x" * 33,), False),
        (("two\nlines",), False),
    ],
)
def test_a_backup_holds_no_tag_that_nobody_could_have_written(tags: tuple[str, ...], is_good: bool) -> None:
    assert remarks.is_good(Marks("", tags)) == is_good
