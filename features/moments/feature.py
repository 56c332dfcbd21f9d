"""The room of moments: a feed that a person shares with the contacts they choose."""

from features.moments.content import CONTENTS
from node.feature import Feature

FEATURE = Feature(
    name="moments",
    contents=CONTENTS,
    migrations=(),
    apply=lambda _tx, _arrival: (),
    open=lambda _core: None,
    needs=("media", "profile"),
)
