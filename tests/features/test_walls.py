"""What the machine of walls has found, each by itself, and on the walls that keys alone make too."""

from collections.abc import Callable, Iterator

import pytest

from tests.features.wall import To, Wall, like_of
from tests.features.wall_kit import Rooms
from tests.features.wall_sealed import Sealed

DAY_S = 86_400
ALL = To(is_all=True)


@pytest.fixture(params=[Rooms, Sealed])
def wall(request: pytest.FixtureRequest) -> Iterator[Wall]:
    make: Callable[[int], Wall] = request.param
    made = make(1)
    yield made
    made.close()


def meet(wall: Wall, *pairs: tuple[str, str]) -> None:
    for one, other in pairs:
        wall.befriend(one, other)
    wall.settle()


def test_a_comment_stays_below_our_post_when_who_wrote_it_hides_his_moments_from_us(wall: Wall) -> None:
    meet(wall, ("ana", "bo"))
    wall.post("ana", "p1", ALL)
    wall.settle()
    wall.comment("bo", "p1", "c1")
    wall.like("bo", "p1")
    wall.settle()
    wall.rule("bo", "ana", "mine", True)
    wall.settle()
    assert wall.visible_answers("ana", "p1") == {"c1", like_of("p1", "bo")}
    wall.rule("bo", "ana", "mine", False)
    wall.settle()
    assert wall.visible_answers("ana", "p1") == {"c1", like_of("p1", "bo")}


def test_who_joined_while_less_was_shown_sees_the_rest_once_the_window_is_wider(wall: Wall) -> None:
    meet(wall, ("ana", "bo"))
    wall.post("ana", "p1", ALL)
    wall.settle()
    wall.wait(5 * DAY_S)
    wall.post("ana", "p2", ALL)
    wall.settle()
    wall.window("ana", 3 * DAY_S)
    meet(wall, ("ana", "cy"))
    assert wall.visible("cy") == wall.visible("bo") == {"p2": ""}
    wall.window("ana", 30 * DAY_S)
    wall.settle()
    assert wall.visible("cy") == wall.visible("bo") == {"p1": "", "p2": ""}
    wall.window("ana", 3 * DAY_S)
    wall.settle()
    assert wall.visible("cy") == wall.visible("bo") == {"p2": ""}
    wall.window("ana", 0)
    wall.settle()
    assert wall.visible("cy") == wall.visible("bo") == {"p1": "", "p2": ""}


def test_who_is_set_to_chats_only_is_not_read_below_the_moments_of_others_either(wall: Wall) -> None:
    meet(wall, ("ana", "bo"), ("ana", "cy"), ("bo", "cy"))
    wall.post("ana", "p1", ALL)
    wall.settle()
    wall.comment("bo", "p1", "c1")
    wall.like("bo", "p1")
    wall.settle()
    assert wall.visible_answers("cy", "p1") == {"c1", like_of("p1", "bo")}
    wall.rule("cy", "bo", "chats_only", True)
    wall.settle()
    assert wall.visible_answers("cy", "p1") == set()
    wall.rule("cy", "bo", "chats_only", False)
    wall.settle()
    assert wall.visible_answers("cy", "p1") == {"c1", like_of("p1", "bo")}


def test_who_joins_when_nobody_was_left_to_read_a_feed_sees_what_was_before(wall: Wall) -> None:
    meet(wall, ("ana", "bo"))
    wall.post("ana", "p1", ALL)
    wall.settle()
    wall.rule("ana", "bo", "mine", True)
    wall.settle()
    assert wall.visible("bo") == {}
    meet(wall, ("ana", "cy"))
    assert wall.visible("cy") == {"p1": ""}
    wall.rule("ana", "bo", "mine", False)
    wall.settle()
    assert wall.visible("bo") == {"p1": ""}


def test_our_own_words_are_below_a_post_that_is_shown_to_us_again(wall: Wall) -> None:
    meet(wall, ("ana", "bo"), ("ana", "cy"), ("bo", "cy"))
    wall.post("ana", "p1", ALL)
    wall.settle()
    wall.comment("bo", "p1", "c1")
    wall.comment("cy", "p1", "c2")
    wall.settle()
    wall.rule("ana", "bo", "mine", True)
    wall.settle()
    assert wall.visible("bo") == {}
    assert wall.visible_answers("cy", "p1") == {"c1", "c2"}
    wall.rule("ana", "bo", "mine", False)
    wall.settle()
    assert wall.visible_answers("bo", "p1") == {"c1", "c2"}


def test_who_came_into_a_tag_since_sees_neither_the_post_nor_its_new_words(wall: Wall) -> None:
    meet(wall, ("ana", "bo"), ("ana", "cy"))
    wall.tag("ana", "#work", "bo")
    wall.post("ana", "p1", To(False, ("#work",)))
    wall.settle()
    wall.tag("ana", "#work", "cy")
    wall.edit("ana", "p1", "anew")
    wall.post("ana", "p2", To(False, ("#work",)))
    wall.settle()
    assert wall.visible("bo") == {"p1": "anew", "p2": ""}
    assert wall.visible("cy") == {"p2": ""}


def test_a_post_that_was_changed_twice_before_anybody_heard_keeps_what_is_below_it(wall: Wall) -> None:
    """The first new words are gone before they come: the old ones are dropped, then comes how it reads now."""
    meet(wall, ("ana", "bo"), ("ana", "cy"), ("bo", "cy"))
    wall.post("ana", "p1", ALL)
    wall.settle()
    wall.like("bo", "p1")
    wall.like("ana", "p1")
    wall.comment("cy", "p1", "c1")
    wall.comment("bo", "p1", "c2")
    wall.settle()
    wall.hide("ana", "p1", "c2")
    wall.settle()
    for words in ("three", "four"):
        wall.edit("ana", "p1", "not this")
        wall.edit("ana", "p1", words)
        wall.settle()
        for one in ("ana", "bo", "cy"):
            assert wall.visible(one) == {"p1": words}
            hidden = {"c2"} if one == "ana" else set()
            assert wall.visible_answers(one, "p1") == {like_of("p1", "bo"), like_of("p1", "ana"), "c1"} | hidden


def test_who_deletes_a_post_takes_nothing_back_that_he_said_below_one_he_was_shown_once(wall: Wall) -> None:
    meet(wall, ("ana", "bo"), ("ana", "cy"), ("bo", "cy"))
    wall.post("ana", "p1", ALL)
    wall.settle()
    wall.comment("bo", "p1", "c1")
    wall.settle()
    wall.rule("ana", "bo", "mine", True)
    wall.settle()
    wall.post("bo", "p2", ALL)
    wall.settle()
    wall.delete("bo", "p2")
    wall.settle()
    for one in ("ana", "cy"):
        assert wall.visible_answers(one, "p1") == {"c1"}


def test_who_comes_later_is_not_shown_what_is_older_than_the_window_of_who_answered(wall: Wall) -> None:
    meet(wall, ("ana", "bo"), ("ana", "ed"), ("ana", "cy"), ("cy", "ed"))
    wall.window("ed", 3 * DAY_S)
    wall.post("ana", "p1", ALL)
    wall.settle()
    wall.like("ed", "p1")
    wall.settle()
    wall.wait(20 * DAY_S)
    meet(wall, ("bo", "ed"))
    assert [wall.visible(one) for one in ("bo", "cy")] == [{"p1": ""}] * 2
    assert wall.visible_answers("bo", "p1") == set()
    assert wall.visible_answers("cy", "p1") == {like_of("p1", "ed")}  # had it in time
