"""The room of books and statements."""

from typing import Any

from features.books.service import Books
from node.feature import Feature
from store.database import Tx
from store.inbox import Arrival


def _nothing(_tx: Tx, _arrival: Arrival) -> tuple[Any, ...]:
    return ()


FEATURE = Feature(name="books", contents=(), migrations=(), apply=_nothing, open=Books)
