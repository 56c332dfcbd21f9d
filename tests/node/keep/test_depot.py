"""Files at a keeper: who leaves, gets and deletes them, how much, how long, and what nobody can break (keep.md 8)."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from crypto import chunks
from crypto.faults import Forged
from crypto.keys import SigningKey
from node import frames
from node.frames import FrameReader
from node.keep import deposit_client, depot, server
from node.network import Stream
from protocol import deposit, keep
from protocol.faults import Unavailable
from protocol.keep import Status
from store import deposits
from tests.node.keep.files_kit import fetched, leave, sealed
from tests.node.keep.kit import GIB, MONTH_S, OWNER, Place, open_keeper, posting, texts
from tests.store import keep_kit
from tests.store.keep_kit import queue

ONE, TWO = sealed("one"), sealed("two")
EVERY = dict(enumerate(ONE.pieces))


async def open_doors(place: Place, *numbers: int) -> None:
    """The owner opens a queue for each of these, and goes."""
    async with place.owner() as owner:
        assert await owner.open_queues([queue(number) for number in numbers or (1,)]) is Status.OK


def on_disk(folder: Path) -> list[str]:
    return sorted(os.listdir(folder / "files")) if (folder / "files").is_dir() else []


async def test_what_a_sender_leaves_the_owner_gets_and_has_deleted(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place:
        await open_doors(place)
        async with place.deposits("sender") as sender:
            assert (await leave(sender, ONE))[:2] == (Status.OK, deposits.PART_S)
            assert await sender.leave(ONE.parting(1)) == (Status.OK, MONTH_S, 0b111)
        async with place.deposits("owner") as owner:
            assert await owner.claim(OWNER, place.permit) is Status.OK
            assert await fetched(owner, ONE) == EVERY
            assert await owner.had(ONE.name(1)) is Status.OK
            assert await fetched(owner, ONE) == {}
            assert await owner.had(ONE.name(1)) is Status.OK  # what is not there is well
        assert on_disk(tmp_path) == []


async def test_a_file_is_left_piece_by_piece_over_several_streams(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place:
        await open_doors(place)
        async with place.deposits("sender") as sender:
            await leave(sender, ONE, places=(2,))
        async with place.deposits("owner") as owner:
            await owner.claim(OWNER, place.permit)
            assert await fetched(owner, ONE) == {2: ONE.pieces[2]}
        async with place.deposits("sender") as sender:
            assert (await leave(sender, ONE, places=(0, 1))).bits == 0b100
        async with place.deposits("owner") as owner:
            await owner.claim(OWNER, place.permit)
            assert await fetched(owner, ONE) == EVERY


async def test_what_was_acknowledged_is_there_after_a_kill(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place:
        await open_doors(place)
        async with place.deposits("sender") as sender:
            await leave(sender, ONE, places=(0, 1))
            await sender.give(2, ONE.pieces[2])  # and the keeper is gone before it answers
        permit = place.permit
    (tmp_path / "files" / "ff").write_bytes(b"of nobody")  # begun, and its row not committed
    async with open_keeper(tmp_path) as place:
        assert place.permit == permit
        async with place.deposits("owner") as owner:
            assert await owner.claim(OWNER, place.permit) is Status.OK
            found = await fetched(owner, ONE)
            assert {0: ONE.pieces[0], 1: ONE.pieces[1]}.items() <= found.items()
        assert on_disk(tmp_path) == ["1"]


async def test_who_has_no_key_of_a_door_leaves_and_withdraws_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place:
        await open_doors(place)
        async with place.deposits("sender") as sender:
            await leave(sender, ONE)
        async with place.deposits("stranger") as stranger:
            wrong = ONE.parting(1)._replace(put_key=bytes(32))
            assert (await stranger.leave(wrong)).status is Status.GONE
            assert (await stranger.leave(TWO.parting(7))).status is Status.GONE  # of no door at all
            await stranger.give(0, TWO.pieces[0])
            assert await stranger.answer() is Status.REFUSED
            assert await stranger.withdraw(wrong.sender, bytes(32), wrong.name) is Status.GONE
            assert await stranger.withdraw(keep_kit.sender_of(7), bytes(32), wrong.name) is Status.GONE
        assert on_disk(tmp_path) == ["1"]


async def test_what_was_overheard_is_worth_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place:
        await open_doors(place)
        async with place.deposits("sender") as sender, place.deposits("thief") as thief:
            await leave(sender, ONE)
            one = ONE.parting(1)
            heard = deposit.withdraw(one.put_key, sender._nonce, 1, one.sender, one.name)
            for stream in (sender, thief):
                await frames.write(stream._stream, deposit.encode(heard))
                said = deposit.decode_reply(await stream.reader.read() or b"")
                assert isinstance(said, keep.Shown)
                assert said.status is Status.GONE
        assert on_disk(tmp_path) == ["1"]


async def test_nobody_but_the_owner_gets_or_deletes_a_file(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place:
        await open_doors(place)
        async with place.deposits("sender") as sender:
            await leave(sender, ONE)
        theirs = await place.keeping.permit(2, GIB, MONTH_S)
        other = SigningKey(b"X" * 32)
        async with place.stream("other") as enrolling:
            assert await enrolling.claim(other, theirs, enrols=True) is Status.OK
        async with place.deposits("stranger") as stranger:
            assert await stranger.seek(ONE.name(1)) is Status.REFUSED
            assert await stranger.had(ONE.name(1)) is Status.REFUSED
            await stranger.want((0,))
            assert isinstance(deposit.decode_reply(await stranger.reader.read() or b""), keep.Answer)
            assert await stranger.claim(SigningKey(b"Y" * 32), bytes(32)) is Status.REFUSED
        async with place.deposits("other") as stream:
            assert await stream.claim(other, theirs) is Status.OK
            assert await fetched(stream, ONE) == {}
            assert await stream.had(ONE.name(1)) is Status.OK
        async with place.deposits("owner") as owner:
            await owner.claim(OWNER, place.permit)
            assert await fetched(owner, ONE) == EVERY


async def test_whoever_answers_in_the_place_of_a_keeper_is_not_believed(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """He can greet, and say that all is well; he has neither the permit nor the key of the door."""
    async with open_keeper(tmp_path) as place, place.sim.open_host("false", b"false".ljust(32)) as false:

        async def answer(_protocol: str, stream: Stream) -> None:
            await frames.write(stream, deposit.encode(keep.Hello(1, bytes(32))))
            reader = FrameReader(stream, deposit.FRAME_BYTES_MAX)
            while (raw := await reader.read()) is not None:
                match deposit.decode_request(raw):
                    case deposit.Leave():
                        said: deposit.Reply = deposit.Lies(1, Status.OK, 9, b"\x07", bytes(32))
                    case _:
                        said = keep.Shown(1, Status.OK, 0, bytes(32))
                await frames.write(stream, deposit.encode(said))

        false.serve((deposit.PROTOCOL,), answer)
        await false.listen((place.sim.address("false"),))
        async with place.sim.open_host("ana", b"ana".ljust(32)) as ana:
            link = await ana.dial(false.addresses()[0], false.peer)
            one = ONE.parting(1)
            async with deposit_client.open_stream(link, ana.peer) as stream:
                assert await stream.leave(one) == (Status.GONE, 0, 0)
            async with deposit_client.open_stream(link, ana.peer) as stream:
                assert await stream.withdraw(one.sender, one.put_key, one.name) is Status.GONE
            async with deposit_client.open_stream(link, ana.peer) as stream:
                with pytest.raises(Forged):
                    await stream.claim(OWNER, place.permit)


async def test_a_piece_that_is_not_what_was_announced_ends_the_stream(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with open_keeper(tmp_path) as place:
        await open_doors(place)
        for place_, sealed_ in (
            (0, ONE.pieces[1]),
            (0, ONE.pieces[0][:-1]),
            (3, ONE.pieces[0]),
            (2, ONE.pieces[2] + b"x"),
        ):
            async with place.deposits("sender") as sender:
                await sender.leave(ONE.parting(1))
                await sender.give(place_, sealed_)
                with pytest.raises(Unavailable):
                    await sender.answer()
        async with place.deposits("sender") as sender:
            assert (await sender.leave(ONE.parting(1))).bits == 0


async def test_a_keeper_takes_what_its_allowance_holds_and_says_so(autojump_clock: MockClock, tmp_path: Path) -> None:
    """An owner's 4 MB, of which one sender fills half at most; mail is not counted there."""
    async with open_keeper(tmp_path) as place:
        await open_doors(place, 1, 2, 3)
        async with place.deposits("sender") as sender:
            many = [sealed(n, 900_000) for n in range(5)]
            assert (await sender.leave(sealed("large", 2_200_000).parting(1))).status is Status.TOO_BIG
            assert [(await sender.leave(one.parting(1))).status for one in many[:3]] == [
                Status.OK,
                Status.OK,
                Status.QUOTA,
            ]
            assert [(await sender.leave(one.parting(2))).status for one in many[:2]] == [Status.OK, Status.OK]
            assert (await sender.leave(many[4].parting(3))).status is Status.QUOTA  # the owner's is used up
            first = many[0].parting(1)
            assert await sender.withdraw(first.sender, first.put_key, first.name) is Status.OK
            assert (await sender.leave(many[4].parting(3))).status is Status.OK
        async with place.stream("sender") as letters, place.owner() as owner:
            assert (await letters.put([posting(1, "mail")]))[0].status is Status.OK
            assert texts(await owner.fetch(0, 9, 0)) == ["mail"]


async def test_a_million_tiny_files_are_a_few(autojump_clock: MockClock, tmp_path: Path) -> None:
    """Each counts as much as it takes on a disk."""
    async with open_keeper(tmp_path, files=10 * deposits.DISK_BYTES_MIN) as place:
        await open_doors(place)
        async with place.deposits("sender") as sender:
            statuses = [(await sender.leave(sealed(n, 1).parting(1))).status for n in range(7)]
        assert statuses == [Status.OK] * 5 + [Status.QUOTA] * 2


async def test_a_keeper_without_room_takes_no_file_and_goes_on_with_mail(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with open_keeper(tmp_path, reserve_bytes=2**60) as place:
        await open_doors(place)
        async with place.deposits("sender") as sender:
            assert (await sender.leave(ONE.parting(1))).status is Status.FULL
        assert await place.keeping.files(1) == (0, 0)  # and none for what it did not take
        async with place.stream("sender") as letters:
            assert (await letters.put([posting(1, "mail")]))[0].status is Status.OK
    (tmp_path / "none").mkdir()
    async with open_keeper(tmp_path / "none", files=0) as place:
        await open_doors(place)
        async with place.deposits("sender") as sender:
            assert (await sender.leave(ONE.parting(1))).status is Status.REFUSED


async def test_strangers_leave_no_files(autojump_clock: MockClock, tmp_path: Path) -> None:
    """The doors of invitations are of few items, or ask for work."""
    async with open_keeper(tmp_path) as place:
        async with place.owner() as owner:
            await owner.open_queues((queue(1, door_items=16), queue(2, bits=20)))
        async with place.deposits("stranger") as stranger:
            assert (await stranger.leave(ONE.parting(1))).status is Status.GONE
            assert (await stranger.leave(ONE.parting(2))).status is Status.GONE


async def test_a_file_goes_when_its_time_is_over_and_sooner_where_it_is_not_whole(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with open_keeper(tmp_path) as place:
        await open_doors(place)
        async with place.deposits("sender") as sender:
            await leave(sender, ONE)
            await leave(sender, TWO, places=(0,))
        await trio.sleep(deposits.PART_S + server.TEND_S)
        assert on_disk(tmp_path) == ["1"]
        async with place.deposits("owner") as owner:
            await owner.claim(OWNER, place.permit)
            assert await fetched(owner, ONE) == EVERY
        await trio.sleep(MONTH_S)
        assert on_disk(tmp_path) == []
        async with place.deposits("sender") as sender:
            assert (await sender.leave(ONE.parting(1))).bits == 0


async def test_files_go_with_the_door_and_with_the_permit(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place:
        await open_doors(place, 1, 2)
        async with place.deposits("sender") as sender:
            await leave(sender, ONE, 1)
            await leave(sender, ONE, 2)
        async with place.owner() as owner:
            await owner.close_queues((keep_kit.sender_of(1),))
        await trio.sleep(server.TEND_S + 1)
        assert on_disk(tmp_path) == ["2"]
        async with place.deposits("owner") as owner:
            await owner.claim(OWNER, place.permit)
            assert await fetched(owner, ONE, 2) == EVERY
            await place.keeping.revoke(1)
            assert await owner.seek(ONE.name(2)) is Status.REFUSED
        await trio.sleep(server.TEND_S + 1)
        assert on_disk(tmp_path) == []


async def test_a_piece_that_comes_for_what_is_gone_is_not_kept(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place:
        await open_doors(place)
        async with place.deposits("sender") as sender, place.deposits("owner") as owner:
            await leave(sender, ONE, places=(0,))
            await owner.claim(OWNER, place.permit)
            await owner.had(ONE.name(1))
            await sender.give(1, ONE.pieces[1])
            assert await sender.answer() is Status.GONE
        assert on_disk(tmp_path) == []


async def test_who_is_refused_again_and_again_or_shows_nothing_is_sent_away(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with open_keeper(tmp_path) as place:
        async with place.deposits("stranger") as stranger:
            for _ in range(depot.TRIES_MAX):
                assert await stranger.seek(bytes(16)) is Status.REFUSED
            with pytest.raises(Unavailable):
                await stranger.seek(bytes(16))
        async with place.deposits("silent") as silent:
            began = trio.current_time()
            assert await silent.reader.read() is None
            assert trio.current_time() - began == pytest.approx(30.0, abs=1.0)


async def test_a_sender_who_says_another_file_by_that_name_is_refused(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with open_keeper(tmp_path) as place:
        await open_doors(place)
        async with place.deposits("sender") as sender:
            await leave(sender, ONE)
            false = TWO.parting(1)._replace(name=ONE.name(1))
            assert (await sender.leave(false)).status is Status.REFUSED
        async with place.deposits("owner") as owner:
            await owner.claim(OWNER, place.permit)
            assert await fetched(owner, ONE) == EVERY


async def test_mail_does_not_wait_for_files(autojump_clock: MockClock, tmp_path: Path) -> None:
    """A disk that takes a piece for ever holds up files alone."""
    async with open_keeper(tmp_path) as place:
        await open_doors(place)
        kept = place.keeping._depot
        assert kept is not None
        async with place.deposits("sender") as sender, place.stream("letters") as letters, place.owner() as owner:
            await sender.leave(ONE.parting(1))
            async with kept._writing:
                await sender.give(0, ONE.pieces[0])
                with trio.move_on_after(10.0) as waiting:
                    await sender.answer()
                assert waiting.cancelled_caught
                assert (await letters.put([posting(1, "mail")]))[0].status is Status.OK
                assert texts(await owner.fetch(0, 9, 0)) == ["mail"]


async def test_a_piece_of_another_length_is_not_kept_although_the_sender_has_named_it(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """Else a file takes another place on the disk than it was given."""
    async with open_keeper(tmp_path) as place:
        await open_doors(place)
        short = b"short"
        manifest = chunks.name(short) + ONE.manifest[chunks.ID_BYTES :]
        async with place.deposits("sender") as sender:
            assert (await sender.leave(ONE.parting(1)._replace(manifest=manifest))).status is Status.OK
            await sender.give(0, short)
            with pytest.raises(Unavailable):
                await sender.answer()


async def test_files_of_all_owners_take_no_more_than_was_given(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place:
        await open_doors(place)
        theirs = await place.keeping.permit(2, GIB, MONTH_S)
        async with place.owner("other", SigningKey(b"X" * 32)) as other:
            assert await other.claim(SigningKey(b"X" * 32), theirs, enrols=True) is Status.OK
            assert await other.open_queues((queue(2),)) is Status.OK
        await open_doors(place)
        await place.keeping.give(1_000_000)
        async with place.deposits("sender") as sender:
            assert (await sender.leave(ONE.parting(1))).status is Status.OK
            assert (await sender.leave(ONE.parting(2))).status is Status.QUOTA


async def test_a_disk_that_is_filled_meanwhile_takes_no_more_pieces(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place:
        await open_doors(place)
        kept = place.keeping._depot
        assert kept is not None
        async with place.deposits("sender") as sender:
            await leave(sender, ONE, places=(0,))
            cellar, kept.cellar = kept.cellar, replace(kept.cellar, reserve_bytes=2**60)
            await sender.give(1, ONE.pieces[1])
            assert await sender.answer() is Status.FULL
            kept.cellar = cellar
            assert (await leave(sender, ONE, places=(1, 2))).bits == 0b001
