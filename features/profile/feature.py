"""The room of profiles: what contacts say of themselves, and what only we wrote on them."""

from dataclasses import asdict

from features.profile import places, returning, service, view
from features.profile.content import Profile
from features.profile.service import Profiles
from node.feature import Feature, Keeping
from store import people, remarks
from store.database import Tx


def _show(tx: Tx, contact_id: int) -> dict[str, object] | None:
    """As in profile.show; nothing of ours, which only we change."""
    return asdict(service.shown(tx, people.contact(tx, contact_id))) if contact_id else None


def _show_card(tx: Tx, card_id: int) -> dict[str, object] | None:
    one = view.card(tx, card_id)
    return None if one is None else asdict(service.introduced(tx, one))


def _show_location(tx: Tx, row: int) -> dict[str, object] | None:
    one = view.location(tx, row)
    return None if one is None else asdict(places.seen(tx, one))


def _show_marks(tx: Tx, contact_id: int) -> dict[str, object] | None:
    return asdict(service.marked(tx, people.contact(tx, contact_id)))


FEATURE = Feature(
    name="profile",
    contents=(Profile,),  # cards and places are lines of a chat, and arrive there
    migrations=view.MIGRATIONS,
    apply=view.apply,
    open=Profiles,
    shows={view.CHANGED: _show, view.CARDS: _show_card, view.LOCATIONS: _show_location, remarks.CHANGED: _show_marks},
    run=service.run,
    keeping=Keeping(view.keep, view.marks_of, view.put_back),
    keeping_own=Keeping(returning.keep, returning.own_of, returning.put_back),
    restored=returning.restored,
)
