"""Previews of pictures in a terminal: by kitty's protocol, as sixels, or as half blocks, which every terminal has.

A preview comes from somebody else, so it is unpacked by the workshop's program, not here; what comes back is pixels and
nothing but pixels reaches the terminal. Not here: that program (node/workshop/).
"""

import base64
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from typing import Any

import click

from cli import show, start
from cli.client import Client
from cli.faults import Failure
from cli.options import Door, Form

UNPACK_S = 10.0  # it takes a tenth of a second
COLUMNS_MAX = 160
STICKER_COLUMNS = 32
SIDE_MAX = 320  # of a preview
GAP = 1  # pixels between two pictures of a row
CELL = (8, 16)  # pixels of a character, where the terminal does not say; a sixel is never smaller
_KITTY_CHARS = 4096  # of base64 in one piece, by its protocol
_LEVELS = 6  # of red, green and blue in the palettes of sixels and of 256 colours
_DITHER = ((0, 8, 2, 10), (12, 4, 14, 6), (3, 11, 1, 9), (15, 7, 13, 5))  # Bayer's
_DRAW_SIXELS = frozenset(("foot", "foot-extra", "mlterm", "yaft-256color", "contour"))
_TRUE_COLOURS = frozenset(("truecolor", "24bit"))


class Way(Enum):
    """How a picture is drawn."""

    KITTY = "kitty"
    SIXEL = "sixel"
    BLOCKS = "blocks"
    NONE = "none"


WAYS = ("auto", *(way.value for way in Way))  # what an option may be given


@dataclass(frozen=True, slots=True)
class Shown:
    """The pixels of a picture: three bytes each, line by line."""

    width: int
    height: int
    rgb: bytes


def way(environ: Mapping[str, str], wanted: str = "auto") -> Way:
    """How this terminal draws pictures. wanted: one of WAYS."""
    if wanted != "auto":
        return Way(wanted)
    term, program = environ.get("TERM", ""), environ.get("TERM_PROGRAM", "")
    if term == "dumb" or environ.get("NO_COLOR"):
        return Way.NONE
    if environ.get("TMUX") or term.startswith(("screen", "tmux")):
        return Way.BLOCKS  # what stands between does not pass the others on
    if environ.get("KITTY_WINDOW_ID") or term in ("xterm-kitty", "xterm-ghostty") or program in ("WezTerm", "ghostty"):
        return Way.KITTY
    if term in _DRAW_SIXELS or "sixel" in term:
        return Way.SIXEL
    return Way.BLOCKS


def seen_by(door: Door, wanted: str = "auto") -> Way:
    """How a person at a terminal is drawn a picture; NONE where nobody sees it."""
    return way(door.environ, wanted) if door.form is Form.TEXT and sys.stdout.isatty() else Way.NONE


def show_preview(door: Door, webp: bytes, columns: int, wanted: str = "auto") -> None:
    """Draws a preview or sticker, so many characters wide at most, to a person at a terminal; to nobody else.

    What cannot be unpacked is said and no fault. wanted: one of WAYS.
    """
    text = preview(door, webp, columns, wanted)
    if text is None:
        show.talk(door, "(The preview cannot be shown.)")
    elif text:
        click.echo(text, nl=False)


def preview(door: Door, webp: bytes, columns: int, wanted: str = "auto") -> str | None:
    """The text that draws it there, the end of its last line included; "" where nobody sees it, None for no picture."""
    drawn_by = seen_by(door, wanted)
    if drawn_by is Way.NONE:
        return ""
    columns = max(1, min(columns, COLUMNS_MAX))
    width, height = (columns, 2 * columns) if drawn_by is Way.BLOCKS else (columns * CELL[0], columns * CELL[1])
    shown = unpacked(door, webp, min(width, SIDE_MAX), min(height, SIDE_MAX))
    if shown is None:
        return None
    return drawn(shown, drawn_by, columns, door.environ.get("COLORTERM", "") in _TRUE_COLOURS)


def row(door: Door, webps: Sequence[tuple[bytes, int, int]], columns: int, wanted: str = "auto") -> str:
    """Pictures beside each other, each as a square so many characters wide, out of its middle; "" where nobody sees it.

    webps: previews, with the width and height of what each is of. What cannot be unpacked is left out.
    """
    drawn_by = seen_by(door, wanted)
    side = min(columns if drawn_by is Way.BLOCKS else columns * CELL[0], SIDE_MAX)
    cells = []
    for webp, width, height in webps if drawn_by is not Way.NONE else ():
        short = max(1, min(width, height))
        shown = unpacked(door, webp, *(max(side, min(side * one // short, SIDE_MAX)) for one in (width, height)))
        cells += [square(shown, side)] if shown is not None else []
    if not cells:
        return ""
    wide = (columns + GAP) * len(cells)
    return drawn(beside(cells), drawn_by, wide, door.environ.get("COLORTERM", "") in _TRUE_COLOURS)


def square(shown: Shown, side: int) -> Shown:
    """The middle of a picture; black around one that is smaller."""
    left, top = (shown.width - side) // 2, (shown.height - side) // 2
    lines = []
    for y in range(top, top + side):
        line = shown.rgb[y * shown.width * 3 : (y + 1) * shown.width * 3] if 0 <= y < shown.height else b""
        line = bytes(max(0, -left) * 3) + line[max(0, left) * 3 :][: side * 3]
        lines.append(line.ljust(side * 3, b"\0")[: side * 3])
    return Shown(side, side, b"".join(lines))


def beside(cells: Sequence[Shown]) -> Shown:
    """Pictures of one height as one picture, with a gap between them."""
    height = cells[0].height
    lines = [
        bytes(GAP * 3).join(one.rgb[y * one.width * 3 : (y + 1) * one.width * 3] for one in cells)
        for y in range(height)
    ]
    return Shown(sum(one.width for one in cells) + GAP * (len(cells) - 1), height, b"".join(lines))


def with_sticker(door: Door, client: Client, message: Mapping[str, Any], text: str) -> str:
    """The text of a message, and below it its sticker where it has one and somebody sees it."""
    if not message.get("sticker") or seen_by(door) is Way.NONE:
        return text
    try:
        picture = bytes.fromhex(client.call("stickers.show", sticker=message["id"])["webp"])
    except Failure as gone:
        if gone.code != "sticker.unknown":  # it was recalled meanwhile
            raise
        return text
    return f"{text}\n{preview(door, picture, STICKER_COLUMNS) or ''}".removesuffix("\n")


def drawn(shown: Shown, by: Way, columns: int, true_colours: bool) -> str:
    """The text that draws a picture, the end of its last line included."""
    match by:
        case Way.KITTY:
            return kitty(shown, columns)
        case Way.SIXEL:
            return sixel(shown)
        case Way.BLOCKS:
            return blocks(shown, true_colours)
        case Way.NONE:
            return ""


def blocks(shown: Shown, true_colours: bool) -> str:
    """Half blocks: two pixels a character, in 24-bit colours or in the 216 of the old palette."""
    lines = []
    for y in range(0, shown.height, 2):
        line, before = [], ""
        for x in range(shown.width):
            upper = _ink(_at(shown, x, y), 38, true_colours)
            lower = _ink(_at(shown, x, y + 1), 48, true_colours) if y + 1 < shown.height else "49"
            colour = f"\x1b[{upper};{lower}m"
            line.append(f"{colour if colour != before else ''}▀")
            before = colour
        lines.append(f"{''.join(line)}\x1b[0m\n")
    return "".join(lines)


def sixel(shown: Shown) -> str:
    """Sixels in 216 colours, dithered: bands of six lines, each drawn once for every colour in it."""
    numbers = [_dithered(_at(shown, x, y), x, y) for y in range(shown.height) for x in range(shown.width)]
    palette = "".join(
        f"#{number};2;{';'.join(str(part * 100 // (_LEVELS - 1)) for part in _parts(number))}"
        for number in sorted(set(numbers))
    )
    bands = (numbers[y * shown.width : (y + 6) * shown.width] for y in range(0, shown.height, 6))
    drawn_bands = "-".join("$".join(_band(band, shown.width)) for band in bands)
    return f'\x1bPq"1;1;{shown.width};{shown.height}{palette}{drawn_bands}\x1b\\\n'


def kitty(shown: Shown, columns: int) -> str:
    """Kitty's protocol: the pixels as they are, in pieces; the terminal scales a picture that is wider."""
    text = base64.standard_b64encode(shown.rgb).decode()
    pieces = [text[at : at + _KITTY_CHARS] for at in range(0, len(text), _KITTY_CHARS)]
    wide = min(columns, -(-shown.width // CELL[0]))
    head = f"a=T,f=24,q=2,s={shown.width},v={shown.height},c={wide},"
    last = len(pieces) - 1
    return (
        "".join(
            f"\x1b_G{head if number == 0 else ''}m={int(number < last)};{piece}\x1b\\"
            for number, piece in enumerate(pieces)
        )
        + "\n"
    )


def unpacked(door: Door, webp: bytes, width: int, height: int) -> Shown | None:
    """The pixels of a picture within this size, from a program that may be owned by it; None where it has none."""
    from protocol import workshop
    from protocol.faults import PeerFault

    if len(webp) > workshop.STICKER_BYTES_MAX or not workshop.is_webp(webp):
        return None
    words = (workshop.WORD, "pixels", str(width), str(height))
    raw = _ran([*start.launcher(door), *words], workshop.surroundings(door.environ), webp, workshop.Pixels)
    try:
        answer = workshop.read(workshop.Pixels, raw)
    except PeerFault:
        return None
    if not isinstance(answer, workshop.Pixels) or answer.width > width or answer.height > height:
        return None
    return Shown(answer.width, answer.height, answer.rgb)


def _ran(command: Sequence[str], environ: Mapping[str, str], given: bytes, wanted: type) -> bytes:
    """What the program writes in its time, cut where it is too much; it is gone then."""
    from protocol import workshop

    bytes_max, ends = workshop.ANSWER_BYTES_MAX[wanted], time.monotonic() + UNPACK_S
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ,
        start_new_session=True,
    ) as program:
        assert program.stdin is not None
        assert program.stdout is not None
        raw = b""
        try:
            with suppress(BrokenPipeError), program.stdin:  # fits into the pipe, so this does not wait
                program.stdin.write(given)
            with selectors.DefaultSelector() as selector:
                selector.register(program.stdout, selectors.EVENT_READ)
                while len(raw) <= bytes_max and selector.select(max(0.0, ends - time.monotonic())):
                    part = os.read(program.stdout.fileno(), bytes_max + 1)
                    if not part:
                        break
                    raw += part
        finally:
            program.kill()
    return raw


def _at(shown: Shown, x: int, y: int) -> bytes:
    place = 3 * (y * shown.width + x)
    return shown.rgb[place : place + 3]


def _ink(pixel: bytes, ground: int, true_colours: bool) -> str:
    if true_colours:
        return f"{ground};2;{pixel[0]};{pixel[1]};{pixel[2]}"
    red, green, blue = ((part * (_LEVELS - 1) + 127) // 255 for part in pixel)
    return f"{ground};5;{16 + 36 * red + 6 * green + blue}"


def _dithered(pixel: bytes, x: int, y: int) -> int:
    push = _DITHER[y % 4][x % 4] * 255 // 16
    red, green, blue = ((part * (_LEVELS - 1) + push) // 255 for part in pixel)
    return 36 * red + 6 * green + blue


def _parts(number: int) -> tuple[int, int, int]:
    return number // 36, number // 6 % 6, number % 6


def _band(band: list[int], width: int) -> Iterator[str]:
    """The six lines of a band, once for each colour, equal signs drawn together."""
    bits: dict[int, bytearray] = {}
    for place, number in enumerate(band):
        bits.setdefault(number, bytearray(width))[place % width] |= 1 << place // width
    for number in sorted(bits):
        runs = ((chr(63 + six), len(list(same))) for six, same in groupby(bits[number]))
        yield f"#{number}" + "".join(f"!{run}{sign}" if run > 3 else sign * run for sign, run in runs)
