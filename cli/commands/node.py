"""init, up, down, status: the identity of this device and the node that serves it."""

import ipaddress
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import click

from cli import anew, cellar, options, places, show, start, ways
from cli import client as connection
from cli.client import Client
from cli.faults import Failure
from cli.options import Door, Form

STOP_S = 15.0  # a node closes its database in well under a second; more means that it hangs
POLL_S = 0.05
LOOK_AGAIN_S = 2.0  # how old what `status --watch` shows may be
GATHER_S = 0.2  # changes that come together are shown together
_BEFELL = {
    "old_copy": "this device had been set back to an older state; what it had said since then is back",
    "two_machines": "this profile also runs on another machine; end one of the two",
    "forked": "others hold something else than this device had told them; it goes on in a new log",
}


@options.command()
@click.option("--name", metavar="TEXT", help="The name that contacts see first; they may call you otherwise.")
@click.pass_obj
def init(door: Door, name: str | None) -> None:
    """Makes your identity on this device."""
    home = door.directory
    places.require_empty(home, "weft --profile NAME init")
    show.talk(door, f"No identity here yet ({places.shown(home)}).")
    default = door.environ.get("USER") or door.environ.get("LOGNAME") or "me"
    if name is None:
        name = click.prompt("Display name", default=default, err=True) if door.asks else default
    passphrase = start.new_passphrase(door, "weft init")
    made = start.run_verb(door, "init", {"name": name, "passphrase": passphrase}, "Making your keys")
    show.outcome(door, made, f"✔ Identity made: {show.account(made['account'])}")
    show.talk(door, f"  Write down your 24 recovery words now: {door.typed('weft backup words')}")
    show.talk(door, f"  Next: {door.typed('weft up')}")


@options.command()
@click.option("-d", "--detach", is_flag=True, help="Leave the node running and return when it serves.")
@click.pass_obj
def up(door: Door, detach: bool) -> None:
    """Starts the node of this identity."""
    home = door.directory
    if not places.has_identity(home):
        raise _no_node(home)
    try:
        with door.connect() as client:
            running = client.call("node.status")
    except Failure as failure:
        if failure.code != "node.down":
            raise
    else:
        _show_up(door, running, already=True)
        return
    passphrase = start.known_passphrase(door, "weft up")
    if detach:
        _show_up(door, start.detached(door, {"passphrase": passphrase}), already=False)
        return

    def ready(told: dict[str, Any]) -> None:
        _show_up(door, told, already=False)
        show.talk(door, "  Ctrl-C stops it.")

    code = start.attached(door, {"passphrase": passphrase}, ready)
    show.talk(door, "The node has stopped; what was queued is kept.")
    click.get_current_context().exit(code)


@options.command()
@click.pass_obj
def down(door: Door) -> None:
    """Stops the node; what is queued is kept."""
    pid_file = door.directory / "run" / "pid"
    with door.connect() as client:
        pid = _pid(pid_file)
        try:
            client.call("node.stop", within_s=STOP_S)
        except Failure as failure:
            if failure.code != "node.silent":
                raise
            said = f"The node (pid {pid}) hangs: asked to stop, it does not answer; what it had accepted is kept."
            raise Failure("node.silent", said, next=f"kill -9 {pid}", verb="End it", data={"pid": pid}) from None
        deadline = time.monotonic() + STOP_S
        began = time.monotonic()
        while pid_file.exists():
            show.passing(door, f"Stopping the node… {int(time.monotonic() - began)} s")
            if time.monotonic() > deadline:
                said = f"The node (pid {pid}) was asked to stop and has not after {STOP_S:.0f} s; nothing is lost."
                raise Failure("node.silent", said, next=f"kill -9 {pid}", verb="End it", data={"pid": pid})
            time.sleep(POLL_S)
    show.passing(door, "")
    show.outcome(door, {"pid": pid, "stopped": True}, f"✔ Node stopped (pid {pid}).")


@options.command()
@click.argument("name", required=False, shell_complete=options.contact_names)
@click.option("--watch", is_flag=True, help="Show it again whenever something changes, until Ctrl-C.")
@click.pass_obj
def status(door: Door, name: str | None, watch: bool) -> None:
    """Shows the node, its contacts and what waits; with NAME, one contact."""
    if watch:
        _watch(door, name)
    with door.connect() as client:
        show.outcome(door, *_status(door, client, name))


def _watch(door: Door, name: str | None) -> NoReturn:
    """Shows the status whenever it is another one, until Ctrl-C, also across restarts of the node."""
    if door.form is Form.JSON:
        door.form = Form.JSONL  # a stream has no end, so it cannot be one object
    patience = connection.Patience(lambda said: show.talk(door, said))
    shown: object = None
    while True:
        try:
            with door.connect() as client:
                client.watch()
                patience.there()
                while True:
                    value, text = _status(door, client, name)
                    now = text if door.form is Form.TEXT else value
                    if now != shown:
                        show.redrawn(door, value, text)
                        shown = now
                    _await_change(client)
        except Failure as failure:
            patience.wait(failure)
            shown = None  # what was said about the node stands on the screen now


def _await_change(client: Client) -> None:
    """Returns soon after something changed, or after some seconds: times and reasons change without being told."""
    for _ in client.changes(within_s=LOOK_AGAIN_S):
        for _ in client.changes(within_s=GATHER_S):
            pass
        return


def _no_node(home: Path) -> Failure:
    """Why there is no node to start."""
    if not places.is_keeper(home):
        return places.no_identity(home)
    said = "This profile is a keeper's, and has no identity; nothing was changed."
    return Failure("keeper.profile", said, next="weft keeper node -d", verb="Its own start")


def _pid(file: Path) -> int:
    """The process that serves this profile; 0 when it is just ending."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0


def reach(addresses: list[str]) -> str:
    """What the addresses that a node listens on say about who can dial it."""
    hosts = [ipaddress.ip_address(address.split("/")[2]) for address in addresses if address.count("/") >= 4]
    if not hosts:
        return "LAN: no network   Internet: no network"
    lan = "reachable" if any(not host.is_loopback for host in hosts) else "only this machine"
    internet = "public address" if any(host.is_global for host in hosts) else "no public address"
    return f"LAN: {lan}   Internet: {internet}"


def _best(addresses: list[str]) -> str:
    """The address at which most others could dial: in the internet, else in the local network; "" without any."""
    direct = [one for one in addresses if "/p2p-circuit" not in one]

    def rank(address: str) -> tuple[bool, bool]:
        host = ipaddress.ip_address(address.split("/")[2])
        return host.is_global, not host.is_loopback

    return max(direct, key=rank, default="")


def _show_up(door: Door, told: Mapping[str, Any], already: bool) -> None:
    pid, addresses = told["pid"], told["addresses"]
    said = f"Node is up already (pid {pid})." if already else f"Node up (pid {pid})."
    show.outcome(
        door,
        {"pid": pid, "addresses": addresses, "already": already},
        f"✔ {said} {reach(addresses)}   Nearby: {told.get('nearby', 'off')}",
    )


def _status(door: Door, client: Client, name: str | None) -> tuple[Any, str]:
    """The status of the node, or of one contact: for a script, and for a person."""
    if places.is_keeper(door.directory):
        return cellar.status(door, client)
    told = client.call("node.status")
    if name is None:
        return told, _status_text(door, told)
    contact = client.call("contacts.show", name=name)  # the node knows which name is meant
    row = next((row for row in told["contacts"] if row["name"] == contact["name"]), None)
    if row is None:
        row = {"name": contact["name"], "state": contact["state"], "online": False, "seen_ms": contact["seen_ms"]}
    return row, "\n".join(ways.lines(row))


def _status_text(door: Door, told: Mapping[str, Any]) -> str:
    kept = f" ({told['kept']} kept)" if told.get("kept") else ""
    lines = [
        f"{show.clean(told['name'])}   {show.account(told['account'])}   profile {told['profile']}   "
        f"up since {show.clock(told['up_since_ms'])} (pid {told['pid']})",
        f"{reach(told['addresses'])}   Beacon: {show.clean(told['beacon'])}   Nearby: {told['nearby']}",
        f"Queued: {told['queued']}{kept}   Keepers: {told['keepers'] or 'none'}",
        ways.dht(told["dht"], bool(told["contacts"])),
        f"Listens on {', '.join(told['addresses']) or 'nothing'}",
    ]
    if told["dht"]["serves"] and (address := _best(told["addresses"])):
        lines.append(f"Others come into the DHT by dht.bootstrap {address}")
    if told.get("offers"):
        lines.append(f"Offers a relay; others use it with relay.addresses {told['offers'][0]}")
    if told["trouble"]:
        lines.append(f"! {show.clean(told['trouble'])}")
    lines += _of_keepers(door, told)
    lines += _of_logs(door, told["logs"])
    lines += _of_debts(door, told["debts"])
    if told["contacts"]:
        heads = ("Contact", "State", "Reached", "Waiting", "")
        lines += ["", show.table(door, heads, [_contact_row(row) for row in told["contacts"]])]
    else:
        lines += ["", f"No contacts yet. Invite somebody: {door.typed('weft invite --qr')}"]
    return "\n".join(lines)


def _of_keepers(door: Door, told: Mapping[str, Any]) -> list[str]:
    """That nobody keeps mail for us, what is wrong with who does, and who asks us for it: a line each."""
    lines = []
    if not told["keepers"] and any(row["state"] == "active" for row in told["contacts"]):
        said = "No keeper: what is sent while you are away comes only once its sender and you are there together."
        offers = told["keeping"].get("offers", ())
        how = f"{show.clean(offers[0])} offers to be one" if offers else "Ask a contact"
        use = door.typed(f"weft keeper use {show.typed_name(offers[0]) if offers else 'NAME'}")
        lines.append(f"! {said} {how}: {use}")
    lines += [f"! Keeper {show.clean(one['name'])}: {show.clean(one['fault'])}" for one in told["keeping"]["faults"]]
    for name in told["keeping"]["asks"]:
        offer = door.typed(f"weft keeper offer {show.typed_name(name)}")
        lines.append(f"• {show.clean(name)} asks you to keep mail: {offer}")
    return lines


def _of_debts(door: Door, told: Mapping[str, Any]) -> list[str]:
    """What waits for the person in the ledgers, and which of them stand still: a line each."""
    offers, asked = told["offers"], told["asked"]
    parts = [f"{offers} offer{'s' if offers > 1 else ''} to accept"] if offers else []
    parts += [f"{asked} request{'s' if asked > 1 else ''} to pay"] if asked else []
    lines = [f"• {' and '.join(parts)}: {door.typed('weft pay')}"] if parts else []
    look = door.typed("weft ledger")
    lines += [f"! The ledger with {show.clean(name)} stands still: {look}" for name in told["paused"]]
    return lines + anew.proposals(door, told.get("proposals", ()))


def _of_logs(door: Door, told: Mapping[str, Any]) -> list[str]:
    """What happened to one's own logs lately, and what waits in them: a line each, with the command that helps."""
    lines = []
    if told["befell"]:
        newest, *rest = told["befell"]
        more = f" (and {len(rest)} more)" if rest else ""
        said = f"Log {show.clean(newest['log'])}, {show.ago(newest['at_ms'])}: {_BEFELL[newest['trouble']]}{more}."
        lines.append(f"! {said} More: {door.typed('weft log proofs')}")
    if told["waiting"]:
        first, *rest = told["waiting"]
        count, anchor = first["entries"], show.clean(first["anchor"])
        said = f"{count:,} entr{'y' if count == 1 else 'ies'} of the log {show.clean(first['log'])}"
        said += f" wait{'s' * (count == 1)} for {anchor} (seen {show.ago(first['seen_ms'])})"
        said += show.lying(count, first["kept"], first["kept_by"])
        more = f", and {len(rest)} more log{'s' * (len(rest) > 1)}" if rest else ""
        again = f"Go on without: {door.typed('weft log reopen ' + show.typed_name(first['log']))}"
        lines.append(f"! {said}{more}. {again if first['others'] else 'Nobody else reads it.'}")
    return lines


def _contact_row(row: Mapping[str, Any]) -> tuple[str, str, str, str, str]:
    return (
        show.clean(row["name"]),
        row["state"],
        ways.reached(row),
        ways.waiting(row),
        show.clean(row.get("reason", "")),
    )
