"""contacts: who you know, and how sure you are of them."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import click

from cli import faults, options, show
from cli.client import Client
from cli.faults import Failure
from cli.options import Door

COMPARE_S = 300.0  # how long to wait for the other side to type its half: two people on the phone
_VERIFIED = {"no": "not verified", "words": "words compared", "digits": "digits compared", "qr": "code compared"}
_ALARMS = {
    "device_lists": "shows two different histories of its devices: compare before you trust what it writes",
    "account_changed": "is another account than before: compare, then weft contacts verify",
    "link_twice": "came by a one-time link that somebody else used too: compare, then weft contacts verify",
    "recovered": "was restored with its recovery words on a new device; nothing to do if you expected it",
    "new_device": "has a new device of the same account; nothing to do if you expected it",
    "restarted": "could not be read for a while, so a new session was begun: was an older database put back?",
    "forked": "has signed two histories of a log: weft log proofs shows them, and has the proof for others",
}


def tag_argument(function: Callable[..., None]) -> Callable[..., None]:
    """The argument TAG: one of yours, or a new one."""
    known = options.completed("profile.tags", lambda rows: [str(row["tag"]) for row in rows])
    return click.argument("tag", metavar="TAG", shell_complete=known)(function)


@options.group()
@click.pass_context
def contacts(ctx: click.Context) -> None:
    """Lists, shows, renames, tags, verifies and blocks contacts."""
    if ctx.invoked_subcommand is None:
        _list(ctx.obj)


@options.sub(contacts, name="list")
@click.pass_obj
def list_all(door: Door) -> None:
    """Lists all contacts."""
    _list(door)


@options.sub(contacts, name="show")
@options.contact_argument
@click.pass_obj
def show_one(door: Door, name: str) -> None:
    """Shows a contact with its devices and safety number."""
    with door.connect() as client:
        contact = client.call("contacts.show", name=name)
    show.outcome(door, contact, _contact_text(contact))


@options.sub(contacts)
@click.argument("handle")
@click.pass_obj
def find(door: Door, handle: str) -> None:
    """Lists who claims HANDLE; whoever knows it can, so ask which is right."""
    with door.connect() as client:
        found = client.call("contacts.find", handle=handle)
    lines = [(row["account"], show.clean(row["claims"])) for row in found]
    none = "Nobody claims this handle now; who does may be offline."
    show.rows(door, "claims", found, show.table(door, ("Account", "Calls itself"), lines) if lines else none)
    if found:
        show.talk(door, "! Nobody has verified these: whoever knows the handle can claim it. Ask which one is right.")
        show.talk(door, f"  Next: {door.typed('weft add ' + (found[0]['account'] if len(found) == 1 else 'wf1…'))}")


@options.sub(contacts)
@options.contact_argument
@click.argument("new")
@click.pass_obj
def rename(door: Door, name: str, new: str) -> None:
    """Calls a contact otherwise; only you see it."""
    with door.connect() as client:
        contact = client.call("contacts.rename", name=name, new=new)
    show.outcome(door, contact, f"✔ {show.clean(contact['name'])} is the name from now on.")


@options.sub(contacts)
@options.contact_argument
@click.option("--digits", metavar="DIGITS", help="The 60 digits from the other screen: verified if they are yours too.")
@click.option("--qr", is_flag=True, help="Draw the number as a QR code for the other side to compare.")
@click.option("--words", is_flag=True, help="Compare three words, both at once, e.g. on the phone.")
@click.pass_obj
def verify(door: Door, name: str, digits: str | None, qr: bool, words: bool) -> None:
    """Makes sure that a contact is who you think, by comparing over another way."""
    with door.connect() as client:
        if words:
            how, alike = "words", _same_words(door, client, name)
        elif digits is not None:
            how, alike = "digits", _numbers(digits) == _numbers(client.call("contacts.safety", name=name)["digits"])
        else:
            how, alike = "qr" if qr else "digits", _same_digits(door, client, name, qr)
        if not alike:
            said = (
                f"{show.clean(name)} is not verified: what you compared differs, or nobody compared. If it differs, "
                "somebody may sit between you: meet, or compare on another way."
            )
            raise Failure(
                "contact.unverified", said, next=f"weft contacts show {show.typed_name(name)}", exit=faults.REFUSED
            )
        contact = client.call("contacts.verify", name=name, how=how)
    show.outcome(door, contact, f"✔ {show.clean(contact['name'])} is verified ({_VERIFIED[contact['verified']]}).")


@options.sub(contacts)
@options.contact_argument
@click.pass_obj
def unverify(door: Door, name: str) -> None:
    """Takes a verification back."""
    _change(door, "contacts.unverify", name, "is not verified any more.")


@options.sub(contacts)
@options.contact_argument
@click.pass_obj
def block(door: Door, name: str) -> None:
    """Takes nothing from a contact any more; the contact is not told."""
    _change(door, "contacts.block", name, "is blocked, and is not told.")


@options.sub(contacts)
@options.contact_argument
@click.pass_obj
def unblock(door: Door, name: str) -> None:
    """Ends a block."""
    _change(door, "contacts.unblock", name, "is not blocked any more.")


@options.sub(contacts)
@options.contact_argument
@click.pass_obj
def trust(door: Door, name: str) -> None:
    """Accepts what an alarm about a contact reported, without comparing."""
    _change(door, "contacts.trust", name, "is trusted without a comparison; better: weft contacts verify.")


@options.sub(contacts)
@tag_argument
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=options.contact_names)
@click.pass_obj
def tag(door: Door, tag: str, names: tuple[str, ...]) -> None:
    """Puts contacts under a tag that only you see.

    weft contacts tag family ana bo

    `weft tags` lists them, and a tag stands for all who are under it: weft moments post "…" --to family
    """
    with door.connect() as client:
        people = _named(client, names)  # before anything is changed
        found = [client.call("profile.tag", name=name, tag=tag) for name in people]
    show.rows(door, "contacts", found, f"✔ #{show.clean(tag.strip())}: {show.clean(', '.join(people))}")


@options.sub(contacts)
@tag_argument
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=options.contact_names)
@click.pass_obj
def untag(door: Door, tag: str, names: tuple[str, ...]) -> None:
    """Takes a tag from contacts; who does not have it is left as he is."""
    wanted = tag.strip().casefold()
    with door.connect() as client:
        people = _named(client, names)
        tagged = {row["name"] for row in client.call("profile.marks") if wanted in map(str.casefold, row["tags"])}
        taken = [name for name in people if name in tagged] or people  # of nobody: the node says so
        found = [client.call("profile.untag", name=name, tag=tag) for name in taken]
    show.rows(door, "contacts", found, f"✔ Not #{show.clean(tag.strip())} any more: {show.clean(', '.join(taken))}")


@options.sub(contacts)
@click.argument("file", metavar="[FILE]", required=False)
@click.option("--vcard", is_flag=True, expose_value=False, help="As vCard 4.0; there is no other form yet.")
@click.option("--photos/--no-photos", default=True, help="With their photos, or without. [with]")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.pass_obj
def export(door: Door, file: str | None, photos: bool, force: bool) -> None:
    """Writes your contacts for other programs: to FILE, or to stdout.

    With your remarks and tags, which nobody else sees: keep the file to yourself.
    """
    from cli import address_book

    with door.connect() as client:
        address_book.export(door, client, file, photos, force)


@options.sub(contacts, name="import")
@click.argument("file", metavar="FILE")
@click.pass_obj
def import_file(door: Door, file: str) -> None:
    """Lists who in an address book (vCard, "-": stdin) is on weft; nobody is added."""
    from cli import address_book

    with door.connect() as client:
        address_book.take(door, client, file)


def _list(door: Door) -> None:
    with door.connect() as client:
        marks = {one["account"]: one for one in client.call("profile.marks")}
        found = [marked(row, marks) for row in client.call("contacts.list")]
    names = {name.casefold(): row["account"] for row in found for name in (row["name"], row["remark"])}
    lines = [
        (
            _called(row, names),
            row["state"],
            _VERIFIED[row["verified"]],
            "online" if row["online"] else f"seen {show.ago(row['seen_ms'])}",
            f"! {show.clean(row['alarm'])}" if row["alarm"] else show.clean(row["reason"]),
        )
        for row in found
    ]
    none = f"No contacts yet. Invite somebody: {door.typed('weft invite --qr')}"
    text = show.table(door, ("Name", "State", "Verified", "Seen", ""), lines) if lines else none
    show.rows(door, "contacts", found, text)


def marked(row: dict[str, Any], marks: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """A contact with what you wrote on it. marks: the rows of profile.marks, by account."""
    mine = marks.get(row["account"], {})
    return {**row, "remark": mine.get("remark", ""), "tags": mine.get("tags", [])}


def _named(client: Client, names: Sequence[str]) -> list[str]:
    """What these contacts are called, each once. Raises: Failure."""
    return [*dict.fromkeys(str(client.call("contacts.show", name=name)["name"]) for name in names)]


def _called(row: dict[str, Any], names: dict[str, str]) -> str:
    """What you call a contact, what you wrote on it, and what it calls itself where that differs.

    names: accounts by name and remark, in lower case: "!" marks who goes by the name of another.
    """
    announced = row["announced"].casefold()
    parts = [row["name"], *([f"“{row['remark']}”"] if row["remark"] else []), *(f"#{one}" for one in row["tags"])]
    if row["announced"] and announced != row["name"].casefold():
        mark = "! " if names.get(announced, row["account"]) != row["account"] else ""
        parts.append(f"({mark}calls itself {row['announced']})")
    return show.clean(" ".join(parts))


def _change(door: Door, method: str, name: str, said: str) -> None:
    with door.connect() as client:
        contact: dict[str, Any] = client.call(method, name=name)
    show.outcome(door, contact, f"✔ {show.clean(contact['name'])} {said}")


def _contact_text(contact: dict[str, Any]) -> str:
    lines = [
        f"{show.clean(contact['name'])}   {contact['state']}   {_VERIFIED[contact['verified']]}",
        f"account    {contact['account']}",
        f"calls itself {show.clean(contact['announced']) or '(nothing yet)'}",
        f"known since {show.clock(contact['created_ms'])}   "
        + ("online" if contact["online"] else f"seen {show.ago(contact['seen_ms'])}"),
    ]
    if contact["greeting"]:
        lines.append(f"greeting   {show.clean(contact['greeting'])}")
    if contact["reason"]:
        lines.append(f"why        {show.clean(contact['reason'])}")
    if contact["alarm"]:
        lines.append(f"! {show.clean(contact['name'])} {_ALARMS.get(contact['alarm'], show.clean(contact['alarm']))}")
    lines += ["safety number", *_digit_lines(contact["safety_number"])]
    return "\n".join(lines)


def _same_words(door: Door, client: Client, name: str) -> bool:
    if not door.asks:
        return False
    show.talk(door, f"{show.clean(name)} types the same at the other end now. Waiting… (Ctrl-C ends it)")
    words = client.call("contacts.compare", name=name, within_s=COMPARE_S)["words"]
    show.talk(door, "   " + "   ".join(words))
    return click.confirm("Does the other side see the same three words?", default=False, err=True)


def _same_digits(door: Door, client: Client, name: str, qr: bool) -> bool:
    safety = client.call("contacts.safety", name=name)
    drawn = show.code(safety["qr"]) if qr else ""
    show.talk(door, drawn + "\n".join(_digit_lines(safety["digits"])))
    if not door.asks:
        return False
    return click.confirm("Does the other side see the same number?", default=False, err=True)


def _digit_lines(digits: str) -> list[str]:
    """60 digits as three lines of four groups."""
    groups = re.findall(r"\d{1,5}", _numbers(digits))
    return ["   " + " ".join(groups[start : start + 4]) for start in range(0, len(groups), 4)]


def _numbers(text: str) -> str:
    return "".join(character for character in text if character.isascii() and character.isdigit())
