"""Settings of the node by name, as text. What the names mean and their defaults: node/config.py."""

from store.database import Tx

CHANGED = "settings.changed"  # topic of changes; the key says nothing


def get(tx: Tx, name: str) -> str | None:
    """The value that was set, or None."""
    row = tx.one("SELECT value FROM setting WHERE name = ?", (name,))
    return None if row is None else str(row[0])


def put(tx: Tx, name: str, value: str) -> None:
    """Sets a value."""
    tx.execute("INSERT OR REPLACE INTO setting (name, value) VALUES (?, ?)", (name, value))
    tx.changed(CHANGED, 0)


def drop(tx: Tx, name: str) -> None:
    """Unsets a value."""
    tx.execute("DELETE FROM setting WHERE name = ?", (name,))
    tx.changed(CHANGED, 0)


def all_set(tx: Tx) -> dict[str, str]:
    """Every value that was set, by name."""
    return {str(name): str(value) for name, value in tx.all("SELECT name, value FROM setting ORDER BY name")}
