"""The room in which contacts agree to keep mail for each other."""

from dataclasses import asdict

from features.keepers import returning, service, view
from features.keepers.content import Asked, Left, Offer
from features.keepers.service import Keepers
from node.feature import Feature, Keeping
from store import keepers, people
from store.database import Tx


def _show(tx: Tx, keeper_id: int) -> dict[str, object] | None:
    one = keepers.find(tx, keeper_id)
    return None if one is None else asdict(service.shown(tx, one))


def _show_offer(tx: Tx, contact_id: int) -> dict[str, object] | None:
    """What is new between us and a contact: whether we keep for him, and whether he asks for it."""
    one = view.given(tx, contact_id)
    return {
        "name": people.contact(tx, contact_id).name,
        "space": 0 if one is None else one.space,
        "asks": contact_id in view.noted(tx, view.Word.ASKS),
    }


FEATURE = Feature(
    name="keepers",
    contents=(Offer, Asked, Left),
    migrations=view.MIGRATIONS,
    apply=view.apply,
    open=Keepers,
    shows={keepers.CHANGED: _show, view.CHANGED: _show_offer},
    run=service.run,
    keeping=Keeping(returning.keep, returning.check, returning.put_back),
    restored=returning.restored,
)
