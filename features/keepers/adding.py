"""Keeper nodes of our own: added by their code, found by the names that we give them."""

from features.keepers.faults import BadKeeperName, KeeperNameTaken
from protocol import identity, invite, keep_code
from protocol.faults import quoted
from protocol.keep_code import Code
from store import keepers, people
from store.database import Tx
from store.keepers import Keeper

FIRST = "home"  # what a node of our own is called where nobody says something else
TTL_S = 90 * 86_400  # at a node of one's own


def code_of(text: str) -> Code | None:
    """The code in what a person typed; None where it is a name. Raises: BadCode."""
    return keep_code.of_text(text) if text.strip().startswith(keep_code.PREFIX) else None


def add(tx: Tx, code: Code, name: str | None, now_ms: int) -> Keeper:
    """The keeper of this code, under this name; known already, it is called so from now on.

    name: None for the one that it has, or "home" where it has none.

    Raises: BadKeeperName, KeeperNameTaken.
    """
    known = next((one for one in keepers.known(tx) if one.contact == keepers.OWN and one.peer == code.peer), None)
    name = name.strip() if name is not None else known.name if known is not None else FIRST
    if not name.isprintable() or not 1 <= len(name.encode("utf-8", "surrogatepass")) <= identity.NAME_BYTES_MAX:
        raise BadKeeperName
    before = own(tx, name)
    if (before is not None and before.peer != code.peer) or _is_contact(tx, name):
        raise KeeperNameTaken(f"{quoted(name)} is a contact or another node of yours; nothing was changed.")
    addresses = tuple(map(invite.address_text, code.endpoints))
    return keepers.add_own(tx, name, code.permit, code.find, code.peer, addresses, TTL_S, now_ms)


def own(tx: Tx, name: str) -> Keeper | None:
    """The node of our own that is called so, in any case of letters."""
    folded = name.strip().casefold()
    of_ours = (one for one in keepers.known(tx) if one.contact == keepers.OWN)
    return next((one for one in of_ours if one.name.casefold() == folded), None)


def _is_contact(tx: Tx, name: str) -> bool:
    return any(one.name.casefold() == name.casefold() for one in people.contacts(tx))
