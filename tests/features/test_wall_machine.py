"""Moments in any order of posts, answers, rules, tags, windows, blocks and time, against WeChat's rules (invariant 14).

What is done comes to the others now and then: before somebody does something about what he sees, and before everybody's
wall is compared with the model.
"""

from collections.abc import Collection
from itertools import combinations
from typing import Any, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests import depth
from tests.features.wall import PEOPLE, TAGS, To, Wall, like_of
from tests.features.wall_kit import Rooms
from tests.features.wall_model import Answer, Model, Post
from tests.features.wall_sealed import Sealed

DAY_S = 86_400
WINDOWS = (0, 3 * DAY_S, 30 * DAY_S)
RULES = ("chats_only", "mine", "theirs")
who = st.sampled_from(PEOPLE)
tags, picked = st.sampled_from(TAGS), st.integers(0, 1 << 20)
T = TypeVar("T", bound=Any)
pairs = st.sampled_from(list(combinations(PEOPLE, 2)))


class Walls(RuleBasedStateMachine):
    """Five people."""

    def make(self, seed: int) -> Wall:
        return Sealed(seed)

    @initialize(met=st.sets(pairs, min_size=5), seed=st.integers(0, 1 << 16))
    def begin(self, met: set[tuple[str, str]], seed: int) -> None:
        self.wall, self.model = self.make(seed), Model()
        self.tags: set[tuple[str, str, str]] = set()
        self.words: dict[str, str] = {}
        self.authors: dict[str, str] = {}
        self.said_s: dict[str, int] = {}
        self.count = 0
        for one, other in sorted(met):
            self.befriend((one, other))

    # --- people

    @rule(pair=pairs)
    def befriend(self, pair: tuple[str, str]) -> None:
        if frozenset(pair) not in self.model.met:
            self.wall.befriend(*pair)
            self.model.met.add(frozenset(pair))

    @rule(at=picked)
    def block(self, at: int) -> None:
        self.look()  # what is on its way between the two would not come any more
        one, other = self._two(at)
        if (one, other) not in self.model.blocked:
            self.wall.block(one, other)
            self.model.blocked.add((one, other))

    @precondition(lambda self: self.model.blocked)
    @rule(at=picked)
    def unblock(self, at: int) -> None:
        one, other = pick(self.model.blocked, at)
        self.wall.unblock(one, other)
        self.model.blocked.discard((one, other))

    @rule(at=picked, tag=tags)
    def tag(self, at: int, tag: str) -> None:
        one, other = self._two(at)
        if (one, tag, other) not in self.tags:
            self.wall.tag(one, tag, other)
            self.tags.add((one, tag, other))

    @precondition(lambda self: self.tags)
    @rule(at=picked)
    def untag(self, at: int) -> None:
        one = pick(self.tags, at)
        self.wall.untag(*one)
        self.tags.discard(one)

    @rule(at=picked, what=st.sampled_from(RULES))
    def bar(self, at: int, what: str) -> None:
        one, other = self._two(at)
        if (one, other) not in self.model.blocked:
            self.wall.rule(one, other, what, True)
            self.model.barred.add((what, one, other))

    @precondition(lambda self: self.model.barred)
    @rule(at=picked)
    def unbar(self, at: int) -> None:
        what, one, other = pick(self.model.barred, at)
        self.wall.rule(one, other, what, False)
        self.model.barred.discard((what, one, other))

    @rule(one=who, seconds=st.sampled_from(WINDOWS))
    def window(self, one: str, seconds: int) -> None:
        self.wall.window(one, seconds)
        self.model.windows[one] = seconds

    @rule(seconds=st.sampled_from((3600, 2 * DAY_S, 20 * DAY_S)))
    def wait(self, seconds: int) -> None:
        self.wall.wait(seconds)
        self.model.now_s += seconds

    # --- moments

    @rule(one=who)
    def post_to_all(self, one: str) -> None:
        self._post(one, To(is_all=True))

    @rule(one=who)
    def post_to_nobody(self, one: str) -> None:
        self._post(one, To(is_all=False))

    @rule(one=who, which=picked, is_all=st.booleans())
    def post_to_some(self, one: str, which: int, is_all: bool) -> None:
        names = [name for name in (*PEOPLE, *TAGS) if self._meant(one, name)]
        named = tuple(name for place, name in enumerate(names) if which >> place & 1)
        if named:
            self._post(one, To(is_all, named))

    @precondition(lambda self: self.tags)
    @rule(at=picked)
    def post_to_a_tag(self, at: int) -> None:
        one, tag, _ = pick(self.tags, at)
        self._post(one, To(False, (tag,)))

    @precondition(lambda self: self.model.posts)
    @rule(at=picked, seat=picked)
    def comment(self, at: int, seat: int) -> None:
        self.look()
        post = pick(self.model.posts, at)
        one = pick([each for each in PEOPLE if self.model.sees(each, post)], seat)
        label = self._label("c")
        self.wall.comment(one, post, label)
        self.model.answers[label] = Answer(one, post)
        self.authors[label], self.said_s[label] = one, self.model.now_s

    @precondition(lambda self: self.model.posts)
    @rule(at=picked, seat=picked)
    def like(self, at: int, seat: int) -> None:
        self.look()
        post = pick(self.model.posts, at)
        one = pick([each for each in PEOPLE if self.model.sees(each, post)], seat)
        label = like_of(post, one)
        if label in self.model.answers:
            self.wall.unlike(one, post)
            del self.model.answers[label]
        else:
            self.wall.like(one, post)
            self.model.answers[label] = Answer(one, post)
            self.authors[label], self.said_s[label] = one, self.model.now_s

    @precondition(lambda self: self._comments())
    @rule(at=picked)
    def hide(self, at: int) -> None:
        self.look()
        label = pick(self._comments(), at)
        post = self.model.answers[label].post
        self.wall.hide(self.model.posts[post].author, post, label)
        self.model.hidden.add(label)

    @precondition(lambda self: self._comments())
    @rule(at=picked)
    def take_back(self, at: int) -> None:
        self.look()
        label = pick(self._comments(), at)
        one, post = self.model.answers[label]
        if self.model.sees_answer(one, label):
            self.wall.take_back(one, post, label)
            del self.model.answers[label]

    @precondition(lambda self: self.model.posts)
    @rule(at=picked)
    def delete(self, at: int) -> None:
        post = pick(self.model.posts, at)
        self.wall.delete(self.model.posts[post].author, post)
        del self.model.posts[post]
        self.model.answers = {label: one for label, one in self.model.answers.items() if one.post != post}

    @precondition(lambda self: self.model.posts)
    @rule(at=picked)
    def edit(self, at: int) -> None:
        post = pick(self.model.posts, at)
        self.words[post] = self._label("edited")
        self.wall.edit(self.model.posts[post].author, post, self.words[post])

    # --- what is seen

    @rule()
    def look(self) -> None:
        """All that is done comes to everybody, and everybody sees what the rules say."""
        self.wall.settle()
        for one in PEOPLE:
            seen = {post: self.words[post] for post in self.model.posts if self.model.sees(one, post)}
            found = {label: words for label, words in self.wall.visible(one).items() if not self._is_left(one, label)}
            assert found == seen, f"{one} sees {found} instead of {seen}"
            for post in seen:
                below = {label for label, each in self.model.answers.items() if each.post == post}
                due = {label for label in below if self.model.sees_answer(one, label)}
                there = self.wall.visible_answers(one, post)
                lacks = {label for label in due - there if not self._is_old(label)}
                strange = {label for label in lacks | (there - due) if not self._is_left(one, label)}
                assert not strange, f"{one} sees {there} below {post} instead of {due}"

    def _is_left(self, viewer: str, label: str) -> bool:
        """Whether it does not count that somebody still sees this."""
        return False

    def _is_old(self, label: str) -> bool:
        """Whether somebody may lack an answer, as older than its author's window: nobody new gets it."""
        window = self.model.windows.get(self.authors[label], 0)
        return bool(window) and self.model.now_s - self.said_s[label] > window

    def teardown(self) -> None:
        if hasattr(self, "wall"):
            try:
                self.look()
            finally:
                self.wall.close()

    # ---

    def _two(self, at: int) -> tuple[str, str]:
        """Two who have met, in either order."""
        one, other = pick([tuple(sorted(pair)) for pair in self.model.met], at // 2)
        return (one, other) if at % 2 else (other, one)

    def _meant(self, one: str, name: str) -> frozenset[str]:
        """Whom a name or a tag means to somebody."""
        if name in PEOPLE:
            return frozenset({name} if frozenset((one, name)) in self.model.met else ())
        return frozenset(other for author, tag, other in self.tags if (author, tag) == (one, name))

    def _post(self, one: str, to: To) -> None:
        label = self._label("p")
        listed = frozenset[str]().union(*(self._meant(one, name) for name in to.named))
        self.wall.post(one, label, to)
        self.words[label], self.authors[label] = "", one
        self.model.posts[label] = Post(one, self.model.now_s, to.is_all, listed)

    def _label(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"

    def _comments(self) -> list[str]:
        return [label for label in self.model.answers if label.startswith("c")]


def pick(found: Collection[T], at: int) -> T:
    """One of these, the same for the same number."""
    return sorted(found)[at % len(found)]


class RoomWalls(Walls):
    """The same with the room of moments. Who was blocked is not told: what he had of who did it stays on his wall."""

    def make(self, seed: int) -> Wall:
        return Rooms(seed)

    def _is_left(self, viewer: str, label: str) -> bool:
        return (self.authors[label], viewer) in self.model.blocked


Walls.TestCase.settings = settings(max_examples=2 * depth.EXAMPLES, stateful_step_count=40, deadline=None)
RoomWalls.TestCase.settings = settings(max_examples=max(5, depth.EXAMPLES), stateful_step_count=40, deadline=None)
TestSealedWalls = Walls.TestCase
TestRoomWalls = pytest.mark.depth(RoomWalls.TestCase)
