"""Every command that a fault tells a person to type is one that `weft` has, and every call that a door makes exists.

Not here: that the sentence beside it is one (tests/test_house.py).
"""

import ast
import inspect
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from cli.__main__ import COMMANDS
from cli.options import Door
from features.bills.service import Bills
from features.bills.view import Shown as BillShown
from features.bills.view import ShownShare
from features.books.service import Books, Part
from features.chat.conversations import Conversation
from features.chat.service import Chat
from features.contacts.cards import Shown
from features.contacts.service import Contacts
from features.keepers.service import Keepers, Owner, Wish
from features.keepers.service import Shown as KeeperShown
from features.logs.service import Logs
from features.logs.service import Shown as LogShown
from features.logs.view import Line as LogLine
from features.media.service import Media
from features.media.storage import Share, Storage
from features.media.view import FileLine
from features.moments.importing import Dated
from features.moments.service import Moments
from features.moments.shown import AnswerLine, MomentLine, Notice, Picture, PlaceLine, Rule
from features.nearby.service import Nearby
from features.nearby.view import Shown as Greeted
from features.packets.lines import Got
from features.packets.lines import Line as PacketLine
from features.packets.service import Packets
from features.paths.lines import Asking, PathLine, Seen
from features.paths.service import Paths
from features.payments.service import Payments
from features.payments.view import Line as Payment
from features.payments.view import Standing as Balance
from features.payments.view import Wish as Request
from features.profile.places import Seen as Place
from features.profile.service import Introduced, Marked, Profiles
from features.profile.service import Shown as Presented
from features.shop.service import Shop
from features.shop.slips import Offered, Paper, PurchaseLine, SaleLine
from features.stickers.service import Kept as KeptSticker
from features.stickers.service import Shown as ShownSticker
from features.stickers.service import Stickers
from features.stickers.view import Listed, PackLine
from features.vouchers.service import Held, Moved, Vouchers
from node.__main__ import CannotListen
from node.keeper_program import KeepService
from node.service import NodeService
from protocol.faults import UserFault
from tests import rules, sources
from tests.cli import (
    bills_room,
    chats_room,
    contacts_room,
    fake,
    keepers_room,
    logs_room,
    media_room,
    moment_files_room,
    moments_room,
    packets_room,
    paths_room,
    payments_room,
    profile_room,
    shop_room,
    stickers_room,
    strangers,
)

PROGRAM = CannotListen  # from the composition root, which imports all that can raise a fault
FOREIGN = {
    "pip": "SQLCipher is a package of Python",
    "df": "the room on a disk is the system's to tell",
    "kill": "a node that hangs takes no command of ours",
    "date": "what the system takes for the time",
    "env": "what the shell sets",
    "ifconfig": "the interfaces, where there is no ip",
    "ip": "the interfaces and routes of Linux",
    "netstat": "the routes, where there is no ip",
    "sudo": "the clock is the system's to set",
    "timedatectl": "the clock is the system's to set",
}
ROOMS = {
    "bills": (Bills, bills_room.BillsRoom),
    "chat": (Chat, fake.ChatRoom),
    "contacts": (Contacts, contacts_room.ContactsRoom),
    "keep": (KeepService,),  # of a keeper of one's own, which is no node
    "keepers": (Keepers, keepers_room.KeepersRoom),
    "logs": (Logs, logs_room.LogsRoom),
    "media": (Media, media_room.MediaRoom),
    "moments": (Moments, moments_room.MomentsRoom),
    "nearby": (Nearby, strangers.NearbyRoom),
    "node": (NodeService, fake.NodeRoom),
    "packets": (Packets, packets_room.PacketsRoom),
    "payments": (Payments, payments_room.PaymentsRoom),
    "books": (Books, payments_room.BooksRoom),
    "vouchers": (Vouchers, payments_room.VouchersRoom),
    "shop": (Shop, shop_room.ShopRoom),
    "paths": (Paths, paths_room.PathsRoom),
    "profile": (Profiles, profile_room.ProfileRoom),
    "stickers": (Stickers, stickers_room.StickersRoom),
}
OURS = {"within_s", "waiting"}  # of Client.call itself


@cache
def told() -> list[tuple[str, str]]:
    """Every value of `next`, of a class or of a call, by its place; NAME where a value goes in."""
    found = []
    for path, tree in sources.product().items():
        for node in rules.walked(tree):
            match node:
                case ast.ClassDef():
                    values = [
                        one.value
                        for one in node.body
                        if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == "next"
                    ]
                case ast.Call(func=ast.Attribute(value=ast.Name(id="findings")), args=[_, _, *values]):
                    pass  # what the doctor says to type
                case ast.Call(func=ast.Name(id="Finding"), args=[_, _, _, *values]):
                    pass
                case ast.Call():
                    values = [one.value for one in node.keywords if one.arg == "next"]
                case _:
                    continue
            found += [(f"{path}:{value.lineno}", typed) for value in values if (typed := text_of(value))]
    return found


def text_of(value: ast.expr) -> str:
    """The text that this expression gives, "" when it is handed through from elsewhere."""
    match value:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "NAME" for part in parts)
        case ast.Call(args=[ast.Tuple(elts=words)]) if ast.unparse(value.func) == "shlex.join":
            return " ".join(text_of(word) or "NAME" for word in words)
        case _:
            return ""


def wrong(typed: str) -> str:
    """What is wrong with a command line, "" when `weft` has it. Nothing of it is run."""
    words = [word for word in shlex.split(typed) if not re.fullmatch(r"[A-Z_]+=\S+", word)]
    if words[0] != "weft":
        return "" if words[0] in FOREIGN else "no command of weft"
    command: click.Command = COMMANDS
    for at, word in enumerate(words[1:], 1):
        if word.startswith("-") and word != "-":
            known = {
                name
                for option in [*COMMANDS.params, *command.params]
                for name in [*option.opts, *option.secondary_opts]
            } | {"--help"}
            if word not in known:
                return f"no option {word}"
        elif isinstance(command, click.Group) and words[at - 1] != "--profile":
            found = command.get_command(click.Context(command), word)
            if found is None:
                return f"no command {word}"
            command = found
    return ""


@pytest.mark.house
def test_every_next_command_exists() -> None:
    assert len(told()) > 30
    assert [(where, typed, complaint) for where, typed in told() if (complaint := wrong(typed))] == []


def test_the_rule_sees_a_command_that_is_not_there() -> None:
    assert wrong("weft accept NAME") == "no command accept"
    assert wrong("weft requests acept NAME") == "no command acept"
    assert wrong("weft invite --qrr") == "no option --qrr"
    assert wrong("make coffee") == "no command of weft"
    assert wrong("WEFT_PORT=0 weft up") == wrong("weft --profile NAME init") == wrong("weft send NAME -") == ""


@pytest.mark.parametrize(
    ("told", "typed"),
    [
        ("weft up", "weft --profile bo up"),
        ("WEFT_PORT=0 weft up", "WEFT_PORT=0 weft --profile bo up"),
        ("weft --profile NEW init", "weft --profile NEW init"),
        ("pip install weft", "pip install weft"),
        ("", ""),
    ],
)
def test_the_next_command_names_the_profile(told: str, typed: str) -> None:
    assert Door(profile="bo", profile_given=True).typed(told) == typed
    assert Door().typed(told) == told


def user_faults(of: type[UserFault] = UserFault) -> Iterator[type[UserFault]]:
    """Every fault of the product that a person may be told."""
    for one in of.__subclasses__():
        if not one.__module__.startswith("tests."):
            yield one
            yield from user_faults(one)


@pytest.mark.parametrize("fault", dict.fromkeys(user_faults()))
def test_every_fault_that_a_person_is_told_says_what_to_type_next(fault: type[UserFault]) -> None:
    told = fault()
    assert told.next
    assert re.fullmatch(r"[a-z]+\.[a-z_]+|[a-z]+", fault.code)
    assert 1 <= fault.exit <= 8


@pytest.mark.house
def test_every_failure_of_the_doors_says_what_to_type_next() -> None:
    made = [
        (path, node)
        for path, tree in sources.product().items()
        if path.startswith("cli/")
        for node in rules.walked(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "Failure"
    ]
    assert len(made) > 15
    assert [f"{path}:{node.lineno}" for path, node in made if "next" not in {one.arg for one in node.keywords}] == []


def calls() -> list[tuple[str, str, set[str]]]:
    """Every call of the local API in cli/: its place, its method, the names of its parameters."""
    found = []
    for path, tree in sources.product().items():
        if not path.startswith("cli/"):
            continue
        for node in rules.walked(tree):
            match node:
                case ast.Call(func=ast.Attribute(attr="call"), args=[ast.Constant(value=str(method))]):
                    given = {one.arg for one in node.keywords if one.arg is not None} - OURS
                    found.append((f"{path}:{node.lineno}", method, given))
                case ast.Call(func=ast.Name(id="_change"), args=[_, ast.Constant(value=str(method)), *_]):
                    taken = "to" if method.startswith("chat.") else "name"
                    found.append((f"{path}:{node.lineno}", method, {taken}))
    return [one for one in found if one[1] not in ("watch", "describe")]


@pytest.mark.house
def test_the_node_takes_what_the_doors_ask() -> None:
    assert len(calls()) > 30
    assert [where for where, method, given in calls() if not takes(method, given)] == []
    assert not takes("chat.send", {"to"})
    assert not takes("chat.send", {"to", "text", "colour"})


@pytest.mark.house
def test_no_room_takes_a_parameter_that_a_door_keeps_for_itself() -> None:
    taken = [
        (name, parameter)
        for rooms in ROOMS.values()
        for room in rooms
        for name, method in inspect.getmembers(room, inspect.isfunction)
        if not name.startswith("_")
        for parameter in OURS & inspect.signature(method).parameters.keys()
    ]
    assert taken == []


def takes(method: str, given: set[str]) -> bool:
    """Whether a room has this method and it takes these parameters, both the real one and that of the doors' tests."""
    room, _, name = method.partition(".")
    for service in ROOMS[room]:
        parameters = [*inspect.signature(getattr(service, name)).parameters.values()][1:]
        needed = {one.name for one in parameters if one.default is inspect.Parameter.empty}
        if not needed <= given <= {one.name for one in parameters}:
            return False
    return True


def test_a_contact_of_the_tests_is_one_of_the_node() -> None:
    assert set(contacts_room.contact("bo")) == set(Shown.__annotations__)
    assert set(chats_room.conversation("bo")) == set(Conversation.__annotations__)
    assert set(strangers.stranger("k3f9")) == set(Greeted.__annotations__)
    assert set(keepers_room.shown("chen")) == {*KeeperShown.__annotations__, "online"}
    assert set(keepers_room.owner("chen")) == set(Owner.__annotations__)
    assert set(keepers_room.wish("chen")) == set(Wish.__annotations__)
    assert set(bills_room.shown()) == set(BillShown.__annotations__)
    assert set(bills_room.share("bo")) == set(ShownShare.__annotations__)
    assert set(logs_room.shown("trip")) == set(LogShown.__annotations__)
    assert set(media_room.file("a", 1)) == set(FileLine.__annotations__)
    assert set(media_room.room()) == set(Storage.__annotations__)
    assert set(media_room.share("bo")) == set(Share.__annotations__)
    assert set(moments_room.moment("hi")) == set(MomentLine.__annotations__)
    assert set(moments_room.picture(1, "a")) == set(Picture.__annotations__)
    assert set(moments_room.place("here")) == set(PlaceLine.__annotations__)
    assert set(moments_room.comment(1, "hi")) == set(AnswerLine.__annotations__)
    assert set(moment_files_room.dated("a")) == set(Dated.__annotations__)
    assert set(moments_room.notice(1, "like")) == set(Notice.__annotations__)
    assert set(moments_room.rule("bo")) == set(Rule.__annotations__)
    assert set(packets_room.line()) == set(PacketLine.__annotations__)
    assert set(packets_room.got(1, "bo", "1")) == set(Got.__annotations__)
    assert set(logs_room.line(0)) == set(LogLine.__annotations__)
    assert set(payments_room.payment("bo")) == set(Payment.__annotations__)
    assert set(payments_room.request("bo")) == set(Request.__annotations__)
    assert set(payments_room.balance("bo")) == set(Balance.__annotations__)
    assert set(payments_room.held("tea")) == set(Held.__annotations__)
    assert set(payments_room.moved("bo")) == set(Moved.__annotations__)
    assert set(payments_room.BooksRoom().first()) == set(Part.__annotations__)
    assert set(shop_room.ware("tea")) == set(Offered.__annotations__)
    assert set(shop_room.sale("bo")) == set(SaleLine.__annotations__)
    assert set(shop_room.order("tea")) == set(PurchaseLine.__annotations__)
    assert set(shop_room.paper()) == set(Paper.__annotations__)
    assert set(paths_room.path()) == set(PathLine.__annotations__)
    assert set(paths_room.asking()) == set(Asking.__annotations__)
    assert set(paths_room.seen()) == set(Seen.__annotations__)
    assert set(profile_room.presented("bo")) == set(Presented.__annotations__)
    assert set(profile_room.marked("bo")) == set(Marked.__annotations__)
    assert set(profile_room.place(1, "bo")) == set(Place.__annotations__)
    assert set(profile_room.introduced(1, "bo", "dee")) == set(Introduced.__annotations__)
    assert set(stickers_room.listed("wave")) == set(Listed.__annotations__)
    assert set(stickers_room.pack("Cats", ["wave"])) == set(PackLine.__annotations__)
    assert set(stickers_room.shown("wave")) == set(ShownSticker.__annotations__)
    assert set(stickers_room.kept("wave", "Cats")) == set(KeptSticker.__annotations__)


async def test_a_home_that_cannot_be_written_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file, where a directory should be")
    world = fake.stopped(tmp_path)
    ran = await world.weft("init", "--no-input", "--json")
    assert (ran.code, ran.json["error"]["code"]) == (1, "profile.unwritable")
    assert ran.json["error"]["message"].endswith("nothing was changed.")
