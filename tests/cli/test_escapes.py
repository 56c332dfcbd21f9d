"""What other people call themselves and write is shown without anything that steers a terminal or turns a line."""

import unicodedata
from pathlib import Path

import pytest

from tests.cli import contacts_room, fake, strangers

EVIL = "\x1b[2J\x1b]0;owned\x07\x9b31mred\u202egpj.exe\u2066\u200b\r\bBo\x00\u2028\U000e0041"
NAME = f"Bo{EVIL}"
COMMANDS = (
    ("contacts",),
    ("contacts", "list"),
    ("contacts", "show", NAME),
    ("contacts", "unverify", NAME),
    ("contacts", "block", NAME),
    ("contacts", "trust", NAME),
    ("contacts", "verify", NAME, "--digits", "1"),
    ("contacts", "verify", NAME, "--digits", contacts_room.DIGITS),
    ("requests",),
    ("requests", "accept", NAME),
    ("requests", "reject", NAME),
    ("status",),
    ("status", NAME),
    ("inbox",),
    ("inbox", "--unread"),
    ("read", NAME),
    ("chat", NAME),
    ("chats",),
    ("chats", "timer", NAME),
    ("chats", "pin", NAME),
    ("draft", NAME),
    ("draft", NAME, EVIL),
    ("star", "00000001"),
    ("send", NAME, EVIL),
    ("send", "nobody" + EVIL, "hi"),
    ("invite", "--list"),
    ("nearby",),
    ("nearby", "on"),
    ("nearby", "greetings"),
    ("nearby", "greet", EVIL, EVIL),
    ("nearby", "block", "k3f9"),
    ("nearby", "reports"),
    ("config",),
    ("version",),
)


def steering(text: str) -> list[str]:
    """The characters that do something to a terminal, but for the ends of our own lines."""
    kinds = ("Cc", "Cf", "Cs", "Zl", "Zp")
    return [hex(ord(one)) for one in text if unicodedata.category(one) in kinds and one != "\n"]


async def world_of_evil(world: fake.World) -> None:
    (row,) = world.contacts.rows
    row.update(
        account=fake.ACCOUNT,
        announced=EVIL,
        greeting=EVIL,
        reason=EVIL,
        state="request",
        alarm=EVIL,
        seen_ms=1_790_000_000_000,
    )
    world.node.trouble = world.nearby.trouble = EVIL
    world.nearby.said.append(strangers.stranger("k3f9", name=EVIL, text=EVIL, reason=EVIL))
    met = {"id": "k3f9", "name": EVIL, "seen_ms": 1, "heard_ms": 1, "distance": "same network", "greeting": ""}
    world.nearby.rows.append(met)
    world.nearby.kept.append({**met, "key": "00", "text": EVIL, "reason": EVIL, "reported_ms": 1})
    await world.chat.receive(NAME, EVIL)
    sent = (await world.chat.send_all(NAME, [EVIL]))[0]
    await world.chat.become(int(str(sent["seq"])), "failed", EVIL)


@pytest.mark.parametrize("form", ["", "--json", "--jsonl"])
@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]).partition("Bo")[0])
async def test_names_and_texts_steer_no_terminal(tmp_path: Path, words: tuple[str, ...], form: str) -> None:
    async with fake.node(tmp_path, NAME) as world:
        await world_of_evil(world)
        ran = await world.weft(*([form] if form else []), "--no-input", *words)
        assert ran.out + ran.err
        assert steering(ran.out) == []
        assert steering(ran.err) == []
        if form and ran.code == 0 and words[0] in ("inbox", "read"):  # and nothing of it is lost to a script
            assert repr(EVIL)[1:-1] in str(ran.lines)


async def test_persian_and_emoji_are_shown_as_they_were_written(tmp_path: Path) -> None:
    said = "می\u200cخواهم \U0001f469\u200d\U0001f4bb"
    async with fake.node(tmp_path, "Bo") as world:
        await world.chat.receive("Bo", said)
        assert said in (await world.weft("inbox")).out
