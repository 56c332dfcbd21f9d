"""vCards: what RFC 6350 says of lines and escapes, what other programs make of it, and what is hostile."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cli import vcard
from cli.vcard import Card, Read
from protocol import bech32, ids
from tests import depth

ACCOUNT = ids.account_text(ids.AccountId(bytes(range(32))))
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


def read(*lines: str) -> Read:
    """What these lines hold."""
    return vcard.read(f"{line}\r\n".encode() for line in lines)


def card(*lines: str) -> Card:
    """The one card of these lines."""
    found = read("BEGIN:VCARD", "VERSION:4.0", *lines, "END:VCARD")
    assert found.broken == 0
    (one,) = found.cards
    return one


def test_the_card_of_its_author_is_read() -> None:
    """RFC 6350, section 8, with a weft account."""
    assert card(
        "FN:Simon Perreault",
        "N:Perreault;Simon;;;ing. jr,M.Sc.",
        "BDAY:--0203",
        "ANNIVERSARY:20090808T1430-0500",
        "GENDER:M",
        "LANG;PREF=1:fr",
        "ORG;TYPE=work:Viagenie",
        "ADR;TYPE=work:;Suite D2-630;2875 Laurier;",
        " Quebec;QC;G1V 2M2;Canada",
        'TEL;VALUE=uri;TYPE="work,voice";PREF=1:tel:+1-418-656-9254;ext=102',
        "EMAIL;TYPE=work:simon.perreault@viagenie.ca",
        "GEO;TYPE=work:geo:46.772673,-71.282945",
        "URL;TYPE=home:http://nomis80.org",
        f"IMPP;PREF=1:weft:{ACCOUNT}",
    ) == Card("Simon Perreault", ACCOUNT)


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (("FN:This is a very long", "  name", " s"), "This is a very long names"),  # 3.2: one space is the fold's
        (("FN:tabs are", "\t folds too"), "tabs are folds too"),
        (("FN:Mr. John Q. Public\\, Esq.",), "Mr. John Q. Public, Esq."),  # 6.2.1
        (("FN:back\\\\slash\\; \\\\n",), "back\\slash; \\n"),
        (("fn:in small letters",), "in small letters"),
        (("item1.FN;LANGUAGE=en:in a group",), "in a group"),
        (('FN;ALTID="1:2;3":quoted',), "quoted"),
        (("N:Public;John;Quinlan;Mr.;Esq.",), "John Public"),  # 6.2.2
        (("N:Stevenson\\;x;John",), "John Stevenson;x"),
        (
            ("N:;;;;", "ORG:ABC\\, Inc.;North American Division;Marketing"),
            "ABC, Inc. North American Division Marketing",
        ),
        (("FN:", "EMAIL:jqpublic@xyz.example.com"), "jqpublic@xyz.example.com"),
        (("FN:first", "FN:second"), "first"),
        (("N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:=4D=C3=BC=6C=6C=65=72;=4A=", "=C3=B6=72=67;;;"), "Jörg Müller"),
        (("FN;ENCODING=QUOTED-PRINTABLE:a=3=",), "a=3"),
        ((), ""),
    ],
)
def test_names_are_read_as_they_are_meant(lines: tuple[str, ...], name: str) -> None:
    assert card(*lines) == Card(name, "")


def test_a_fold_inside_a_character_is_mended() -> None:
    raw = "FN:Jörg".encode()
    place = raw.index(b"\xb6")
    lines = [b"BEGIN:VCARD\n", raw[:place] + b"\r\n", b" " + raw[place:] + b"\r\n", b"END:VCARD\n"]
    assert vcard.read(lines).cards == (Card("Jörg", ""),)


@pytest.mark.parametrize(
    "line",
    [
        f"IMPP:weft:{ACCOUNT}",
        f"URL:WEFT:{ACCOUNT.upper()}",
        f"IMPP;X-SERVICE-TYPE=weft:weft://{ACCOUNT}",
        f"item2.URL;TYPE=home:weft\\:{ACCOUNT}",
    ],
)
def test_an_account_is_found_where_programs_put_it(line: str) -> None:
    assert card("FN:Bo", line).account == ACCOUNT


@pytest.mark.parametrize(
    "value",
    [
        "",
        "weft:",
        "weft:i/AAAA",
        ACCOUNT,
        f"xmpp:{ACCOUNT}",
        f"weft:{ACCOUNT[:-1]}",
        f"weft:{ACCOUNT[:-1]}{'q' if ACCOUNT[-1] != 'q' else 'p'}",
        f"weft:{ACCOUNT} x",
        "weft:" + "q" * 10_000,
        "weft:" + bech32.encode("wx", bytes(32)),
        "weft:" + bech32.encode("wf", bytes(33)),
    ],
)
def test_what_is_no_account_is_none(value: str) -> None:
    assert vcard.account_of(value) == ""


@pytest.mark.parametrize(
    ("lines", "names", "broken"),
    [
        ((), [], 0),
        (("BEGIN:VCARD", "FN:a"), [], 1),
        (("BEGIN:VCARD", "FN:a", "BEGIN:VCARD", "FN:b", "END:VCARD"), ["b"], 1),
        (("END:VCARD",), [], 1),
        (("FN:outside", "BEGIN:VCARD", "FN:a", "END:VCARD", "junk"), ["a"], 2),
        (("BEGIN:VCARD", "no colon", ":no name", "a b:c", "FN:a", "END:VCARD"), ["a"], 3),
        ((" fold of nothing", "BEGIN:VCARD", "FN:a", "END:VCARD"), ["a"], 1),
        (("BEGIN:VCARD", 'FN;X="never closed:a', "END:VCARD"), [""], 1),
        (("BEGIN:VCALENDAR", "BEGIN:VCARD", "FN:a\x00b", "END:VCARD"), ["a\x00b"], 1),
        (("\ufeffBEGIN:VCARD", "", "FN:a", "END:VCARD"), ["a"], 0),
    ],
)
def test_what_makes_no_sense_is_counted_and_the_rest_is_read(
    lines: tuple[str, ...], names: list[str], broken: int
) -> None:
    found = read(*lines)
    assert ([one.name for one in found.cards], found.broken) == (names, broken)


def test_a_line_without_an_end_keeps_little() -> None:
    endless = (b" " + b"x" * 8000 for _ in range(20_000))  # 160 MB
    lines = [b"BEGIN:VCARD\n", b"PHOTO:\n", *[b" " + b"A" * 75 + b"\n"] * 1000, b"FN:"]
    found = vcard.read(iter([*lines, *(next(endless) for _ in range(20_000)), b"\n", b"END:VCARD\n"]))
    (one,) = found.cards
    assert len(one.name) == vcard.NAME_CHARS_MAX


@pytest.mark.parametrize(
    "lines",
    [
        [b"BEGIN:VCARD\n", b"END:VCARD\n"] * (vcard.CARDS_MAX + 1),
        [b"BEGIN:VCARD\n"] * (vcard.BROKEN_MAX + 2),
        [b"\x7fELF\x00\n"] * (vcard.BROKEN_MAX + 1),
        (b"\n" for _ in range(vcard.LINES_MAX + 1)),
    ],
    ids=["cards", "beginnings", "junk", "lines"],
)
def test_too_much_of_anything_is_no_address_book(lines: list[bytes]) -> None:
    with pytest.raises(vcard.NotCards):
        vcard.read(lines)


@settings(max_examples=10 * depth.EXAMPLES, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8))
def test_any_bytes_are_read_or_refused(lines: list[bytes]) -> None:
    inside = [b"BEGIN:VCARD\n", *(line + b"\n" for line in lines), b"END:VCARD\n"]
    assert len(vcard.read(inside).cards) <= len(lines) + 1


# --- out


def test_a_card_is_written_as_the_rfc_says() -> None:
    text = vcard.written("Bo, B; C\\D", ACCOUNT, "from\nwork", "I row.\x00\x1b", ("a,b", "c"), b"RIFF")
    assert text == (
        "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Bo\\, B\\; C\\\\D\r\nNICKNAME:from\\nwork\r\nNOTE:I row.\r\n"
        f"CATEGORIES:a\\,b,c\r\nIMPP:weft:{ACCOUNT}\r\nPHOTO:data:image/webp;base64,UklGRg==\r\nEND:VCARD\r\n"
    )


@settings(max_examples=10 * depth.EXAMPLES, deadline=None)
@given(TEXT, TEXT, st.lists(TEXT.filter(bool), max_size=4), st.binary(max_size=200))
def test_what_is_written_is_read_again(name: str, note: str, tags: list[str], photo: bytes) -> None:
    text = vcard.written(name, ACCOUNT, "", note, tags, photo)
    assert all(len(line.encode()) <= vcard.FOLD_BYTES for line in text.split("\r\n"))
    found = vcard.read(line + b"\n" for line in text.encode().split(b"\n") if line)
    (one,) = found.cards
    assert (found.broken, one.account) == (0, ACCOUNT)
    plain = vcard._CONTROLS.sub("", name.replace("\r\n", "\n")).strip()
    assert one.name == plain[: vcard.NAME_CHARS_MAX] or len(plain) > vcard.NAME_CHARS_MAX
