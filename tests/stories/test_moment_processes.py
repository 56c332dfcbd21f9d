"""Moments between real nodes: an author away, one who is no contact any more, and deaths while somebody posts."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests import depth
from tests.stories.real import START_S, Failure, RealNode, is_active, open_pair

pytestmark = [pytest.mark.process, pytest.mark.socket]
PATIENCE_S = 60.0


def wall(node: RealNode, **how: object) -> list[str]:
    """The texts on somebody's wall, the oldest first."""
    return [one["text"] for one in node.call("moments.list", limit=1000, **how)]


def id_of(node: RealNode, text: str) -> str:
    """The id of the moment with this text."""
    return str(next(one["id"] for one in node.call("moments.list", limit=1000) if one["text"] == text))


def below(node: RealNode, text: str) -> list[str]:
    """What somebody reads below the moment with this text; [] where he does not see it."""
    if text not in wall(node):
        return []
    return [one["text"] for one in node.call("moments.show", id=id_of(node, text))["comments"]]


def sees(node: RealNode, *texts: str) -> None:
    """Waits until these are on somebody's wall."""
    node.await_that(lambda: {*texts} <= {*wall(node)}, PATIENCE_S)


def has(node: RealNode, count: int) -> bool:
    """Whether so many moments are on somebody's wall."""
    return len(wall(node)) == count


def fetches(node: RealNode, text: str, folder: Path) -> bytes:
    """The picture of the moment with this text, as somebody gets it and saves it."""
    ident = id_of(node, text)
    node.call("moments.get", id=ident)

    def is_here() -> bool:
        (picture,) = node.call("moments.show", id=ident)["moment"]["pictures"]
        return bool(picture["state"] == "here")

    node.await_that(is_here, PATIENCE_S)
    folder.mkdir()
    (saved,) = node.call("moments.save", id=ident, folder=str(folder))
    return Path(saved["file"]).read_bytes()


def anchor_of(node: RealNode) -> str:
    """Who gets all that somebody says in his feed before the others do."""
    (feed,) = [
        one for one in node.call("logs.list") if (one["role"], one["author"], one["state"]) == ("feed", "", "ok")
    ]
    return str(feed["anchor"]).lower()


def befriend(one: RealNode, other: RealNode) -> None:
    """Makes two contacts of each other."""
    other.call("contacts.add", link=one.call("contacts.invite")["link"], name=one.name)
    for node, of in ((one, other), (other, one)):
        node.await_that(partial(is_active, node, of.name), START_S)


@contextmanager
def five(home: Path) -> Iterator[Sequence[RealNode]]:
    """Five running nodes, all contacts of each other; the feed of the first has begun, and the second is its anchor."""
    nodes = [RealNode(home, name) for name in ("ana", "bo", "cy", "dee", "eve")]
    try:
        for at, node in enumerate(nodes):
            node.init()
            node.up()
            for other in nodes[:at]:
                befriend(other, node)
            if at == 1:
                nodes[0].call("moments.post", text="first")
                sees(node, "first")
        yield nodes
    finally:
        for node in nodes:
            if node.program is not None:
                node.kill()


def test_five_people_of_whom_one_is_away_and_one_is_no_contact_any_more(tmp_path: Path) -> None:
    with five(tmp_path) as (ana, bo, cy, dee, eve):
        for name in ("bo", "dee"):
            ana.call("profile.tag", name=name, tag="family")
        ana.call("moments.post", text="to all")
        ana.call("moments.post", text="to family", to=["family"])
        ana.call("moments.post", text="not to eve", excepted=["eve"])
        for one, texts in ((bo, 4), (cy, 3), (dee, 4), (eve, 2)):
            one.await_that(partial(has, one, texts), PATIENCE_S)
        assert wall(dee) == ["first", "to all", "to family", "not to eve"]
        assert wall(cy) == ["first", "to all", "not to eve"]
        assert wall(eve) == ["first", "to all"]

        ana.call("contacts.block", name="eve")
        ana.call("moments.post", text="after the block", to=["family"])
        sees(bo, "after the block")
        sees(dee, "after the block")
        if anchor_of(ana) == "dee":  # who goes is not whom the feed waits for
            bo, dee = dee, bo
        dee.down()
        posted = ["while dee was away", "for family while dee was away"]
        Image.effect_noise((640, 480), 60.0).save(tmp_path / "lake.png")
        ana.call("moments.post", text=posted[0], images=[str(tmp_path / "lake.png")])
        ana.call("moments.post", text=posted[1], to=["family"])
        sees(bo, *posted)
        sees(cy, posted[0])
        ana.call("moments.comment", id=id_of(ana, posted[0]), text="of ana")
        bo.await_that(lambda: below(bo, posted[0]) == ["of ana"], PATIENCE_S)
        bo.call("moments.comment", id=id_of(bo, posted[0]), text="of bo")
        cy.await_that(lambda: below(cy, posted[0]) == ["of ana", "of bo"], PATIENCE_S)
        reply = next(
            one["id"]
            for one in cy.call("moments.show", id=id_of(cy, posted[0]))["comments"]
            if one["author"].lower() == bo.name
        )
        cy.call("moments.comment", id=id_of(cy, posted[0]), text="of cy", reply=reply)
        said = ["of ana", "of bo", "of cy"]
        ana.await_that(lambda: below(ana, posted[0]) == said, PATIENCE_S)
        bo.await_that(lambda: [one["kind"] for one in bo.call("moments.notices")] == ["reply"], PATIENCE_S)

        lake = fetches(bo, posted[0], tmp_path / "of bo")

        ana.kill()
        dee.up()
        dee.await_that(lambda: below(dee, posted[0]) == said, PATIENCE_S)
        sees(dee, *posted)
        assert fetches(dee, posted[0], tmp_path / "of dee") == lake  # from bo, as ana is dead
        mine = ["first", "to all", "to family", "not to eve", "after the block", *posted]
        assert wall(dee) == mine

        theirs = [f"of {one.name} to all" for one in (bo, cy)]
        for one, text in zip((bo, cy), theirs, strict=True):  # tells that eve has had what they have for her
            one.call("moments.post", text=text)
        sees(eve, *theirs)
        assert {*wall(eve, by="ana")} <= {"first", "to all"}  # nothing new, and perhaps nothing at all
        assert all("of " not in text for text in below(eve, "to all"))

        ana.up()
        sees(ana, *theirs)
        assert wall(ana, by="me") == wall(bo, by="ana") == mine
        assert {*wall(eve, by="ana")} <= {"first", "to all"}  # nothing new, and perhaps nothing at all


@dataclass
class Author:
    """Posts and comments through the local socket until told to end, and keeps its own list of what was answered."""

    node: RealNode
    least: int  # so many are to be acknowledged before `enough`
    said: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)
    answered: list[str] = field(default_factory=list)
    enough: threading.Event = field(default_factory=threading.Event)
    _end: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """In its own thread; a node that is killed ends the connection, and the next one is tried."""
        while not self._end.is_set():
            try:
                with self.node.client() as client:
                    while not self._end.is_set():
                        text = f"{self.node.name} {len(self.asked)}"
                        self.asked.add(text)
                        made = client.call("moments.post", text=text)
                        self.said.append(text)
                        self.asked.add(f"below {text}")
                        client.call("moments.comment", id=made["id"], text=f"below {text}")
                        self.answered.append(text)
                        if len(self.said) >= self.least:
                            self.enough.set()
            except (Failure, OSError):
                self._end.wait(0.05)  # nobody serves there until the node is up again

    def end(self) -> None:
        """Ends the thread after its present call."""
        self._end.set()


def every(node: RealNode, by: str) -> list[dict[str, Any]]:
    """All moments of somebody that a node shows, a page after another."""
    lines: list[dict[str, Any]] = []
    while page := node.call("moments.list", by=by, limit=1000, **({"before": lines[0]["id"]} if lines else {})):
        lines = page + lines
    return lines


def is_whole(author: Author, reader: RealNode, by: str) -> Callable[[], bool]:
    """The question whether a reader has what was acknowledged, with what was said below it."""

    def true() -> bool:
        lines = every(reader, by)
        under = {one["text"] for one in lines if one["comments"]}
        return {*author.said} <= {one["text"] for one in lines} and {*author.answered} <= under

    return true


def test_whoever_is_killed_while_posting_loses_and_repeats_nothing(tmp_path: Path) -> None:
    chance = random.Random(92)
    with open_pair(tmp_path) as (ana, bo):
        author = Author(ana, 0)
        thread = threading.Thread(target=author.work)
        thread.start()
        try:
            for _ in range(depth.KILLS):
                author.enough.clear()
                author.least = len(author.said) + chance.randint(1, 12)
                assert author.enough.wait(PATIENCE_S)
                victims = chance.choice(((ana,), (bo,), (ana, bo)))
                for victim in victims:
                    victim.kill()
                for victim in victims:
                    victim.up()
        finally:
            author.end()
            thread.join(PATIENCE_S)
        assert is_whole(author, ana, "me")(), "acknowledged and lost"
        bo.await_that(is_whole(author, bo, "ana"), PATIENCE_S)
        held = [one["text"] for one in every(ana, "me")]
        bo.await_that(lambda: [one["text"] for one in every(bo, "ana")] == held, PATIENCE_S)
        assert len(held) == len({*held}), "shown twice"
        assert {*held} <= author.asked
        for node, by in ((ana, "me"), (bo, "ana")):
            assert all(one["comments"] <= 1 for one in every(node, by))
            assert node.call("logs.proofs")["proofs"] == []
