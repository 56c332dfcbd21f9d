"""Runs that come from peers: what is taken, what a lie costs its author, what our own log gives back and keeps."""

from collections.abc import Sequence

import pytest

from crypto.faults import Forged
from crypto.keys import SigningKey
from protocol import entry, wire
from protocol.entry import Body, Entry, Kind
from protocol.grant import Role
from protocol.log import Fork
from store import entries, intake, logs, people, spaces
from store.intake import ALARM, Piece, Took
from store.logs import State
from store.spaces import Space
from tests.protocol import chains, spines
from tests.store import log_kit
from tests.store.space_kit import Sharers, head_of, open_sharers, texts_of

STRANGER = SigningKey(bytes(31) + b"s")


def sealed(own: Space, seq: int, text: str) -> bytes:
    """A note as a copy of the disk of its author would seal it in this place."""
    key = entry.content_key(own.log.secret, own.log.id, seq)
    return entry.seal(key, own.log.author, own.log.id, seq, wire.encode((320, text)), text.encode().ljust(24, b"."))


def branch(
    two: Sharers, own: Space, before: Sequence[Entry], *texts: str
) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """What another machine with the same key wrote behind these: entries and contents."""
    run, contents = [*before], []
    for text in texts:
        seq, prev = len(run), run[-1].id if run else None
        content = sealed(own, seq, text)
        body = Body(own.log.author, own.log.id, seq, prev, chains.AT_MS, (), Kind.SEALED, *entry.about(content))
        run.append(entry.write(body, two.key))
        contents.append(content)
    return tuple(one.raw for one in run[len(before) :]), tuple(contents)


def contents_of(two: Sharers, own: Space) -> tuple[tuple[bytes, ...], tuple[bytes | None, ...]]:
    held = log_kit.held(two.mine, own.log.number)
    return tuple(one.raw for one in held), tuple(one.content for one in held)


async def test_one_bad_piece_does_not_spoil_the_others() -> None:
    async with open_sharers() as two:
        own, his = two.begin()
        other, his_other = two.begin("debts", secret=b"another secret of 32 bytes long.")
        two.write(own, "one")
        made = two.write(other, "100", "200")
        raws, contents = contents_of(two, own)
        pieces = [
            Piece(his_other.log.number, (made[0].raw,), (b"another content",)),
            Piece(his_other.log.number, (made[0].raw[:-1] + b"\x00",), (None,)),
            Piece(his.log.number, raws, contents),
            Piece(his_other.log.number, tuple(one.raw for one in made), (None, None)),
        ]
        false, forged, good, late = intake.take(two.theirs, pieces, STRANGER, 1, two.bo.entropy)
        assert isinstance(false, Forged)
        assert isinstance(forged, Forged)
        assert isinstance(good, Took)
        assert isinstance(late, Took)
        assert (good.head, late.head) == (entries.head(two.mine, own.log.number), head_of(made[1]))
        assert texts_of(two.theirs, his) == ["one"]
        assert people.contact(two.theirs, two.bo.contact).alarm == ""


async def test_a_run_that_follows_something_else_asks_for_the_entry_that_would_prove_it() -> None:
    async with open_sharers() as two:
        own, his = two.begin()
        made = two.write(own, "one", "two")
        two.carry(own)
        raws, contents = branch(two, own, (made[0],), "another two", "another three")
        (parted,) = intake.take(
            two.theirs, [Piece(his.log.number, raws[1:], contents[1:])], STRANGER, 1, two.bo.entropy
        )
        assert parted == Took(head_of(made[1]), is_parted=True)
        (took,) = intake.take(two.theirs, [Piece(his.log.number, raws[:1], contents[:1])], STRANGER, 7, two.bo.entropy)
        assert isinstance(took, Took)
        assert took.proof == Fork.of(made[1].raw, raws[0])
        assert logs.proofs(two.theirs) == ((his.log.number, 7, took.proof),)
        assert people.contact(two.theirs, two.bo.contact).alarm == ALARM
        assert texts_of(two.theirs, his) == ["one", "two"]
        again = two.carry(own)
        assert again == Took(head_of(made[1]))  # frozen: nothing is taken, and nobody is accused twice


async def test_a_proof_of_a_log_that_is_not_here_accuses_nobody() -> None:
    async with open_sharers() as two:
        two.begin()
        made = spines.wrote(two.key, b"a secret that nobody here has...")
        for proof in (made.fork(), made.contradiction(), made.rollback()):
            assert not intake.freeze(two.theirs, proof, 1)
        assert people.contact(two.theirs, two.bo.contact).alarm == ""


async def test_a_proof_against_our_own_log_freezes_it_and_names_no_contact() -> None:
    async with open_sharers() as two:
        own, _ = two.begin()
        made = two.write(own, "one")
        raws, _ = branch(two, own, (), "another")
        assert intake.freeze(two.mine, Fork.of(made[0].raw, raws[0]), 1)
        assert spaces.space(two.mine, own.log.number).log.state is State.FROZEN
        assert [one.alarm for one in people.contacts(two.mine)] == [""]


async def test_what_others_hold_of_our_log_is_taken_in_and_ours_is_sealed_anew_behind_it() -> None:
    async with open_sharers() as two:
        own, _ = two.begin()
        made = two.write(own, "one", "mine", "mine too")
        logs.publish(two.mine, own.log.number, 0)
        raws, contents = branch(two, own, made[:1], "theirs", "theirs too", "theirs at last")
        took = two.retaken(own, raws, contents)
        assert isinstance(took, Took)
        assert (took.taken_back, took.proof, took.is_over, took.is_parted) == (2, None, False, False)
        assert two.texts(own) == ["one", "theirs", "theirs too", "theirs at last", "mine", "mine too"]
        held = log_kit.held(two.mine, own.log.number)
        assert took.head == entries.head(two.mine, own.log.number)
        assert [one.raw for one in held[1:4]] == [*raws]
        assert logs.log(two.mine, own.log.number).published == 3  # what others show us they have
        assert logs.proofs(two.mine) == ()


@pytest.mark.parametrize("count", [0, 1, 5])
async def test_none_of_ours_is_lost_however_much_was_not_seen(count: int) -> None:
    async with open_sharers() as two:
        own, _ = two.begin()
        mine = [f"mine {n}" for n in range(count)]
        two.write(own, *mine)
        raws, contents = branch(two, own, (), "theirs")
        took = two.retaken(own, raws, contents)
        assert isinstance(took, Took)
        assert took.taken_back == count
        assert two.texts(own) == ["theirs", *mine]
        again = two.retaken(own, raws, contents)  # the same again changes nothing
        assert isinstance(again, Took)
        assert (again.taken_back, two.texts(own)) == (0, ["theirs", *mine])


async def test_where_what_was_published_differs_the_log_is_over_and_nothing_is_taken() -> None:
    async with open_sharers() as two:
        own, _ = two.begin()
        made = two.write(own, "one", "two", "three")
        logs.publish(two.mine, own.log.number, 1)
        raws, contents = branch(two, own, made[:1], "another two", "another three")
        took = two.retaken(own, raws, contents)
        assert took == Took(head_of(made[2]), is_over=True)
        assert two.texts(own) == ["one", "two", "three"]
        assert logs.proofs(two.mine) == ()


async def test_a_log_that_is_over_is_not_written_again() -> None:
    async with open_sharers() as two:
        own, _ = two.begin()
        made = two.write(own, "one", "two")
        logs.end(two.mine, own.log.number)  # its readers were gone; what nobody saw stays here
        raws, contents = branch(two, own, made[:1], "another two")
        took = two.retaken(own, raws, contents)
        assert took == Took(head_of(made[1]), is_over=True)
        assert two.texts(own) == ["one", "two"]


async def test_of_our_own_spine_what_was_taken_back_is_not_written_again() -> None:
    async with open_sharers() as two:
        own, _ = two.begin("spine", Role.SPINE)
        first = spines.spun(two.key, own.log.id, ())
        entries.append(two.mine, own.log.number, [entries.Draft(Kind.SPINE, first.content)] * 2, two.key, 1)
        took = two.retaken(own, (first.header.raw,), (first.content,))
        assert took == Took(head_of(first.header), taken_back=2)
        assert log_kit.raws(two.mine, own.log.number) == (first.header.raw,)
