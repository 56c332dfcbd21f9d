"""The room of moments: a feed that a person shares with the contacts they choose."""

from dataclasses import asdict

from features.moments import awaited, hearing, importing, pictures, returning, service, view, wall
from features.moments.content import CONTENTS
from features.moments.service import Moments
from features.moments.wall import Eye
from node.feature import Feature, Keeping
from store.database import Tx


def _show_notice(tx: Tx, number: int) -> dict[str, object] | None:
    one = wall.notice(tx, Eye(wall.newest_ms(tx)), number)
    return None if one is None else asdict(one)


FEATURE = Feature(
    name="moments",
    contents=CONTENTS,
    migrations=(*view.MIGRATIONS, pictures.PICTURES_SCHEMA, importing.IMPORTS_SCHEMA, awaited.SCHEMA),
    apply=hearing.apply,
    open=Moments,
    shows={view.CHANGED: service.shown, view.NOTICED: _show_notice},
    run=service.run,
    keeping=Keeping(returning.keep, returning.check, returning.put_back),
    keeping_own=Keeping(returning.keep_own, returning.check_own, returning.put_back_own),
    restored=returning.restored,
    needs=("contacts", "media", "profile"),
)
