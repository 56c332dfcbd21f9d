"""What makes a keeper of one's own the same after a restart: its transport key, and what its record is found by.

It stands in the keeper's database, beside what lies there (keeping.py), its settings and the peers of the DHT. There is
no account, no device and no ratchet key in it. Not here: the program (node/keeper_program.py).
"""

from dataclasses import dataclass
from typing import NoReturn

from crypto.keys import Entropy
from store.database import Migration, Tx
from store.keeping import KEEPING

_TABLES = """
CREATE TABLE keeper (
  id INTEGER PRIMARY KEY CHECK (id = 1), transport_seed BLOB NOT NULL, find BLOB NOT NULL
) STRICT;

CREATE TABLE setting (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

CREATE TABLE peer (peer BLOB NOT NULL PRIMARY KEY, addresses BLOB NOT NULL, seen_ms INTEGER NOT NULL)
  STRICT, WITHOUT ROWID;
"""

TABLES: tuple[Migration, ...] = (*KEEPING, Migration("keeper", 1, _TABLES))


@dataclass(frozen=True, slots=True, repr=False)
class Self:
    """transport_seed: 32 bytes, for good: owners dial this PeerId. find: 32 bytes, the secret of its record."""

    transport_seed: bytes
    find: bytes

    def __repr__(self) -> str:
        return "Self(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")


def begin(tx: Tx, entropy: Entropy) -> Self:
    """Who this keeper is, made at its first start."""
    row = tx.one("SELECT transport_seed, find FROM keeper WHERE id = 1")
    if row is None:
        row = (entropy(32), entropy(32))
        tx.execute("INSERT INTO keeper (id, transport_seed, find) VALUES (1, ?, ?)", row)
    return Self(*row)
