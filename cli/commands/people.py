"""invite, add, requests: how two people become contacts."""

import sys
import time
from collections.abc import Callable
from typing import Any

import click

from cli import faults, options, show
from cli.client import Client
from cli.faults import Failure
from cli.options import Door, Form

ADD_WAIT_S = 10.0  # without --wait; two nodes in one network need about a second
TICK_S = 1.0
WORK_WAIT_S = 180.0  # without --wait, while the node works on what a keeper asks for: many times what it mostly takes
ROUND_S = 30.0  # added to what is left, if that is more, so that a day that has just begun is shown as 24 h
LINK_CHARS_MAX = 512  # a link has at most 173; whatever is longer is not read from stdin


@options.command()
@click.option("--qr", is_flag=True, help="Draw the link as a QR code too.")
@click.option("--once/--long-term", default=True, help="For one person, or for many who then ask to be accepted.")
@click.option("--expires", callback=options.seconds, default="24h", metavar="TIME", help="How long it is valid. [24h]")
@click.option("--wait/--no-wait", default=None, help="Wait until somebody joins. [on a terminal]")
@click.option("--list", "listing", is_flag=True, help="List the invitations that are still open.")
@click.option("--revoke", metavar="ID", help="Make an invitation worthless.")
@click.pass_obj
def invite(
    door: Door, qr: bool, once: bool, expires: float, wait: bool | None, listing: bool, revoke: str | None
) -> None:
    """Makes a link that lets somebody become your contact."""
    with door.connect() as client:
        if listing:
            _list_invitations(door, client)
            return
        if revoke is not None:
            answer = client.call("contacts.revoke", id=revoke)
            show.outcome(door, answer, "✔ Nobody can use that invitation any more.")
            return
        waits = wait if wait is not None else door.asks and door.form is Form.TEXT
        known: set[str] = set()
        if waits:
            client.watch("contacts")
            known = {row["account"] for row in _people(client)}
        made = client.call("contacts.invite", kind="once" if once else "long-term", expires_s=int(expires))
        drawn = show.code(made["link"]) if qr else ""
        use = "one use" if once else "for many, each asks"
        show.outcome(door, made, f"{drawn}{made['link']}")
        left_s = max(0.0, made["expires_ms"] / 1000 - time.time())
        ends = show.span(left_s + ROUND_S if left_s > ROUND_S else left_s)
        if not made["addresses"]:
            said = "! This node has no network, so the link names no address: make it again when there is one."
            show.talk(door, said)
        show.talk(door, f"  {use}, ends in {ends}.{' Waiting… (Ctrl-C keeps it valid)' if waits else ''}")
        if waits:
            _wait_for_guest(door, client, made, known)


@options.command()
@click.argument("link")
@click.option("--as", "petname", metavar="NAME", help="What you call this person.")
@click.option("--greeting", metavar="TEXT", default="", help="A line that the other side reads before accepting.")
@click.option(
    "--wait",
    callback=options.seconds,
    metavar="TIME",
    help="Wait so long to become contacts; code 6 if it takes longer. Without it a script waits for the first word.",
)
@click.option("--replace", is_flag=True, help="Take NAME over from a contact who has another account now.")
@click.pass_obj
def add(door: Door, link: str, petname: str | None, greeting: str, replace: bool, wait: float | None) -> None:
    """Becomes the contact of whoever made LINK ("-": read from stdin), or asks the account of an id (wf1…).

    With a contact who is not reached any more, after a restore perhaps, it agrees anew; what you know of each other
    stays.
    """
    if link == "-":
        link = sys.stdin.read(LINK_CHARS_MAX).strip()
    within_s = wait if wait is not None else ADD_WAIT_S
    is_told = _is_decided if door.asks or wait is not None else _is_explained
    with door.connect() as client:
        client.watch("contacts")
        contact = client.call("contacts.add", link=link.strip(), name=petname, greeting=greeting, replace=replace)
        was_contact = contact["state"] == "active"
        if was_contact:
            is_told = _is_met if door.asks or wait is not None else _is_met_or_explained
        if not is_told(contact):
            work_s = wait if wait is not None else WORK_WAIT_S
            contact = _wait_for_contact(door, client, contact, within_s, work_s, is_told)
    if was_contact:
        _show_anew(door, contact, wait)
    else:
        _show_added(door, contact, wait)


@options.group()
@click.pass_context
def requests(ctx: click.Context) -> None:
    """Lists who wants to be your contact, to accept or reject."""
    if ctx.invoked_subcommand is not None:
        return
    door: Door = ctx.obj
    with door.connect() as client:
        waiting = client.call("contacts.requests")
    lines = [
        (
            show.clean(row["name"]),
            show.account(row["account"]),
            show.clean(row["greeting"]),
            show.ago(row["created_ms"]),
        )
        for row in waiting
    ]
    text = show.table(door, ("Name", "Account", "Greeting", "Asked"), lines) if lines else "Nobody is waiting."
    show.rows(door, "requests", waiting, text)
    if waiting:
        show.talk(door, f"  Next: {door.typed('weft requests accept NAME')}")


@options.sub(requests)
@click.argument("who", metavar="ID", shell_complete=options.completed("contacts.requests", options.rows_named))
@click.option("--as", "petname", metavar="NAME", help="What you call this person.")
@click.pass_obj
def accept(door: Door, who: str, petname: str | None) -> None:
    """Accepts a request: you become contacts."""
    with door.connect() as client:
        contact = client.call("contacts.accept", id_or_name=who, name=petname)
    show.outcome(door, contact, f"✔ {show.clean(contact['name'])} is accepted.")
    show.talk(door, _check(door, contact["name"]))


@options.sub(requests)
@click.argument("who", metavar="ID", shell_complete=options.completed("contacts.requests", options.rows_named))
@click.pass_obj
def reject(door: Door, who: str) -> None:
    """Rejects a request; the other side is not told."""
    with door.connect() as client:
        answer = client.call("contacts.reject", id_or_name=who)
    show.outcome(door, answer, "✔ Rejected; the other side is not told.")


def _list_invitations(door: Door, client: Client) -> None:
    found = client.call("contacts.invitations")
    lines = [(row["id"], row["kind"], show.clock(row["expires_ms"]), _used_by(row)) for row in found]
    text = show.table(door, ("Id", "Kind", "Ends", "Used by"), lines) if lines else "No open invitations."
    show.rows(door, "invitations", found, text)


def _used_by(invitation: dict[str, Any]) -> str:
    if invitation["kind"] != "once":
        return "see weft requests"
    return show.account(invitation["spent_by"]) or "nobody yet"


def _wait_for_guest(door: Door, client: Client, made: dict[str, Any], known: set[str]) -> None:
    """Waits until somebody joins by the invitation; a long-term one waits for the next and the next."""
    while True:
        left_s = made["expires_ms"] / 1000 - time.time()
        if left_s <= 0:
            raise Failure("invitation.expired", "The invitation has ended; nobody used it.", next="weft invite")
        for _ in client.changes(within_s=left_s):
            guests = [contact for contact in _people(client) if contact["account"] not in known]
            known |= {contact["account"] for contact in guests}
            for contact in guests:
                _show_guest(door, contact)
            if guests and made["kind"] == "once":
                return


def _people(client: Client) -> list[dict[str, Any]]:
    """Those who came to this account: contacts, and those who ask to become one."""
    return [row for row in client.call("contacts.list") if row["state"] in ("active", "request")]


def _show_guest(door: Door, contact: dict[str, Any]) -> None:
    name = show.clean(contact["name"])
    if contact["state"] == "active":
        show.outcome(door, contact, f"✔ {name} joined.{_check(door, contact['name'])}")
    else:
        accepting = door.typed(f"weft requests accept {show.typed_name(contact['name'])}")
        show.outcome(door, contact, f"• {name} asks to be your contact.   Next: {accepting}")


def _is_decided(contact: dict[str, Any]) -> bool:
    return contact["state"] in ("active", "refused")


def _is_explained(contact: dict[str, Any]) -> bool:
    """Whether it is decided, or it is known why not: also what came of the work that a keeper asks for."""
    return _is_decided(contact) or (bool(contact["reason"]) and not _is_busy(contact))


def _is_met(contact: dict[str, Any]) -> bool:
    return bool(contact["online"])


def _is_met_or_explained(contact: dict[str, Any]) -> bool:
    return _is_met(contact) or (bool(contact["reason"]) and not _is_busy(contact))


def _is_busy(contact: dict[str, Any]) -> bool:
    """Whether the node works on what his keeper asks for."""
    return bool(contact.get("busy"))


def _wait_for_contact(
    door: Door,
    client: Client,
    contact: dict[str, Any],
    within_s: float,
    work_s: float,
    is_told: Callable[[dict[str, Any]], bool],
) -> dict[str, Any]:
    """The contact as it is when enough is told of it, or when the time is over: then never without a reason.

    work_s: the time while the node works on what a keeper asks for.
    """
    began, is_said = time.monotonic(), False
    if not show.is_terminal():
        show.talk(door, "Asking…")
    while (left_s := (work_s if _is_busy(contact) else within_s) - (time.monotonic() - began)) > 0:
        what = ": working on the puzzle of a keeper (Ctrl-C: the node goes on)" if _is_busy(contact) else ""
        show.passing(door, f"Asking… {int(time.monotonic() - began)} s{what}")
        if what and not is_said and not show.is_terminal():
            show.talk(door, "Working on the puzzle that a keeper sets to who is no contact…")
            is_said = True
        for _ in client.changes(within_s=min(left_s, TICK_S)):
            break
        found = client.call("contacts.list")  # why nobody answers is no change that watchers are told of
        contact = next((row for row in found if row["account"] == contact["account"]), contact)
        if is_told(contact):
            break
    show.passing(door, "")
    silent = f"no answer within {show.span(within_s)}; weft tries again by itself"
    return {**contact, "reason": contact["reason"] or ("" if is_told(contact) else silent)}


def _show_anew(door: Door, contact: dict[str, Any], wait: float | None) -> None:
    """What came of an invitation of somebody who is a contact already."""
    name = show.clean(contact["name"])
    if contact["online"]:
        show.outcome(door, contact, f"✔ {name} and you are connected again; what you know of each other stays.")
        return
    said = f"{name} stays your contact, and is asked to agree anew: {show.clean(contact['reason'])}"
    if wait is not None:
        message = f"Not connected after {show.span(wait)}. {said.rstrip('.')}. Nothing is lost; your node goes on."
        raise Failure(
            "contact.waiting", message, next="weft contacts", exit=faults.NOT_DELIVERED, data={"contact": contact}
        )
    show.outcome(door, contact, f"• {said}")


def _show_added(door: Door, contact: dict[str, Any], wait: float | None) -> None:
    name = show.clean(contact["name"]) or "the other side"
    match contact["state"]:
        case "active":
            show.outcome(door, contact, f"✔ {name} is your contact.{_check(door, contact['name'])}")
            return
        case "refused":
            said = contact["reason"] or "the invitation was refused"
            data = {"contact": contact}
            message = f"Not added: {said}."
            raise Failure("contact.refused", message, next="weft contacts", exit=faults.REFUSED, data=data)
        case "waiting":
            said = f"{name}'s node has your request; it waits until it is accepted."
        case _:
            said = contact["reason"]
    if wait is not None:
        data = {"contact": contact}
        message = f"Not contacts yet after {show.span(wait)}: {said.rstrip('.')}. Nothing is lost; your node goes on."
        raise Failure("contact.waiting", message, next="weft contacts", exit=faults.NOT_DELIVERED, data=data)
    show.outcome(door, contact, f"• {contact['state']}: {said}")


def _check(door: Door, name: str) -> str:
    return f"   Check that it is {show.clean(name)}: {door.typed(f'weft contacts verify {show.typed_name(name)}')}"
