"""What a device writes into its own logs: sealed in its place, acknowledged, and moved to a successor without loss."""

import pytest

from crypto.faults import Forged
from protocol import entry, spine, wire
from protocol import log as chains
from protocol.entry import Ack, Kind
from protocol.faults import OverLimit
from protocol.grant import Role
from store import authoring, entries, logs, spaces
from store.entries import Draft
from store.faults import LogFrozen
from store.logs import State
from store.spaces import Space
from tests.store import log_kit
from tests.store.space_kit import Sharers, head_of, open_sharers, texts_of

ANCHOR = b"c" * 32


def succeed(two: Sharers, own: Space) -> Space:
    of = spaces.space(two.mine, own.log.number)
    return authoring.succeed(two.mine, of, ANCHOR, two.key, two.now_ms, two.ana.entropy)


async def test_each_content_is_sealed_for_its_own_place() -> None:
    async with open_sharers() as two:
        own, his = two.begin()
        made = two.write(own, "one", "two", "two")
        assert [one.body.seq for one in made] == [0, 1, 2]
        assert {(one.body.kind, one.body.acks, one.body.author) for one in made} == {(Kind.SEALED, (), two.key.public)}
        held = log_kit.held(two.mine, own.log.number)
        assert len({one.content for one in held}) == 3
        assert two.texts(own) == ["one", "two", "two"]
        two.carry(own)
        assert texts_of(two.theirs, his) == ["one", "two", "two"]
        for wrong in (held[1]._replace(seq=2), held[1]._replace(content=held[2].content)):
            with pytest.raises(Forged):
                authoring.read(own, wrong)
        another, _ = two.begin("debts", secret=b"another secret of 32 bytes long.")
        with pytest.raises(Forged):
            authoring.read(another, held[1])
        assert authoring.read(own, held[1]._replace(content=None)) is None


async def test_all_that_is_written_together_is_written_or_nothing() -> None:
    async with open_sharers() as two:
        own, _ = two.begin()
        two.write(own, "one")
        outcome = two.mine.attempt(two.write, own, "two", "x" * entry.SAID_BYTES_MAX)
        with pytest.raises(OverLimit):
            outcome.unwrap()
        assert two.texts(own) == ["one"]
        logs.end(two.mine, own.log.number)
        with pytest.raises(LogFrozen):
            two.write(own, "three")


async def test_a_room_appends_what_it_has_sealed_by_itself_and_writes_it_again_by_itself() -> None:
    async with open_sharers() as two:
        own, his = two.begin("moments", Role.FEED)
        for seq, content in enumerate((b"one", b"two")):
            assert authoring.next_seq(two.mine, own) == seq
            made = authoring.append(two.mine, own, content, two.key, 7)
            assert (made.body.seq, made.body.kind, made.body.at_ms, made.body.acks) == (seq, Kind.SEALED, 7, ())
        two.carry(own)
        assert [one.content for one in log_kit.held(two.theirs, his.log.number)] == [b"one", b"two"]
        logs.publish(two.mine, own.log.number, 0)
        begun = succeed(two, own)
        assert begun.role is Role.FEED
        assert len(log_kit.held(two.mine, own.log.number)) == 1
        assert authoring.next_seq(two.mine, begun) == 0  # not rewritten here
        first = authoring.append(two.mine, begun, b"two, for its new place", two.key, 8)
        assert first.body.acks == (Ack(own.log.id, 0, entry.id_of(log_kit.raws(two.mine, own.log.number)[0])),)
        with pytest.raises(LogFrozen):
            authoring.append(two.mine, own, b"three", two.key, 9)


async def test_a_spine_is_written_in_the_clear() -> None:
    async with open_sharers() as two:
        own, _ = two.begin("spine", Role.SPINE)
        content = spine.encode(spine.commit([]))
        made = [authoring.commit(two.mine, own, content, two.key, 5) for _ in range(2)]
        assert [(one.body.seq, one.body.kind, one.body.acks, one.body.at_ms) for one in made] == [
            (0, Kind.SPINE, (), 5),
            (1, Kind.SPINE, (), 5),
        ]
        assert [one.content for one in log_kit.held(two.mine, own.log.number)] == [content, content]


async def test_what_nobody_had_seen_moves_to_the_successor_which_names_the_newest_that_others_have() -> None:
    async with open_sharers() as two:
        own, _ = two.begin()
        made = two.write(own, "one", "two", "three", "four")
        logs.publish(two.mine, own.log.number, 1)
        begun = succeed(two, own)
        assert (begun.name, begun.role, begun.anchor, begun.previous) == ("trip", Role.NOTES, ANCHOR, own.log.number)
        assert begun.log.secret != own.log.secret  # who is left out reads nothing of it
        assert begun.log.id == chains.log_id(begun.log.secret, two.key.public, begun.epoch)
        assert spaces.readers(two.mine, begun.log.number) == (two.ana.contact,)
        assert (begun.log.number, two.ana.contact) in spaces.untold(two.mine)
        assert (two.texts(own), two.texts(begun)) == (["one", "two"], ["three", "four"])
        assert logs.log(two.mine, own.log.number).state is State.OVER
        first, second = (chains.recall(one.raw) for one in log_kit.held(two.mine, begun.log.number))
        assert first.body.acks == (Ack(own.log.id, 1, made[1].id),)
        assert second.body.acks == ()
        assert spaces.grant(two.mine, begun.log.number).previous == own.log.id
        two.write(begun, "five")
        assert two.texts(begun) == ["three", "four", "five"]


async def test_a_successor_of_what_nobody_had_acknowledges_nothing() -> None:
    async with open_sharers() as two:
        own, _ = two.begin()
        two.write(own, "one")
        begun = succeed(two, own)
        assert (two.texts(own), two.texts(begun)) == ([], ["one"])
        (first,) = log_kit.held(two.mine, begun.log.number)
        assert chains.recall(first.raw).body.acks == ()


async def test_a_successor_of_what_all_had_acknowledges_it_with_its_first_entry_whenever_that_comes() -> None:
    async with open_sharers() as two:
        own, _ = two.begin()
        made = two.write(own, "one", "two")
        logs.publish(two.mine, own.log.number, 1)
        begun = succeed(two, own)
        assert two.texts(begun) == []
        (first,) = two.write(begun, "three")
        assert first.body.acks == (Ack(own.log.id, 1, made[1].id),)


async def test_the_successor_of_a_lost_devices_log_names_what_has_come_back_of_it() -> None:
    async with open_sharers() as two:
        lost = logs.begin(two.mine, b"l" * 16, b"d" * 32, b"s" * 32, own=False)
        spaces.put_back(two.mine, lost.number, spaces.OURS, spaces.grant(two.mine, two.begin()[0].log.number))
        of = spaces.space(two.mine, lost.number)
        begun = authoring.succeed(two.mine, of, ANCHOR, two.key, two.now_ms, two.ana.entropy)
        assert authoring.acks(two.mine, begun, 0) == ()  # nothing is here of it yet
        assert logs.log(two.mine, lost.number).state is State.OVER


async def test_two_copies_of_a_disk_begin_two_successors() -> None:
    async with open_sharers() as two:
        own, _ = two.begin()
        two.mine.execute("SAVEPOINT copy")
        one = succeed(two, own)
        two.mine.execute("ROLLBACK TO copy")
        other = succeed(two, own)  # the other machine draws other chance
        assert one.log.id != other.log.id
        assert one.epoch != other.epoch


async def test_what_a_room_sealed_in_its_own_form_stays_with_the_room() -> None:
    async with open_sharers() as two:
        own, _ = two.begin()
        two.write(own, "one")
        entries.append(two.mine, own.log.number, [Draft(Kind.SEALED, b"a form of its own")], two.key, 5)
        two.write(own, "three")
        assert two.texts(succeed(two, own)) == ["one", "three"]


async def test_of_a_spine_nothing_is_written_again() -> None:
    async with open_sharers() as two:
        own, _ = two.begin("spine", Role.SPINE)
        content = spine.encode(spine.commit([]))
        made = [authoring.commit(two.mine, own, content, two.key, 5) for _ in range(3)]
        logs.publish(two.mine, own.log.number, 0)
        begun = succeed(two, own)
        assert entries.head(two.mine, begun.log.number) is None
        assert entries.head(two.mine, own.log.number) == head_of(made[0])
        first = authoring.commit(two.mine, begun, content, two.key, 6)
        assert first.body.acks == (Ack(own.log.id, 0, made[0].id),)  # so that witnesses take it for hers


async def test_a_head_is_shown_as_far_as_it_may() -> None:
    async with open_sharers() as two:
        own, _ = two.begin()
        assert authoring.head_shown(two.mine, own.log.number, 5) is None
        made = two.write(own, "one", "two", "three")
        for seq, expected in ((-1, None), (0, made[0]), (1, made[1]), (2, made[2]), (9, made[2])):
            found = authoring.head_shown(two.mine, own.log.number, seq)
            assert found == (None if expected is None else head_of(expected))


async def test_what_is_said_is_an_array_of_the_wire() -> None:
    async with open_sharers() as two:
        own, _ = two.begin()
        two.write(own, "語")
        (held,) = log_kit.held(two.mine, own.log.number)
        assert authoring.read(own, held) == wire.encode((320, "語"))
