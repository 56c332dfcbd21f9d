"""The settings of a node: the one table of their names, types, defaults and meaning.

They are kept as text in the database (store/settings.py), so what is set survives, and what is not follows the
default of the version that runs. Not here: where they are kept, and what acts on them.
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from node.network import Address, PeerId, parts_of, peer_of_text
from node.web import proxies
from protocol import handle_record
from protocol.faults import PeerFault, UserFault, quoted

Value = str | int | bool


class UnknownSetting(UserFault):
    """There is no setting of that name."""

    code = "config.unknown"
    next = "weft config list"
    exit = 5


class BadSetting(UserFault):
    """That value does not fit the setting; nothing was changed."""

    code = "config.value"
    next = "weft config list"
    exit = 2


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table. parse: text to value, raises ValueError with what is allowed."""

    name: str
    default: Value
    parse: Callable[[str], Value]
    doc: str


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= 12 and low <= int(text) <= high):
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return parse


def _one_of(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(" or ".join(choices))
        return text.lower()

    return parse


def _yes_no(text: str) -> bool:
    if text.lower() in ("yes", "on", "true", "1"):
        return True
    if text.lower() in ("no", "off", "false", "0"):
        return False
    raise ValueError("yes or no")


def _work(text: str) -> int:
    if text not in ("0", *map(str, range(WORK_BITS_MIN, WORK_BITS_MAX + 1))):
        raise ValueError(f"0, or a whole number from {WORK_BITS_MIN} to {WORK_BITS_MAX}")
    return int(text)


def _host(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("an IPv4 or IPv6 address such as 0.0.0.0, 127.0.0.1 or ::") from None


PEERS_MAX = 8
WORK_BITS_MIN = 20  # a second of a slow machine
WORK_BITS_MAX = 24  # a quarter of a minute; who has a graphics card does a thousand times as much


def _handle(text: str) -> str:
    try:
        return handle_record.normalised(text)
    except handle_record.BadHandle:
        raise ValueError("one line of 3 characters or more, and of 64 bytes at most") from None


def _proxy(text: str) -> str:
    return proxies.proxy_of(text).text


def _peers(text: str) -> str:
    given = [one.strip() for one in text.split(",") if one.strip()]
    try:
        peers_of(",".join(given))
    except PeerFault:
        given = []
    if not 0 < len(given) <= PEERS_MAX:
        raise ValueError(f"up to {PEERS_MAX} of /ip4/IP/tcp/PORT or /ip4/IP/tcp/PORT/p2p/ID, with commas between")
    return ",".join(given)


def peers_of(text: str) -> tuple[tuple[Address, PeerId | None], ...]:
    """The peers that relay.addresses and dht.bootstrap name; None: whoever is there. Raises: Malformed."""
    found = []
    for one in text.split(",") if text else ():
        address, named, peer = one.partition("/p2p/")
        parts_of(address)
        found.append((Address(address), peer_of_text(peer) if named else None))
    return tuple(found)


SETTINGS: tuple[Setting, ...] = (
    Setting("listen.port", 0, _whole(0, 65_535), "TCP port to listen on; 0 = any free one, kept for the next start."),
    Setting("listen.address", "0.0.0.0", _host, "Address to listen on; 127.0.0.1 = only this machine."),
    Setting("lan.beacon", True, _yes_no, "Whether contacts on the same network find you by themselves; at once."),
    Setting(
        "dht.mode",
        "auto",
        _one_of("auto", "server", "client", "off"),
        "What this node does in the DHT: auto = serves where others can dial it; off = asks nobody either; at once.",
    ),
    Setting(
        "dht.bootstrap",
        "",
        _peers,
        "Peers to join the DHT by: ADDRESS or ADDRESS/p2p/ID, with commas between; at once.",
    ),
    Setting(
        "find.account",
        True,
        _yes_no,
        "Whether who has your account id can find you in the DHT and ask.",
    ),
    Setting(
        "find.work",
        22,
        _work,
        "Work (20-24 bits) that who has only your account id does to leave a request at your keepers; 0 = he may not.",
    ),
    Setting("find.handle", "", _handle, "A handle under which you can be found, unverified; none if empty."),
    Setting("relay.use", True, _yes_no, "Whether others reach you through relays where they cannot dial you; at once."),
    Setting(
        "relay.addresses",
        "",
        _peers,
        "Relays to use before others: ADDRESS or ADDRESS/p2p/ID, with commas between; at once.",
    ),
    Setting(
        "relay.punch", True, _yes_no, "Whether talks through relays look for a direct way, with contacts; at once."
    ),
    Setting("relay.offer", False, _yes_no, "Whether others may be reached through this node; at once."),
    Setting("relay.circuits", 32, _whole(1, 256), "Circuits of others at a time; each may hold 1 MB of memory."),
    Setting("relay.minutes", 120, _whole(2, 1440), "How long one circuit lasts; who talks on it then asks anew."),
    Setting("relay.circuit_megabytes", 128, _whole(1, 100_000), "What one circuit carries, both ways together."),
    Setting("relay.day_megabytes", 1024, _whole(1, 10_000_000), "What all circuits carry in a day."),
    Setting(
        "keepers.take", True, _yes_no, "Whether contacts who offer to keep mail for you do so, up to three; at once."
    ),
    Setting(
        "keeper.files",
        256,
        _whole(0, 1_000_000),
        "MB of files that each may leave here for whom you keep, beside his mail; 0 = you keep none; at once.",
    ),
    Setting("chat.receipts", False, _yes_no, "Whether contacts are told what you have read of theirs; at once."),
    Setting(
        "chat.typing",
        False,
        _yes_no,
        "Whether contacts who are connected see that you type to them, and you that they do; at once.",
    ),
    Setting(
        "links.preview",
        False,
        _yes_no,
        "Whether a link that you send gets a preview: its site then sees the address of this node, or of links.proxy, "
        "and when; at once.",
    ),
    Setting(
        "links.proxy",
        "",
        _proxy,
        "A proxy for previews alone, which also looks names up: socks5h://HOST:PORT or http://HOST:PORT; at once.",
    ),
    Setting("media.fetch", 8, _whole(0, 10_000), "Files up to so many MB come without your asking; 0 = none do."),
    Setting(
        "media.keep",
        16,
        _whole(0, 2_000),
        "Files up to so many MB are left at a keeper of who is away, by themselves; 0 = none; at once.",
    ),
    Setting(
        "media.quota",
        0,
        _whole(0, 1_000_000_000),
        "MB that files may take: beyond, those that can be fetched again are dropped, nothing else; 0 = no limit.",
    ),
    Setting("log.level", "info", _one_of("debug", "info", "warning", "error"), "What node.log keeps."),
)

_BY_NAME: Mapping[str, Setting] = {setting.name: setting for setting in SETTINGS}


def setting(name: str) -> Setting:
    """The row of that name, in any case of letters. Raises: UnknownSetting."""
    found = _BY_NAME.get(name.strip().lower())
    if found is None:
        raise UnknownSetting(f"There is no setting {quoted(name)}; nothing was changed.", name=quoted(name))
    return found


def parse(name: str, text: str) -> Value:
    """The value that this text means for this setting; an empty text means the default.

    Raises: UnknownSetting, BadSetting.
    """
    row = setting(name)
    if not text.strip():
        return row.default
    try:
        return row.parse(text.strip())
    except ValueError as allowed:
        raise BadSetting(
            f"{row.name} is {allowed}, not {quoted(text.strip())}; nothing was changed.", name=row.name
        ) from None


def text_of(value: Value) -> str:
    """What the database keeps for a value: `parse` gives the value back."""
    match value:
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)


def effective(stored: Mapping[str, str]) -> dict[str, Value]:
    """All settings in the order of the table: the stored value where there is one that fits, else the default.

    A stored text that no longer fits (an older version wrote it) counts as not set, so that a node always starts.
    """
    values: dict[str, Value] = {}
    for row in SETTINGS:
        try:
            values[row.name] = row.parse(stored[row.name]) if stored.get(row.name) else row.default
        except ValueError:
            values[row.name] = row.default
    return values
