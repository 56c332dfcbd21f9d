"""Previews as a hostile sender would have them: what is not in the one form is no message."""

from typing import Any

import pytest

from crypto.faults import Malformed
from features.chat.content import Text
from protocol import content, record, url, wire
from protocol.content import Channel, Kinds
from protocol.faults import OverLimit
from protocol.ids import MessageId
from protocol.preview import ABOUT_BYTES_MAX, PICTURE_BYTES_MAX, TITLE_BYTES_MAX, Preview

URL = "https://example.org/x"
BAD: tuple[tuple[object, ...], ...] = (
    ("https://example.org", "t", "a", b""),
    ("HTTPS://example.org/", "t", "a", b""),
    ("https://Example.org/", "t", "a", b""),
    ("https://example.org:443/", "t", "a", b""),
    ("http://example.org:080/", "t", "a", b""),
    ("https://good.example@evil.example/", "t", "a", b""),
    ("https://evil.example\\@good.example/", "t", "a", b""),
    ("https://exämple.org/", "t", "a", b""),
    ("https://example.org/\u202e", "t", "a", b""),
    ("https://example.org/\x1b[2J", "t", "a", b""),
    ("https://example.org/ x", "t", "a", b""),
    ("https://example.org/#x", "t", "a", b""),
    ("https://example.org\n/", "t", "a", b""),
    ("javascript:alert(1)", "t", "a", b""),
    ("file:///etc/passwd", "t", "a", b""),
    ("http://2130706433/", "t", "a", b""),
    ("http://127.1/", "t", "a", b""),
    ("http://example.0x7f/", "t", "a", b""),
    ("http://[::ffff:7f00:0001]/", "t", "a", b""),
    ("http://example.org:65536/", "t", "a", b""),
    ("https://example.org/" + "x" * url.URL_BYTES_MAX, "t", "a", b""),
    ("", "t", "a", b""),
    (b"https://example.org/", "t", "a", b""),
    (URL, "", "a", b""),
    (URL, " t", "a", b""),
    (URL, "two\nlines", "a", b""),
    (URL, "\x1b]0;title\x07", "a", b""),
    (URL, "\u202egpj.exe", "a", b""),
    (URL, "zero\u200bwidth", "a", b""),
    (URL, "t" * (TITLE_BYTES_MAX + 1), "a", b""),
    (URL, "t", "a" * (ABOUT_BYTES_MAX + 1), b""),
    (URL, "t", "a\u2028b", b""),
    (URL, "t", "a", bytes(PICTURE_BYTES_MAX + 1)),
    (URL, "t", "a", "webp"),
    (URL, "t", "a", b"", None),
    (URL, "t"),
)


def said(fields: Any) -> bytes:
    """A text with these fields of a preview."""
    good = content.say(
        message_id=MessageId(bytes(16)),
        hlc_ms=1,
        device_seq=1,
        parents=(),
        content=Text("look", preview=Preview(URL, "t", "a")),
    )
    head = wire.decode(good, len(good))
    assert isinstance(head, tuple)
    values = head[6]
    assert isinstance(values, tuple)
    assert values[3] == (31, URL, "t", "a", b"")
    return wire.encode((*head[:6], (*values[:3], fields), head[7]))


def test_a_good_one_is_heard_with_its_host() -> None:
    heard = Kinds((Text,)).hear(said((31, "http://[2001:db8::1]:8080/", None, "a", b"w")), Channel.RATCHET)
    assert isinstance(heard.content, Text)
    assert heard.content.preview is not None
    shown = heard.content.preview.shown
    assert (shown.host, shown.title, shown.about, shown.has_picture) == ("[2001:db8::1]:8080", "", "a", True)
    assert Kinds((Text,)).hear(said(None), Channel.RATCHET).content == Text("look")


@pytest.mark.parametrize("fields", BAD, ids=lambda fields: ascii(fields)[:50])
def test_a_bad_one_is_no_message(fields: tuple[object, ...]) -> None:
    with pytest.raises(Malformed):
        Kinds((Text,)).hear(said((31, *fields)), Channel.RATCHET)


def test_another_kind_is_no_preview() -> None:
    with pytest.raises(Malformed):
        Kinds((Text,)).hear(said((30, URL, "t", "a", b"")), Channel.RATCHET)


def test_we_cannot_say_a_bad_one_either() -> None:
    with pytest.raises(OverLimit, match="an address of the web"):
        Preview("https://example.org", None, None)
    assert "example.org" not in repr(Preview(URL, "t", "a"))


def test_the_longest_text_with_the_longest_preview_fits_into_a_message() -> None:
    longest = "https://example.org/" + "x" * (url.URL_BYTES_MAX - 20)
    all_of_it = Preview(longest, "t" * TITLE_BYTES_MAX, "a" * ABOUT_BYTES_MAX, bytes(PICTURE_BYTES_MAX))
    raw = content.say(
        message_id=MessageId(bytes(16)),
        hlc_ms=1,
        device_seq=1,
        parents=(),
        content=Text("x" * (16 << 10), preview=all_of_it),
    )
    assert len(raw) < content.CONTENT_BYTES_MAX
    assert record.field_count(Text) == 4
