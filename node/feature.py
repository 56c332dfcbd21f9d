"""What a room is to the node: one record that names its contents, tables, service and protocols."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import trio

from crypto.keys import Entropy
from node.network import Stream
from protocol import attestation, carrying, content, grant, mailbox, receipt
from store.database import Migration, Tx
from store.identity import Identity
from store.inbox import Arrival

if TYPE_CHECKING:
    from node.core import Core

Content = Any  # a frozen dataclass of a room's content.py
Show = Callable[[Tx, int], dict[str, object] | None]
Passing = Callable[[Any], AbstractContextManager[trio.MemoryReceiveChannel[dict[str, object]]]]
"""Of the service: opens a channel of what happens from now on."""


@dataclass(frozen=True, slots=True)
class Keeping:
    """What a room adds to a backup beside messages (docs/protocol/backup.md 3).

    keep: what it has of a contact, at most 40 KiB, None for nothing. check: returns when these bytes are such.
    put_back: takes them in again, into empty tables. Both raise PeerFault. The contact is 0 where it is about us.
    """

    keep: Callable[[Tx, int], bytes | None]
    check: Callable[[bytes], object]
    put_back: Callable[[Tx, int, bytes], None]


Restored = Callable[[Tx, Identity, int, Entropy], None]
"""(tx, identity, now_ms, entropy): what a room decides and says once an account is back on this new device."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A room.

    contents: the record classes it understands, each with KIND and CHANNELS. apply: takes one arrival in the inbox's
    transaction and returns the contents to answer with, which are posted in the same transaction. open: makes the
    service; its public async methods are the local API `name.method`. shows: what a change of a topic looks like to
    watchers. passing: topics of what is stored nowhere, told to who watches at that moment. serves: libp2p protocols of
    its own. run: the service's background work, until cancelled. keeping: what of its tables is in a backup, of each
    contact; keeping_own: the same of ourselves. restored: runs in the transaction that ends a restore. needs: the rooms
    on which this one builds.
    """

    name: str
    contents: tuple[type, ...]
    migrations: tuple[Migration, ...]
    apply: Callable[[Tx, Arrival], tuple[Content, ...]]
    open: Callable[["Core"], Any]
    shows: Mapping[str, Show] = field(default_factory=dict)
    passing: Mapping[str, Passing] = field(default_factory=dict)
    serves: Mapping[str, Callable[[Any, Stream], Awaitable[None]]] = field(default_factory=dict)
    run: Callable[[Any], Awaitable[None]] | None = None
    keeping: Keeping | None = None
    keeping_own: Keeping | None = None
    restored: Restored | None = None
    needs: tuple[str, ...] = ()


SAID = (
    receipt.Receipt,
    *grant.CONTENTS,
    *attestation.CONTENTS,
    *mailbox.CONTENTS,
    *carrying.CONTENTS,
)  # what messages may say that belongs to no room


def kinds_of(features: Sequence[Feature]) -> content.Kinds:
    """What messages may say to a node with these rooms. Raises: ValueError when two claim one kind."""
    return content.Kinds((*SAID, *(one for feature in features for one in feature.contents)))
