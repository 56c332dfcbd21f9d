"""Words of texts and queries: what one finds of the other is asked of SQLite's own FTS5, with the table of the room."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlcipher3 import dbapi2

from features.chat import index, words
from features.chat.words import EXCERPT_CHARS, QUERY_CHARS_MAX, LongQuery, NothingToFind
from store import migrations

# Han (also beyond the first plane), Hiragana, Katakana, Hangul, Thai
UNSPACED = "我们在北京看電影時々𠮷あいのがアーラブリ한국어감사กินข้าว"
LATIN = ("cinema", "Tickets", "STRASSE", "crème", "naïve", "42", "3rd", "Ελλάδα", "Привет", "हिन्दी")
SIGNS = (" ", "\n", ", ", "-", '"', "…", "🎉", "。", "\u3000")
anything = st.text(st.characters(exclude_categories=["Cn", "Cs"]), max_size=40)  # of all that Unicode has given away
texts = st.lists(
    st.sampled_from(LATIN) | st.sampled_from(SIGNS) | st.text(st.sampled_from(UNSPACED), min_size=1, max_size=8),
    max_size=12,
).map("".join)


@contextmanager
def indexed(*texts: str) -> Iterator[Any]:
    """A connection with these texts in the room's index, in the rows 1, 2 …"""
    with closing(dbapi2.connect(":memory:")) as connection:
        made = migrations.statements(index.MIGRATIONS[-1].sql)
        connection.execute(next(one for one in made if "fts5" in one))
        rows = [(row, words.spaced(text)) for row, text in enumerate(texts, start=1)]
        connection.executemany("INSERT INTO chat_index (rowid, text) VALUES (?, ?)", rows)
        yield connection


def found(connection: Any, query: str) -> list[int]:
    """The rows that a query finds."""
    expression = f"text : ({words.asked(query).expression()})"
    rows = connection.execute("SELECT rowid FROM chat_index WHERE chat_index MATCH ? ORDER BY rowid", (expression,))
    return [row for (row,) in rows]


def finds(query: str, text: str) -> bool:
    """Whether a query finds a text."""
    with indexed(text) as connection:
        return found(connection, query) == [1]


def marked(query: str, text: str) -> str:
    """The excerpt with the matches in brackets."""
    pieces = words.excerpt(text, words.asked(query))
    return "".join(f"[{piece}]" if number % 2 else piece for number, piece in enumerate(pieces))


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("北京", "我们明天在北京看电影"),
        ("看電影", "我們明天在北京看電影。"),
        ("ラブレター", "昨日のラブレターは短い"),
        ("국어", "한국어를 배워요"),
        ("ข้าว", "ฉันกินข้าวแล้ว"),
        ("ハブ", "ハ・ブ"),
        ("iPhone手机", "我的iPhone 手机"),
        ("ABC", "ＡＢＣ社"),
        ("が", "か\u3099っこう"),
        ("ガス", "ｶﾞｽ"),
        ("한", "\u1112\u1161\u11ab"),
        ("葛城", "葛\U000e0100城市"),
        ("creme brulee", "Crème brûlée"),
        ("CRÈME", "cre\u0300me"),
        ("strasse", "Lange Straße 5"),
        ("straße", "STRASSE"),
        ("istanbul", "İstanbul"),
        ("hol", "on holiday"),
        ("tickets cinema", "Two cinema tickets"),
        ("e-mail", "by e-mail please"),
        ("12.50", "it costs 12.50 €"),
        ("example", "an exam\u00adple"),
        ("हिन्", "हिन्दी में"),
        ("O'Neill", "ask O'Neill"),
        ("\u3000电影\u3000北京", "北京电影"),
    ],
)
def test_a_query_finds_and_marks(query: str, text: str) -> None:
    assert finds(query, text)
    assert "[" in marked(query, text)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("京北", "北京"),
        ("北京大学", "北京的大学"),
        ("か", "がぎ"),
        ("day", "holiday"),
        ("hol day", "holiday"),  # only the last word may go on
        ("h", "holiday"),  # one letter is a word
        ("e-mail", "mail me at e"),
        ("cinema tickets", "cinema"),
        ("1", "no number here"),  # the contact's number is in the index too, and no word of the text
    ],
)
def test_a_query_does_not_find(query: str, text: str) -> None:
    assert not finds(query, text)
    assert query == "cinema tickets" or "[" not in marked(query, text)


HOSTILE = (
    'NEAR("cinema" tickets, 5)',
    "cinema OR tickets",
    "cinema AND",
    "NOT cinema",
    'cin" OR "ema',
    '"cinema',
    "cinema*",
    "^cinema",
    "text:cinema",
    "contact : 1",
    "{text contact}:cinema",
    "-cinema",
    "cinema + tickets",
    "(cinema",
    "cinema\x00tickets",
    "＂cinema＂",  # a full-width quote becomes a plain one in the normal form
    "'; DROP TABLE message; --cinema",
    "\ud800cinema",
)


@pytest.mark.parametrize("query", HOSTILE)
def test_nothing_that_is_typed_is_a_language(query: str) -> None:
    """Every word of it is a word to find, AND and NEAR too; signs are nothing."""
    meant = " ".join(word.folded for word in words.words(query.replace("\ud800", "")))
    with indexed("cinema", meant, "tickets") as connection:
        assert found(connection, query) == ([1, 2] if meant == "cinema" else [2])


@pytest.mark.parametrize(
    "query", ["", " ", "\n", "!?", '"', "…", "🎉", "\u0301", "\x00", "* -", "\u3000", "\u00ad", "・"]
)
def test_a_query_without_a_word_is_refused(query: str) -> None:
    with pytest.raises(NothingToFind, match="signs alone are not words"):
        words.asked(query)


def test_a_query_has_a_length() -> None:
    longest = " ".join("a" * (QUERY_CHARS_MAX // 2 - 1)) + " a"
    assert finds(longest, longest)
    assert finds("我" * QUERY_CHARS_MAX, "我" * 300)
    with pytest.raises(LongQuery, match=str(QUERY_CHARS_MAX)):
        words.asked("x" * (QUERY_CHARS_MAX + 1))


@given(text=texts, chance=st.data())
def test_law_each_run_without_spaces_is_found_and_marked(text: str, chance: st.DataObject) -> None:
    runs = [number for number, character in enumerate(text) if character in UNSPACED and not is_mark(text, number)]
    assume(runs)
    start = chance.draw(st.sampled_from(runs))
    end = start + 1
    while end < len(text) and (text[end] in UNSPACED) and (is_mark(text, end) or chance.draw(st.booleans())):
        end += 1
    assert finds(text[start:end], text)
    assert "[" in marked(text[start:end], text)


def is_mark(text: str, number: int) -> bool:
    """Whether this belongs to the letter before it: half a letter is no word."""
    return text[number] in "\u0e31\u0e34\u0e49"


@given(text=texts | anything)
def test_law_each_word_is_found_and_marked(text: str) -> None:
    with indexed(text) as connection:
        for word in words.words(text):
            query = text[word.start : word.end]
            if words.asked(query).phrases != ((word.folded,),):
                continue  # one character that is two words in its normal form, as ¼ is 1 and 4
            assert found(connection, query) == [1], query
            assert "[" in marked(query, text)


@given(query=st.text(max_size=60) | st.lists(st.sampled_from([*HOSTILE, *SIGNS, *LATIN]), max_size=8).map(" ".join))
def test_law_no_query_breaks_the_index(query: str) -> None:
    with indexed("cinema") as connection:
        try:
            rows = found(connection, query)
        except (NothingToFind, LongQuery):
            return
        assert rows in ([], [1])


@given(query=texts | anything)
def test_law_a_text_finds_itself(query: str) -> None:
    assume(any(True for _ in words.words(query)))
    with indexed("cinema", query) as connection:
        assert 2 in found(connection, query)


@given(text=st.lists(texts | anything, max_size=20).map(" ".join), query=st.sampled_from(LATIN))
def test_law_an_excerpt_is_a_part_of_the_text(text: str, query: str) -> None:
    asked = words.asked(query)
    pieces = words.excerpt(text, asked)
    assert len(pieces) % 2 == 1
    assert len("".join(pieces)) <= EXCERPT_CHARS + 2
    whole = "".join(pieces)
    assert whole in text or whole.removeprefix("…").removesuffix("…") in text
    for match in pieces[1::2]:
        assert next(word.folded for word in words.words(match)).startswith(asked.phrases[0][0])


def test_an_excerpt_shows_the_match_in_its_sentence() -> None:
    text = (
        "A long story begins here. " * 20 + "Then we went to the cinema, and came home late. " + "It ends here. " * 20
    )
    assert marked("cinema", text).startswith("…story begins here. Then we went to the [cinema], and came home")
    assert marked("cinema", text).endswith("…")
    assert marked("cinema", "cinema cinemas Cinema-goer") == "[cinema] [cinemas] [Cinema]-goer"
    assert marked("e-mail", "one e-mail") == "one [e-mail]"
    assert marked("北京", "我们在北京，北京。") == "我们在[北京]，[北京]。"
    assert marked("cafe", "Le café") == "Le [café]"
    assert words.excerpt("nothing of it", words.asked("cinema")) == ("nothing of it",)
    longest = "x" * QUERY_CHARS_MAX
    assert words.excerpt(f"a {longest} b " * 3, words.asked(longest))[1] == longest
