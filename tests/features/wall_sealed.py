"""Walls by keys alone: who opens what is decided by tests/protocol/walls.py, what an honest reader drops by plain sets.

It shows that the keys that the rules hand out, and no more than a reader's own filters, make the walls of the model.
Not here: the room (wall_kit.py).
"""

from dataclasses import dataclass

from tests.features.wall import PEOPLE, To, like_of
from tests.protocol import walls
from tests.protocol.walls import Circle, Person, Wrote


@dataclass
class Said:
    """What stands in an entry. label: of the post or answer, "" for what hides one; post: which it is about."""

    wrote: Wrote
    label: str
    post: str
    at_s: int = 0
    hides: str = ""


class Sealed:
    """Five people who try all their keys on everything at each look."""

    def __init__(self, seed: int) -> None:
        self.circle = Circle(len(PEOPLE), seed)
        self.now_s = 0
        self.posts: dict[str, Said] = {}
        self.answers: list[Said] = []
        self.words: dict[str, str] = {}
        self.met: set[tuple[str, str]] = set()
        self.blocked: set[tuple[str, str]] = set()
        self.barred: set[tuple[str, str, str]] = set()
        self.windows: dict[str, int] = {}

    # --- people

    def befriend(self, one: str, other: str) -> None:
        self.met |= {(one, other), (other, one)}

    def tag(self, who: str, tag: str, whom: str) -> None:
        self.circle.tag(number(who), tag, number(whom))

    def untag(self, who: str, tag: str, whom: str) -> None:
        self.circle.untag(number(who), tag, number(whom))

    def rule(self, who: str, whom: str, rule: str, holds: bool) -> None:
        (self.barred.add if holds else self.barred.discard)((rule, who, whom))

    def window(self, who: str, seconds: int) -> None:
        self.windows[who] = seconds
        for reader in sorted(self._person(who).contacts):  # it may be wider than before
            self._show_before(number(who), reader)

    def block(self, who: str, whom: str) -> None:
        self.blocked.add((who, whom))

    def unblock(self, who: str, whom: str) -> None:
        self.blocked.discard((who, whom))

    def wait(self, seconds: int) -> None:
        self.settle()  # what was decided before is not too old for whom it lets read on
        self.now_s += seconds

    # --- moments

    def post(self, who: str, label: str, to: To) -> None:
        self.settle()
        person, named = self._person(who), [name for name in to.named if name not in PEOPLE]
        tagged = frozenset[int]().union(*(person.tags[name] for name in named))
        listed = tagged | {number(name) for name in to.named if name in PEOPLE}
        tags = tuple(named) if len(named) == len(to.named) and not to.is_all else ()
        wrote = self.circle.post(number(who), walls.To(to.is_all, listed, tags))
        self.posts[label] = Said(wrote, label, label, self.now_s)
        self.words[label] = ""

    def edit(self, who: str, label: str, words: str) -> None:
        self.settle()
        self.posts[label].wrote = self.circle.replace(self.posts[label].wrote)
        self.words[label] = words

    def comment(self, who: str, post: str, label: str) -> None:
        self._answer(who, post, label)

    def like(self, who: str, post: str) -> None:
        self._answer(who, post, like_of(post, who))

    def unlike(self, who: str, post: str) -> None:
        self.take_back(who, post, like_of(post, who))

    def hide(self, who: str, post: str, answer: str) -> None:
        self._answer(who, post, "", answer)

    def take_back(self, who: str, post: str, comment: str) -> None:
        self.answers = [one for one in self.answers if one.label != comment]

    def delete(self, who: str, label: str) -> None:
        del self.posts[label]

    # --- what is seen

    def settle(self) -> None:
        """Feeds go on without who shall read them no more, and who shall reads them from now on."""
        for author in PEOPLE:
            person = self._person(author)
            readers = {number(other) for other in PEOPLE if self._lets_read(author, other)}
            for reader in sorted(person.contacts - readers):
                self.circle.leave(person.number, reader)
                self.circle.forget(reader, person.number)
            for reader in sorted(readers - person.contacts):
                person.contacts.add(reader)
                self._show_before(person.number, reader)

    def visible(self, who: str) -> dict[str, str]:
        return {label: self.words[label] for label, one in self.posts.items() if self._sees(who, one)}

    def visible_answers(self, who: str, post: str) -> set[str]:
        self._opens(who, self.posts[post])  # its key is what the answers are tried with
        is_mine = self.posts[post].wrote.author == number(who)
        below = [one for one in self.answers if one.post == post]
        hidden = {one.hides for one in below if self._opens(who, one)}
        found = {one.label for one in below if is_mine or self._sees_answer(who, one)}
        return found - {""} - (set() if is_mine else hidden)

    def close(self) -> None:
        pass

    # ---

    def _person(self, who: str) -> Person:
        return self.circle.people[number(who)]

    def _lets_read(self, author: str, other: str) -> bool:
        """What an author's node looks at: what he has decided, and nothing of the other."""
        rules = {(rule, author, other) for rule in ("chats_only", "mine")}
        return (author, other) in self.met - self.blocked and not rules & self.barred

    def _show_before(self, author: int, reader: int) -> None:
        window, young = self.windows.get(PEOPLE[author], 0), self.now_s
        old = {id(one.wrote) for one in (*self.posts.values(), *self.answers) if window and young - one.at_s > window}
        self.circle.hand_out(author, reader, lambda wrote: id(wrote) not in old)

    def _answer(self, who: str, post: str, label: str, hides: str = "") -> None:
        self.settle()
        wrote = self.circle.answer(number(who), self.posts[post].wrote)
        self.answers.append(Said(wrote, label, post, self.now_s, hides))

    def _opens(self, who: str, one: Said) -> bool:
        return self.circle.opens(number(who), one.wrote)

    def _sees(self, who: str, one: Said) -> bool:
        author = PEOPLE[one.wrote.author]
        if author == who:
            return True
        window = self.windows.get(author, 0)
        is_old = window and self.now_s - one.at_s > window
        return (
            self._opens(who, one)
            and self._wants(who, author)
            and ("theirs", who, author) not in self.barred
            and not is_old
        )

    def _sees_answer(self, who: str, one: Said) -> bool:
        author = PEOPLE[one.wrote.author]
        return author == who or (self._opens(who, one) and self._wants(who, author))

    def _wants(self, who: str, author: str) -> bool:
        """What a reader has decided himself."""
        return (who, author) not in self.blocked and ("chats_only", who, author) not in self.barred


def number(who: str) -> int:
    """The place of a person in the circle."""
    return PEOPLE.index(who)
