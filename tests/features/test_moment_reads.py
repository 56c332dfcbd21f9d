"""What moments read: no statement walks through history, and a write with nothing to tell reads little."""

import os
import re
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trio

from crypto.keys import DhKey, SigningKey
from features.moments import handing, view, writing
from features.moments.audience import Audience, Kind
from features.moments.content import Post
from features.moments.feature import FEATURE
from features.moments.feeds import By
from lab import world
from lab.world import Person, World
from protocol import identity, ids
from store import people, remarks
from store.database import Tx, Worker
from store.people import ContactState
from tests.store import kit
from tests.store.kit import Clock
from tests.stories.acts_kit import run
from tests.stories.log_kit import circle
from tests.stories.moments_kit import comments, gone, one, reads, sees

MIGRATIONS = (*kit.MIGRATIONS, *FEATURE.migrations)
CONTACTS = 500
STATEMENTS_MAX = 25  # of a look that finds nothing to tell, whatever the number of contacts
# As long as history; all else that this room reads is as long as the list of contacts.
GROWING = frozenset(
    {
        *("moment", "moment_answer", "moment_hidden", "moment_notice", "moment_audience", "moment_listed"),
        *("moment_entry", "moment_own_chain", "moment_handed", "moment_read", "moment_chain", "moment_key"),
        *("moment_wait", "moment_picture", "entry", "message"),
    }
)
_NAMED = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)(?:\s+(?!WHERE|SET|ON|ORDER|LIMIT|JOIN|LEFT|CROSS)(\w+))?")
_LITERAL = re.compile(r"x'[0-9a-fA-F]*'|X'[0-9a-fA-F]*'|'(?:[^']|'')*'|\b\d+\b")
_WALKS = re.compile(r"(?:SCAN (?=\w+)|SEARCH (?=\w+ .*\(contact=\?\)))(\w+)")
ALLOWED = frozenset(
    {
        "SCAN n",  # notices from the newest on, until there are enough
        # All of somebody: what he may see when he joins, what goes when he hides it.
        "SEARCH moment USING INDEX moment_of (contact=?)",
        "SEARCH moment_chain USING INDEX moment_chain_of (contact=?)",
        "SEARCH moment_handed USING COVERING INDEX moment_handed_to (contact=?)",
        "SEARCH moment_wait USING INDEX moment_wait_age (contact=?)",
        "SEARCH moment_key USING INDEX moment_key_of (contact=?)",
        "SEARCH w USING COVERING INDEX moment_answer_of (contact=?)",
        # Counted, against a limit.
        "SEARCH moment_chain USING COVERING INDEX moment_chain_of (contact=?)",
        "SEARCH c USING COVERING INDEX moment_chain_of (contact=?)",
        "SEARCH moment_key USING COVERING INDEX moment_key_of (contact=?)",
        "SEARCH moment_wait USING COVERING INDEX moment_wait_age (contact=?)",
    }
)


class Statements:
    """What the nodes of a world ask their databases about moments: one of each kind, as it was asked."""

    def __init__(self) -> None:
        self.kinds: dict[str, str] = {}

    def note(self, sql: str) -> None:
        if "moment" in sql and not sql.startswith("--"):  # what a trigger runs
            self.kinds.setdefault(_LITERAL.sub("?", sql), sql)

    def walking(self, tx: Tx) -> set[str]:
        """The steps that read all of something that grows, or all that somebody has of it."""
        found = set()
        for sql in self.kinds.values():
            named = dict.fromkeys(GROWING) | {alias: table for table, alias in _NAMED.findall(sql)}
            for row in tx.all(f"EXPLAIN QUERY PLAN {sql}"):
                step = _WALKS.match(row[3])
                table = step and (step[1] if step[1] in GROWING else named.get(step[1]))
                if table in GROWING:
                    found.add(row[3])
        return found


def _listen(person: Person, said: Statements) -> None:
    assert person.node is not None
    connection: Any = person.node.core.database._connection
    connection.set_trace_callback(said.note)


def test_no_statement_of_moments_walks_through_history() -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        said = Statements()
        for person in (ana, bo, cy):
            _listen(person, said)
        await ana.call("profile.tag", name="bo", tag="family")
        await ana.call("moments.post", text="to all", link="https://example.org", place="home")
        await ana.call("moments.post", text="to family", to=["family"])
        await ana.call("moments.post", text="to cy", to=["cy"])
        await ana.call("moments.post", text="not to cy", excepted=["cy"])
        await w.until(sees([bo], "to all", "to family", "not to cy"))
        await w.until(sees([cy], "to all", "to cy"))
        seen = await one(bo, "to all")
        await bo.call("moments.like", id=seen["id"])
        await bo.call("moments.comment", id=seen["id"], text="first")
        await w.until(reads([ana, bo, cy], "to all", ["first"]))
        (first,) = (await cy.call("moments.show", id=seen["id"]))["comments"]
        await cy.call("moments.comment", id=seen["id"], text="second", reply=first["id"])
        await w.until(reads([ana, bo, cy], "to all", ["first", "second"]))
        await ana.call("moments.list", by="me")
        await bo.call("moments.list", by="ana", before=seen["id"])
        for person in (ana, bo):
            await person.call("moments.notices")
        await ana.call("moments.hide", id=first["id"])
        await bo.call("moments.unlike", id=seen["id"])
        await ana.call("moments.edit", id=seen["id"], text="to everybody")
        await w.until(sees([bo, cy], "to everybody"))
        await ana.call("moments.window", last="3d")
        await ana.call("moments.rule", name="cy", hide_mine=True)
        await w.until(gone([cy], "to everybody", "to cy"))
        await ana.call("moments.rule", name="cy", hide_mine=False)
        await w.until(sees([cy], "to everybody", "to cy"))
        assert await comments(cy, "to everybody") == ["second"]
        await ana.call("moments.delete", id=seen["id"])
        await w.until(gone([bo, cy], "to everybody"))

        found = await run(ana, said.walking)
        assert len(said.kinds) > 80
        assert found == ALLOWED

    world.run(story, 941)


def test_a_write_that_has_nothing_to_tell_reads_little_however_many_contacts_there_are() -> None:
    async def story() -> None:
        async with kit.open_side(Path(":memory:"), "ana", Clock(), Worker.INLINE, MIGRATIONS) as side:
            by = By(side.mine, 1_800_000_000_000, os.urandom, os.urandom)
            await side.database.transact(_fill)
            await side.database.transact(writing.post, by, Post("first", by.now_ms), Audience(Kind.ALL))
            assert len(by.told) == CONTACTS
            by.told.clear()
            asked: list[str] = []
            with _heard(side.database, asked.append):
                await side.database.transact(handing.hand, by)
                assert await side.database.transact(handing.barred) == {}
            assert by.told == set()
            assert len(asked) <= STATEMENTS_MAX
            await side.database.transact(writing.post, by, Post("second", by.now_ms), Audience(Kind.ALL))
            assert by.told == set()

            await side.database.transact(remarks.add_tag, 7, "family")
            whom = Audience(Kind.THESE, frozenset({7}), ("family",), "family")
            await side.database.transact(writing.post, by, Post("third", by.now_ms), whom)
            assert by.told == {7}
            by.told.clear()
            await side.database.transact(remarks.add_tag, 9, "family")
            await side.database.transact(_another_device, 11)
            await side.database.transact(people.set_state, 13, ContactState.BLOCKED, "blocked")
            await side.database.transact(handing.hand, by)
            assert by.told == {9, 11}
            assert await side.database.transact(_barred) == [13]
            by.told.clear()
            await side.database.transact(people.set_state, 13, ContactState.ACTIVE, "")
            await side.database.transact(handing.hand, by)
            assert by.told == {13}
            assert await side.database.transact(lambda tx: len(view.of(tx, view.OURS))) == 3

    trio.run(story)


@contextmanager
def _heard(database: Any, note: Callable[[str], None]) -> Any:
    database._connection.set_trace_callback(note)
    try:
        yield
    finally:
        database._connection.set_trace_callback(None)


def _fill(tx: Tx) -> None:
    for number in range(CONTACTS):
        account = SigningKey(number.to_bytes(32, "big"))
        contact = people.add_contact(tx, ids.AccountId(account.public), f"c{number}", ContactState.ACTIVE, "", 0)
        _add_device(tx, contact.id, account, number)


def _another_device(tx: Tx, contact_id: int) -> None:
    _add_device(tx, contact_id, SigningKey(bytes(32)), CONTACTS + contact_id)


def _add_device(tx: Tx, contact_id: int, account: SigningKey, number: int) -> None:
    device = SigningKey(bytes([1]) + number.to_bytes(31, "big"))
    certificate = identity.certify(account, ids.DeviceId(device.public), DhKey(device.seed).public, 1, 0, 2**31)
    people.add_device(tx, contact_id, certificate)


def _barred(tx: Tx) -> list[int]:
    (found,) = handing.barred(tx).values()
    return sorted(found)
