"""A preview in a terminal: which way, what is written, and that its file stays in a program of its own."""

import base64
import os
import pty
import re
import subprocess
import sys

import pytest

from cli import pictures
from cli.options import Door
from cli.pictures import Shown, Way
from tests.node.workshop import made
from tests.sources import ROOT

RED, BLUE = (f"\x1b[38;2;{ink};48;2;{ink}m▀▀▀▀▀▀\x1b[0m\r\n" for ink in ("255;0;0", "0;0;255"))
FLAG = Shown(2, 3, bytes((255, 0, 0, 0, 255, 0)) + bytes((0, 0, 255, 255, 255, 255)) + bytes((1, 2, 3, 9, 9, 9)))


@pytest.mark.parametrize(
    ("environ", "drawn_by"),
    [
        ({"TERM": "xterm-kitty"}, Way.KITTY),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, Way.KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, Way.KITTY),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/x"}, Way.BLOCKS),
        ({"TERM": "tmux-256color", "KITTY_WINDOW_ID": "1"}, Way.BLOCKS),
        ({"TERM": "foot"}, Way.SIXEL),
        ({"TERM": "xterm-256color"}, Way.BLOCKS),
        ({}, Way.BLOCKS),
        ({"TERM": "dumb"}, Way.NONE),
        ({"TERM": "xterm-kitty", "NO_COLOR": "1"}, Way.NONE),
    ],
)
def test_the_way_is_what_the_terminal_can(environ: dict[str, str], drawn_by: Way) -> None:
    assert pictures.way(environ) is drawn_by


def test_a_person_may_choose_the_way() -> None:
    assert [pictures.way({"TERM": "xterm-kitty"}, wanted).value for wanted in pictures.WAYS[1:]] == [*pictures.WAYS[1:]]


def test_half_blocks_have_two_pixels_in_each_sign() -> None:
    assert pictures.blocks(FLAG, true_colours=True) == (
        "\x1b[38;2;255;0;0;48;2;0;0;255m▀\x1b[38;2;0;255;0;48;2;255;255;255m▀\x1b[0m\n"
        "\x1b[38;2;1;2;3;49m▀\x1b[38;2;9;9;9;49m▀\x1b[0m\n"
    )


def test_half_blocks_have_the_old_palette_where_there_is_no_other() -> None:
    first = pictures.blocks(FLAG, true_colours=False).partition("▀")[0]
    assert first == "\x1b[38;5;196;48;5;21m"


def test_a_colour_that_stays_is_said_once() -> None:
    assert pictures.blocks(Shown(3, 2, bytes(18)), true_colours=True).count("\x1b[38") == 1


def test_kittys_protocol_carries_the_pixels() -> None:
    big = Shown(64, 64, bytes(range(256)) * 48)
    text = pictures.kitty(big, columns=40)
    pieces = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert "".join(f"\x1b_G{head};{body}\x1b\\" for head, body in pieces) + "\n" == text
    assert base64.b64decode("".join(body for _, body in pieces)) == big.rgb
    assert all(len(body) <= 4096 for _, body in pieces)
    assert pieces[0][0] == "a=T,f=24,q=2,s=64,v=64,c=8,m=1"
    assert [head for head, _ in pieces[1:]] == ["m=1"] * (len(pieces) - 2) + ["m=0"]


def test_sixels_draw_every_pixel_once() -> None:
    wide = Shown(7, 9, bytes((255, 0, 0)) * 21 + bytes((0, 0, 255)) * 42)
    text = pictures.sixel(wide)
    head, body = re.fullmatch(r'\x1bPq("1;1;7;9(?:#\d+;2;\d+;\d+;\d+)+)(#.*)\x1b\\\n', text, re.S).groups()  # type: ignore[union-attr]
    assert "#180;2;100;0;0" in head
    assert body == "#5!7w$#180!7F-#5!7F"


def test_nobody_but_a_person_at_a_terminal_sees_a_picture(capsys: pytest.CaptureFixture[str]) -> None:
    pictures.show_preview(Door(), made.webp(), 40, "blocks")
    assert capsys.readouterr() == ("", "")


def test_what_is_no_preview_starts_no_program() -> None:
    door = Door(launcher=("/there/is/no/such/program",))
    assert pictures.unpacked(door, made.jpeg(), 10, 10) is None
    assert pictures.unpacked(door, made.webp() + b"x", 10, 10) is None
    assert pictures.unpacked(door, b"RIFF" + (50_000).to_bytes(4, "little") + b"WEBP" + bytes(49_996), 10, 10) is None


@pytest.mark.process
def test_a_preview_is_unpacked_by_the_program() -> None:
    shown = pictures.unpacked(Door(), made.webp(lossless=True), 30, 60)
    assert shown is not None
    assert (shown.width, shown.height) == (30, 20)
    assert shown.rgb[:3] == b"\xff\x00\x00"


@pytest.mark.process
@pytest.mark.parametrize(
    ("webp", "shown"),
    [
        (made.encoded(made.halves(6, 4), "WEBP", lossless=True), f"{RED}{BLUE}"),
        (b"RIFF\x0c\x00\x00\x00WEBPVP8 \x00\x00\x00\x00", "(The preview cannot be shown.)\r\n"),
    ],
)
def test_a_person_at_a_terminal_sees_the_preview(webp: bytes, shown: str) -> None:
    environ = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    script = (
        f"from cli import pictures\nfrom cli.options import Door\n"
        f"pictures.show_preview(Door(environ={environ!r}), {webp!r}, 6)"
    )
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs) as door:
        assert door.wait(30) == 0
        os.close(theirs)
    assert os.read(ours, 1 << 16).decode() == shown
    os.close(ours)


def test_several_pictures_stand_beside_each_other_as_squares() -> None:
    wide = Shown(4, 2, bytes((1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4)) * 2)
    assert pictures.square(wide, 2).rgb == bytes((2, 2, 2, 3, 3, 3)) * 2
    tiny = Shown(1, 1, b"\x09\x09\x09")
    assert pictures.square(tiny, 3) == Shown(3, 3, bytes(12) + b"\x09\x09\x09" + bytes(12))
    row = pictures.beside([pictures.square(wide, 2), pictures.square(FLAG, 2)])
    assert (row.width, row.height, len(row.rgb)) == (5, 2, 30)
    assert row.rgb[:15] == bytes((2, 2, 2, 3, 3, 3, 0, 0, 0)) + FLAG.rgb[:6]


@pytest.mark.process
def test_a_row_is_drawn_to_a_person_at_a_terminal() -> None:
    webp = made.encoded(made.halves(6, 4), "WEBP", lossless=True)
    script = (
        f"from cli import pictures\nfrom cli.options import Door\n"
        f"door = Door(environ={{'TERM': 'xterm-256color', 'COLORTERM': 'truecolor'}})\n"
        f"print(pictures.row(door, [({webp!r}, 6, 4), (b'no picture', 1, 1), ({webp!r}, 6, 4)], 4), end='')"
    )
    ours, theirs = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs) as door:
        assert door.wait(30) == 0
        os.close(theirs)
    red, gap, blue = (f"\x1b[38;2;{ink};48;2;{ink}m" for ink in ("255;0;0", "0;0;0", "0;0;255"))
    lines = os.read(ours, 1 << 16).decode().splitlines()
    assert lines == [f"{ink}▀▀▀▀{gap}▀{ink}▀▀▀▀\x1b[0m" for ink in (red, blue)]
    os.close(ours)


@pytest.mark.process
@pytest.mark.parametrize(
    "script",
    [
        "print('\\x1b]0;owned\\x07')",
        "import os\nwhile True: os.write(1, bytes(9999))",
        "import os; os.kill(os.getpid(), 9)",
        r"import os; os.write(1, b'\x84\x05\x02\x01F' + bytes(6))",  # larger than was asked for
    ],
)
def test_a_program_that_is_owned_by_its_preview_shows_nothing(script: str) -> None:
    assert pictures.unpacked(Door(launcher=(sys.executable, "-c", script)), made.webp(), 1, 1) is None


@pytest.mark.process
def test_a_broken_preview_shows_nothing() -> None:
    assert pictures.unpacked(Door(), b"RIFF\x0c\x00\x00\x00WEBPVP8 \x00\x00\x00\x00", 30, 60) is None
