"""What a person or a program gives on stdin in place of an argument. Not here: what is done with it (cli/commands/)."""

import sys

import click

from cli import faults

TEXT_BYTES_MAX = 16 << 10  # the node refuses more; here it bounds what is read from stdin


def whole() -> str:
    """The text on stdin without its last line end. What is too long comes cut, but longer than the node takes."""
    if sys.stdin.isatty():
        click.echo("Type the text, then Ctrl-D:", err=True)
    raw = sys.stdin.buffer.read(TEXT_BYTES_MAX + 1)
    if len(raw) > TEXT_BYTES_MAX:
        return raw.decode(errors="replace")  # it may end inside a character
    return decoded(raw.removesuffix(b"\n").removesuffix(b"\r"))


def decoded(raw: bytes) -> str:
    """The text that these bytes are. Raises: Failure."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise faults.usage("What stands on stdin is not text in UTF-8; nothing more is sent.") from None
