"""Invariant 14: who opens each post and each answer, on random graphs of 50 people, is whom the rules say.

Everybody has every content, and tries everything that he was ever handed on each.
"""

import random
from collections.abc import Iterable

import pytest

from protocol import moment
from tests import depth
from tests.protocol.walls import PRIVATE, PUBLIC, Circle, To, Wrote

PEOPLE = 50
POSTS, ANSWERS = ((25, 40), (40, 80), (150, 400))[depth.LEVEL]
TAGS = ("family", "work", "climbing", "choir", "street")


def lay(seed: int) -> Circle:
    """Fifty people of whom some know most others and some hardly anybody, with tags."""
    circle = Circle(PEOPLE, seed)
    chance = circle.random
    known = [chance.choice((0.1, 0.3, 0.7)) for _ in range(PEOPLE)]
    for one in range(PEOPLE):
        for other in range(one):
            if chance.random() < known[one] * known[other] + 0.02:
                circle.meet(one, other)
    for person in circle.people:
        for name in TAGS:
            for other in sorted(person.contacts):
                if chance.random() < 0.3:
                    circle.tag(person.number, name, other)
    return circle


def chosen(circle: Circle, author: int) -> To:
    """Whom a post is for."""
    chance, person = circle.random, circle.people[author]
    contacts = sorted(person.contacts)
    some = frozenset(chance.sample(contacts, chance.randint(0, len(contacts))))
    tags = tuple(chance.sample(sorted(person.tags), chance.randint(1, len(person.tags)))) if person.tags else ()
    tagged = frozenset().union(*(person.tags[name] for name in tags)) & person.contacts
    return chance.choice((PUBLIC, PUBLIC, PRIVATE, To(False, some), To(True, some), To(False, tagged, tags)))


def may_see(circle: Circle, post: Wrote) -> set[int]:
    """The rule of a post, as things stand."""
    return {one for one in circle.people[post.author].contacts if post.to.meant(one)} | {post.author}


def answered(circle: Circle, posts: list[Wrote]) -> Wrote | None:
    """An answer by somebody who may see a post; None where it is shown to nobody."""
    post = circle.random.choice(posts)
    author = circle.random.choice(sorted(may_see(circle, post)))
    return circle.answer(author, post)


def rule_of_answer(circle: Circle, one: Wrote) -> set[int]:
    """contacts(P) ∩ contacts(C) ∩ audience(X) ∪ {P, C}."""
    assert one.about is not None
    theirs = circle.people[one.author].contacts | {one.author}
    return (may_see(circle, one.about) & theirs) | {one.about.author, one.author}


@pytest.mark.parametrize("seed", range(depth.WORLDS))
def test_invariant_14_who_opens_is_whom_the_rules_say(seed: int) -> None:
    circle = lay(seed)
    posts = [circle.post(author, chosen(circle, author)) for author in drawn(circle, POSTS)]
    answers = [one for _ in range(ANSWERS) if (one := answered(circle, posts))]
    replaced = [circle.replace(one) for one in circle.random.sample(posts, 5)]
    posts += replaced
    opened = circle.who_opens([*posts, *answers])
    assert opened == [*(may_see(circle, one) for one in posts), *(rule_of_answer(circle, one) for one in answers)]
    kinds = {(one.to.is_all, bool(one.to.listed), bool(one.to.tags)) for one in posts}
    assert len(kinds) >= 5
    assert len({len(one) for one in opened}) > 5
    assert len({len(one.content) for one in [*posts, *answers]}) == 1


def drawn(circle: Circle, count: int) -> Iterable[int]:
    return [circle.random.randrange(PEOPLE) for _ in range(count)]


class Ever:
    """Who was ever allowed what: with that key he reads for good, as far as he kept the content."""

    def __init__(self) -> None:
        self.posts: list[tuple[Wrote, set[int]]] = []
        self.answers: list[tuple[Wrote, set[int]]] = []  # whose contact was who answered, since he did

    def look(self, circle: Circle) -> None:
        for post, readers in self.posts:
            readers |= may_see(circle, post)
        for one, readers in self.answers:
            readers |= circle.people[one.author].contacts | {one.author}

    def of_answer(self, one: Wrote, theirs: set[int]) -> set[int]:
        (readers,) = (readers for post, readers in self.posts if post is one.about)
        return readers & theirs


@pytest.mark.parametrize("seed", range(depth.WORLDS))
def test_invariant_14_while_people_join_and_leave_and_tags_change(seed: int) -> None:
    """What came before somebody was a reader is shut to him but for what he was handed, what comes afterwards too."""
    circle = lay(1000 + seed)
    chance, ever = circle.random, Ever()
    for turn in range(POSTS + ANSWERS):
        move(circle, chance)
        if turn % 3 == 0:
            author = chance.randrange(PEOPLE)
            post = circle.post(author, chosen(circle, author))
            ever.posts.append((post, set()))
        elif turn % 7 == 0:
            old, readers = chance.choice(ever.posts)
            ever.posts.append((circle.replace(old), set(readers)))
        else:
            one = answered(circle, [post for post, _ in ever.posts])
            if one is not None:
                ever.answers.append((one, set()))
        ever.look(circle)
    expected = [readers for _, readers in ever.posts]
    expected += [ever.of_answer(one, theirs) for one, theirs in ever.answers]
    assert circle.who_opens([one for one, _ in (*ever.posts, *ever.answers)]) == expected
    lost = sum(len(readers - may_see(circle, post)) for post, readers in ever.posts)
    assert lost > 0, "nobody was taken out of anything"


def move(circle: Circle, chance: random.Random) -> None:
    """Two meet or part, or a tag is put on or taken off."""
    one, other = chance.sample(range(PEOPLE), 2)
    person = circle.people[one]
    match chance.randrange(4):
        case 0:
            circle.meet(one, other)
        case 1 if person.contacts:
            circle.part(one, chance.choice(sorted(person.contacts)))
        case 2 if person.contacts:
            circle.tag(one, chance.choice(TAGS), chance.choice(sorted(person.contacts)))
        case _:
            name = chance.choice(TAGS)
            members = sorted(person.tags.get(name, set()) & person.contacts)
            if members:
                circle.untag(one, name, chance.choice(members))


# --- the rules, one at a time


def test_who_comes_into_a_tag_opens_what_is_posted_then_and_not_the_new_words_of_what_was_before() -> None:
    circle = Circle(4, "tag")
    for reader in (1, 2, 3):
        circle.meet(0, reader)
    circle.tag(0, "work", 1)
    before = circle.post(0, To(False, frozenset({1}), ("work",)))
    circle.tag(0, "work", 2)
    after = circle.post(0, To(False, frozenset({1, 2}), ("work",)))
    edited = circle.replace(before)
    assert circle.who_opens([before, after, edited]) == [{0, 1}, {0, 1, 2}, {0, 1}]


def test_the_new_words_of_a_post_would_be_open_to_who_came_into_its_tag_since_if_they_had_the_same_slots() -> None:
    """Why `replace` uses no slots of tags: those of the post, written again, hold its key for him."""
    circle = Circle(3, "slots")
    circle.meet(0, 1)
    circle.meet(0, 2)
    circle.tag(0, "work", 1)
    to = To(False, frozenset({1}), ("work",))
    before = circle.post(0, to)
    circle.tag(0, "work", 2)
    author = circle.people[0]
    wrap = moment.wrap_key(author.mine["work"])
    spot = moment.Spot(author.author, author.log, author.seq)
    held = [moment.Slot(wrap, before.key)]
    content = moment.seal(before.key, spot, b"edited", held, bytes(24), circle.random.randbytes)
    edited = Wrote(0, spot, content, to, before.key, bytes(32))
    assert circle.who_opens([before, edited]) == [{0, 1, 2}, {0, 1, 2}]


def test_who_was_taken_out_of_a_tag_opens_the_new_words_of_what_was_for_him_though_he_had_not_opened_it() -> None:
    circle = Circle(2, "away")
    circle.meet(0, 1)
    circle.tag(0, "work", 1)
    before = circle.post(0, To(False, frozenset({1}), ("work",)))
    circle.untag(0, "work", 1)
    assert circle.who_opens([circle.replace(before)]) == [{0, 1}]


def test_who_is_taken_out_of_a_tag_opens_what_was_and_nothing_that_comes() -> None:
    circle = Circle(4, "untag")
    for reader in (1, 2, 3):
        circle.meet(0, reader)
        circle.tag(0, "work", reader)
    before = circle.post(0, To(False, frozenset({1, 2, 3}), ("work",)))
    circle.untag(0, "work", 3)
    after = circle.post(0, To(False, frozenset({1, 2}), ("work",)))
    assert circle.who_opens([before, after]) == [{0, 1, 2, 3}, {0, 1, 2}]


def test_more_tags_than_slots_are_told_one_by_one() -> None:
    circle = Circle(6, "four")
    for reader, name in enumerate(TAGS[:4], 1):
        circle.meet(0, reader)
        circle.tag(0, name, reader)
    circle.meet(0, 5)
    three, four = (To(False, frozenset(range(1, count + 1)), TAGS[:count]) for count in (3, 4))
    assert circle.who_opens([circle.post(0, three), circle.post(0, four)]) == [{0, 1, 2, 3}, {0, 1, 2, 3, 4}]
    assert [len(circle.people[reader].keys) for reader in range(6)] == [0, 1, 1, 1, 1, 0]


def test_a_stranger_to_who_answers_opens_the_post_and_not_the_answer_and_the_other_way_round() -> None:
    """0 posts for 1 and 2; 1 answers; 3 knows 1 alone; 2 knows 0 alone."""
    circle = Circle(4, "mutual")
    for one, other in ((0, 1), (0, 2), (1, 3)):
        circle.meet(one, other)
    post = circle.post(0, PUBLIC)
    answer = circle.answer(1, post)
    assert circle.who_opens([post, answer]) == [{0, 1, 2}, {0, 1}]
    assert moment.held(circle.people[3].chains[answer.spot.log][0].wraps[0], answer.spot, answer.content) is not None
    circle.meet(2, 1)
    assert circle.who_opens([answer]) == [{0, 1, 2}]
    circle.meet(3, 0)
    assert circle.who_opens([post, answer]) == [{0, 1, 2, 3}, {0, 1, 2, 3}]


def test_who_passes_a_key_on_opens_it_for_those_whose_contact_who_answered_is_anyway() -> None:
    """What is not prevented: whoever has a key can give it away. Answers then open to contacts of their authors."""
    circle = Circle(4, "given away")
    for one, other in ((0, 1), (0, 2), (1, 3)):
        circle.meet(one, other)
    post = circle.post(0, PUBLIC)
    by_1, by_2 = circle.answer(1, post), circle.answer(2, post)
    circle.people[3].posts.add(post.key)
    assert circle.opens(3, post)
    assert circle.opens(3, by_1)
    assert not circle.opens(3, by_2)


def test_a_reader_who_is_gone_reads_on_nowhere_and_comes_back_to_what_the_rules_let_him_see() -> None:
    circle = Circle(3, "back")
    circle.meet(0, 1)
    circle.meet(0, 2)
    circle.part(0, 2)
    posts = [circle.post(0, to) for to in (PUBLIC, To(True, frozenset({2})), To(False, frozenset({1})), PRIVATE)]
    answer = circle.answer(1, posts[0])
    assert circle.who_opens([*posts, answer]) == [{0, 1}, {0, 1}, {0, 1}, {0}, {0, 1}]
    circle.meet(0, 2)
    assert circle.who_opens([*posts, answer]) == [{0, 1, 2}, {0, 1}, {0, 1}, {0}, {0, 1}]


def test_nobody_tells_a_content_for_many_from_one_for_nobody() -> None:
    circle = Circle(5, "shape")
    for reader in (1, 2, 3, 4):
        circle.meet(0, reader)
        circle.tag(0, "work", reader)
    tos = (PUBLIC, PRIVATE, To(False, frozenset({1, 2}), ("work",)), To(True, frozenset({1})))
    posts = [circle.post(0, to) for to in tos]
    written = [*posts, circle.answer(0, posts[0]), circle.replace(posts[2])]
    assert len({len(one.content) for one in written}) == 1
    # Who is in no audience but that of all finds 32 bytes in each, and cannot tell which of them is a key.
    chain = circle.people[4].chains[posts[0].spot.log][0]
    for one in written:
        wrap = chain.wrap(one.spot.seq)
        assert wrap is not None
        found = moment.held(wrap, one.spot, one.content)
        assert found is not None
        assert len(found) == 32
