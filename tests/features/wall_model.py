"""Who sees which moments and what is said below them, by WeChat's rules: sets, without keys, feeds or messages.

The reference of test_wall_machine.py. What is not WeChat's is marked: lists of names are frozen with the tags in them,
and a window counts from the time of the post.
"""

from dataclasses import dataclass, field
from typing import NamedTuple


class Post(NamedTuple):
    author: str
    at_s: int
    is_all: bool
    listed: frozenset[str] = frozenset()  # whom it is for, or, where it is for all, whom it leaves out


class Answer(NamedTuple):
    author: str
    post: str


@dataclass
class Model:
    """barred: (rule, who, whom). windows: seconds, 0 for any age."""

    now_s: int = 0
    met: set[frozenset[str]] = field(default_factory=set)
    blocked: set[tuple[str, str]] = field(default_factory=set)
    barred: set[tuple[str, str, str]] = field(default_factory=set)
    windows: dict[str, int] = field(default_factory=dict)
    posts: dict[str, Post] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)

    def shows(self, author: str, viewer: str) -> bool:
        """Whether somebody lets another see his moments, and what he says below those of others."""
        ways = ((author, viewer), (viewer, author))
        is_friend = frozenset(ways[0]) in self.met and not self.blocked.intersection(ways)
        return is_friend and not self.barred & {("chats_only", *ways[0]), ("chats_only", *ways[1]), ("mine", *ways[0])}

    def sees(self, viewer: str, post: str) -> bool:
        """Whether a moment is on somebody's wall."""
        author, at_s, is_all, listed = self.posts[post]
        window = self.windows.get(author, 0)
        is_meant = (viewer in listed) != is_all and not (window and self.now_s - at_s > window)
        is_wanted = ("theirs", viewer, author) not in self.barred
        return viewer == author or (self.shows(author, viewer) and is_meant and is_wanted)

    def sees_answer(self, viewer: str, answer: str) -> bool:
        """Whether somebody finds a comment or a like below a moment."""
        author, post = self.answers[answer]
        if not self.sees(viewer, post) or viewer == self.posts[post].author:
            return self.sees(viewer, post)
        return answer not in self.hidden and (viewer == author or self.shows(author, viewer))
