"""A keeper as its owners and senders meet it: who gets what, how long one waits, what nobody can break (keep.md)."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from crypto.keys import SigningKey
from node import frames
from node.keep import client, server, visit
from node.keep.client import Kept
from node.keep.server import Keeping
from protocol import keep, keep_proof
from protocol.faults import Unavailable
from protocol.keep import Status
from store import permits
from tests.node.keep import kit
from tests.node.keep.kit import GIB, MONTH_S, OWNER, open_keeper, posting, texts
from tests.protocol import hostile
from tests.protocol import keeping as samples
from tests.store import keep_kit
from tests.store.keep_kit import queue


async def test_what_a_sender_puts_an_owner_fetches(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner, place.stream("sender") as sender:
        assert await owner.open_queues((queue(1), queue(2))) is Status.OK
        kept = await sender.put([posting(1, "a", ttl_s=60), posting(2, "b"), posting(1, "c", 65536), posting(1, "a")])
        assert kept == (*(Kept(Status.OK, s) for s in (60, keep.DAY_S, keep.DAY_S)), Kept(Status.OK, 60))
        assert texts(await owner.fetch(0, 512, 0)) == ["a", "b"]
        assert texts(await owner.fetch(2, 512, 0)) == ["c"]
        assert await owner.usage() == keep.Used(65536 + 2048, 3, GIB, 2)
        assert await owner.done(2) is Status.OK
        assert texts(await owner.fetch(0, 512, 0)) == ["c"]
        assert await owner.close_queues((keep_kit.sender_of(1),)) is Status.OK
        assert texts(await owner.fetch(0, 512, 0)) == []
        assert (await sender.put([posting(1, "x")]))[0].status is Status.GONE
        (use,) = await place.keeping.usage()
        assert kit.START_MS <= use.seen_ms <= place.clock.now_ms()
        assert use == permits.Use(1, 0, 0, 1, use.seen_ms, GIB)


async def test_an_owner_is_reminded_of_the_note_that_came_with_what_was_deleted_last(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with open_keeper(tmp_path) as place:
        async with place.owner() as owner:
            await owner.done(0, b"first")
            await owner.done(0, b"newest")
            await owner.done(0)
        async with place.owner() as owner:
            assert await owner.usage() == keep.Used(0, 0, GIB, 0, b"newest")


async def test_case_50_before_a_claim_nothing_of_an_owner_is_reached(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner:
        await owner.open_queues((queue(1),))
        async with place.stream("stranger") as stranger:
            await stranger.put([posting(1, "a")])
            assert await stranger.fetch(0, 1, 0) is Status.REFUSED
            assert await stranger.done(9) is Status.REFUSED
            assert await stranger.close_queues((keep_kit.sender_of(1),)) is Status.REFUSED
            assert await stranger.open_queues((queue(1),)) is Status.REFUSED
            assert await stranger.lay((b"x",)) is Status.REFUSED
            assert await stranger.usage() is Status.REFUSED
            assert await stranger.claim(SigningKey(b"X" * 32), bytes(32), enrols=True) is Status.REFUSED
        assert texts(await owner.fetch(0, 9, 0)) == ["a"]


async def test_case_50_another_owner_gets_and_deletes_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner, place.stream("other") as other:
        await owner.open_queues((queue(1),))
        theirs = await place.keeping.permit(2, GIB, MONTH_S)
        assert await other.claim(SigningKey(b"X" * 32), theirs, enrols=True) is Status.OK
        assert await other.open_queues((queue(2),)) is Status.OK
        await other.put([posting(1, "a")])
        assert texts(await other.fetch(0, 9, 0)) == []
        assert await other.done(2**53 - 1) is Status.OK
        assert await other.close_queues((keep_kit.sender_of(1),)) is Status.OK
        assert await other.open_queues((queue(3, (1,)),)) is Status.REFUSED
        assert texts(await owner.fetch(0, 9, 0)) == ["a"]


async def test_case_50_a_claim_that_was_overheard_is_worth_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner, place.stream("thief") as thief:
        heard = keep_proof.claim(OWNER, owner.peer, owner._mine, owner._nonce, place.permit)
        await thief._say(heard)
        assert (await thief._shown()).status is Status.REFUSED
        assert await thief.fetch(0, 1, 0) is Status.REFUSED


async def test_case_50_hashes_and_ids_of_others_tell_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    """Who puts an envelope that lies in somebody's queue, without a key there, hears what he always hears."""
    async with open_keeper(tmp_path) as place, place.owner() as owner, place.stream("sender") as sender:
        await owner.open_queues((queue(1), queue(2)))
        await sender.put([posting(1, "a")])
        async with place.stream("guesser") as guesser:
            guesses = [posting(1, "a")._replace(put_key=bytes(32)), posting(7, "a"), posting(1, "never seen")]
            answers = await guesser.put([one._replace(put_key=bytes(32)) for one in guesses])
            assert set(answers) == {Kept(Status.GONE, 0)}
        async with place.stream("other sender") as other:
            assert await other.put([posting(2, "a")]) == (Kept(Status.OK, keep.DAY_S),)  # as if it lay nowhere


async def test_case_47_a_put_that_was_overheard_is_worth_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner, place.stream("sender") as sender:
        await owner.open_queues((queue(1),))
        first = posting(1, "a")
        heard = keep_proof.put(first.put_key, sender._nonce, 1, first.sender, first.envelope, first.ttl_s)
        assert (await sender.put([first]))[0].status is Status.OK
        await owner.done(1)
        await sender._say(heard)  # again on the same stream
        assert (await sender._shown()).status is Status.GONE
        async with place.stream("thief") as thief:
            await thief._say(heard)
            assert (await thief._shown()).status is Status.GONE
        assert texts(await owner.fetch(0, 9, 0)) == []


async def test_eight_refusals_end_a_stream_and_another_begins_anew(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place:
        async with place.stream("stranger") as stranger:
            began = trio.current_time()
            answers = await stranger.put([posting(n, "x") for n in range(20)])
            assert [one.status for one in answers] == [Status.GONE] * keep.REFUSALS_MAX
            with pytest.raises(Unavailable):
                await stranger.put([posting(0, "x")])
            assert trio.current_time() - began < 1
        async with place.stream("stranger") as stranger:
            for _ in range(keep.REFUSALS_MAX):
                assert await stranger.done(1) is Status.REFUSED
            with pytest.raises(Unavailable):
                await stranger.done(1)
        async with place.owner() as owner:
            assert await owner.done(1) is Status.OK


async def test_case_52_on_the_wire_a_short_and_a_long_text_at_a_keeper_are_the_same(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    """What is put and fetched has the sizes of its buckets, whatever is in them."""
    seen = []
    async with open_keeper(tmp_path) as place, place.owner() as owner, place.stream("sender") as sender:
        await owner.open_queues((queue(1),))
        for n, text in enumerate(("x", "y" * 300), 1):
            place.sim.tap = []
            await sender.put([posting(1, text)])
            assert texts(await owner.fetch(n - 1, 9, 0)) == [text]
            seen.append([(who, whom, len(piece)) for _, who, whom, piece in place.sim.tap])
    assert seen[0] == seen[1]
    assert len(seen[0]) == 4


# --- waiting


async def test_who_waits_gets_what_comes_at_once(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner, place.stream("sender") as sender:
        await owner.open_queues((queue(1),))
        async with trio.open_nursery() as nursery:
            came: list[tuple[float, list[str]]] = []

            async def wait() -> None:
                came.append((trio.current_time(), texts(await owner.fetch(0, 9, 300))))
                came.append((trio.current_time(), []))

            nursery.start_soon(wait)
            await trio.sleep(20)
            began = trio.current_time()
            await sender.put([posting(1, "a")])
        assert came[0][1] == ["a"]
        assert came[1][0] - began < 1


async def test_who_waits_for_nothing_is_answered_after_his_time(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner:
        began = trio.current_time()
        assert await owner.fetch(0, 9, 7) == keep.Items((), 0)
        assert 7 <= trio.current_time() - began < 8


async def test_the_next_request_ends_the_wait(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner:
        began = trio.current_time()
        await owner._say(keep.Fetch(0, 9, 300))
        await trio.sleep(5)
        await frames.write(owner._stream, keep.encode(keep.Done(1)))
        owner._asked += 1
        reply = await client._read(owner._reader)
        owner._heard += 1
        assert reply == keep.Items((), 0)
        assert (await owner._answer()).status is Status.OK
        assert trio.current_time() - began < 6
        # And one that has come already with the fetch.
        await owner._say(keep.Fetch(0, 9, 300), keep.Usage())
        assert await client._read(owner._reader) == keep.Items((), 0)
        assert trio.current_time() - began < 7


async def test_who_leaves_while_he_waits_is_gone(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place:
        async with place.owner() as owner:
            await owner._say(keep.Fetch(0, 9, 300))
            await trio.sleep(1)
            assert place.keeping._visits.total() == 1
        await trio.sleep(1)
        assert place.keeping._visits.total() == 0


# --- permits


async def test_a_permit_that_is_withdrawn_ends_its_owner_while_he_waits(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner, place.stream("sender") as sender:
        await owner.open_queues((queue(1),))
        await place.keeping.permit(2, GIB, MONTH_S)
        await sender.put([posting(1, "a")])
        async with trio.open_nursery() as nursery:
            heard: list[keep.Items | Status] = []

            async def wait() -> None:
                heard.append(await owner.fetch(1, 9, 300))

            nursery.start_soon(wait)
            await trio.sleep(1)
            began = trio.current_time()
            await place.keeping.revoke(1)
        assert heard == [Status.REFUSED]
        assert trio.current_time() - began < 1
        assert await owner.open_queues((queue(2),)) is Status.REFUSED
        assert (await sender.put([posting(1, "b")]))[0].status is Status.GONE
        await trio.sleep(5)
        assert await place.keeping.database.read(lambda tx: tx.all("SELECT COUNT(*) FROM parcel")) == [(0,)]


async def test_another_key_with_the_same_permit_ends_the_one_before(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner:
        await owner.open_queues((queue(1),))
        async with trio.open_nursery() as nursery:

            async def wait() -> None:
                assert await owner.fetch(0, 9, 300) is Status.REFUSED

            began = trio.current_time()
            nursery.start_soon(wait)
            await trio.sleep(1)
            async with place.owner("restored", SigningKey(b"N" * 32)) as restored:
                assert await restored.open_queues((queue(1),)) is Status.OK
        assert trio.current_time() - began < 2
        async with place.stream("owner again") as again:
            assert await again.claim(OWNER, place.permit, enrols=False) is Status.REFUSED


async def test_who_keeps_for_nobody_has_no_file_and_serves_nothing(autojump_clock: MockClock, tmp_path: Path) -> None:
    path = tmp_path / "sub"
    path.mkdir()
    async with open_keeper(path) as place:
        alone = place.sim.node("alone", b"a" * 32)
        nothing = tmp_path / "keeping.db"
        keeping = Keeping(place.keeping._ground, alone, kit.opener(nothing), nothing.exists)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(keeping.run)
            await trio.sleep(100)
            assert await keeping.usage() == ()
            await keeping.revoke(5)
            assert not nothing.exists()
            assert keep.PROTOCOL not in alone.accepts
            await keeping.permit(5, GIB, MONTH_S)
            assert keep.PROTOCOL in alone.accepts
            await keeping.revoke(5)
            assert keep.PROTOCOL not in alone.accepts
            nursery.cancel_scope.cancel()
        after = Keeping(place.keeping._ground, alone, kit.opener(nothing), nothing.exists)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(after.run)
            assert await after.usage() == ()
            assert keep.PROTOCOL not in alone.accepts
            nursery.cancel_scope.cancel()


async def test_a_node_that_cannot_keep_says_so(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place:
        keeping = Keeping(place.keeping._ground, place.host, None, lambda: False)
        await keeping.run()
        with pytest.raises(server.KeepsForNobody):
            await keeping.permit(1, GIB, MONTH_S)


async def test_after_a_restart_all_is_there_and_served_without_being_asked(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner:
        permit = place.permit
        await owner.open_queues((queue(1),))
        await owner.put([posting(1, "a")])
    async with open_keeper(tmp_path) as place, place.stream("owner") as owner:
        assert place.permit == permit
        assert await owner.claim(OWNER, place.permit, enrols=False) is Status.OK
        assert texts(await owner.fetch(0, 9, 0)) == ["a"]
        await owner.done(1)
        await owner.put([posting(1, "b")])
        page = await owner.fetch(0, 9, 0)
        assert isinstance(page, keep.Items)
        assert page.items[0].seq == 2


# --- age


async def test_case_49_what_expired_is_gone_a_quarter_of_an_hour_later(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner:
        await owner.open_queues((queue(1),))
        await owner.put([posting(1, "short", ttl_s=1000), posting(1, "long", ttl_s=3000)])
    async with open_keeper(tmp_path) as place:
        await trio.sleep(1000 + server.TEND_S)
        async with place.owner() as owner:
            assert texts(await owner.fetch(0, 9, 0)) == ["long"]


@pytest.mark.parametrize("days", [-8, -7, 7, 8, 4000])
async def test_a_clock_that_is_wrong_by_a_week_drops_nothing(
    autojump_clock: MockClock, tmp_path: Path, days: int
) -> None:
    clock = kit.Clock()
    async with open_keeper(tmp_path, clock) as place, place.owner() as owner:
        await owner.open_queues((queue(1),))
        await owner.put([posting(1, "a", ttl_s=2 * keep.DAY_S)])
        clock.off_ms += days * 86_400_000
        await trio.sleep(keep.DAY_S // 2)
    clock.off_ms -= days * 86_400_000
    async with open_keeper(tmp_path, clock) as place:
        await trio.sleep(keep.DAY_S // 2)
    clock.off_ms += days * 86_400_000
    async with open_keeper(tmp_path, clock) as place:
        await trio.sleep(keep.DAY_S // 4)
        async with place.owner() as owner:
            assert texts(await owner.fetch(0, 9, 0)) == ["a"]
        await trio.sleep(keep.DAY_S)
        async with place.owner() as owner:
            assert texts(await owner.fetch(0, 9, 0)) == []


# --- strangers


async def test_who_proves_nothing_is_sent_away_after_30_s(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place, place.stream("stranger") as stranger:
        for _ in range(2):
            await trio.sleep(visit.PROVE_S / 2 - 2)
            assert await stranger.look(bytes(32)) == b""
        await trio.sleep(5)
        with pytest.raises(Unavailable):
            await stranger.look(bytes(32))


async def test_who_has_proven_something_may_be_silent_for_ten_minutes(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner:
        await trio.sleep(visit.IDLE_S - 5)
        assert await owner.done(1) is Status.OK
        await trio.sleep(visit.IDLE_S + 5)
        with pytest.raises(Unavailable):
            await owner.done(1)


async def test_a_stream_has_so_many_looks(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner:
        for _ in range(visit.LOOKS_MAX):
            assert await owner.look(bytes(32)) == b""
        assert await owner.look(bytes(32)) is Status.BUSY


async def test_one_peer_holds_eight_streams_and_others_are_served(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner:
        async with place.sim.open_host("greedy", b"g" * 32) as greedy:
            link = await greedy.dial(place.host.addresses()[0], place.host.peer)
            streams = [await link.open(keep.PROTOCOL) for _ in range(10)]
            greeted = 0
            for stream in streams:
                with suppress(Unavailable):
                    await client.greet(stream, greedy.peer)
                    greeted += 1
            assert greeted == server.VISITS_PER_PEER_MAX
            assert await owner.done(1) is Status.OK
        await trio.sleep(1)
        async with place.stream("greedy") as stream_again:
            assert await stream_again.look(bytes(32)) == b""


async def test_garbage_ends_its_stream_and_nothing_else(autojump_clock: MockClock, tmp_path: Path) -> None:
    seeds = [keep.encode(request) for request in samples.requests()]
    async with open_keeper(tmp_path) as place, place.owner() as owner:
        await owner.open_queues((queue(1),))
        async with place.sim.open_host("hostile", b"h" * 32) as host:
            link = await host.dial(place.host.addresses()[0], place.host.peer)
            for raw in hostile.inputs("a keeper", seeds, 300):
                stream = await link.open(keep.PROTOCOL)
                with suppress(Unavailable):
                    await frames.write(stream, raw, raw[: len(raw) // 2])
                    await stream.send_all(b"\xff" * 8)
                await stream.aclose()
        await trio.sleep(visit.IDLE_S)
        assert place.keeping._visits.total() <= 1
        async with place.owner() as again:
            assert isinstance(await again.usage(), keep.Used)
            assert (await again.put([posting(1, "a")]))[0].status is Status.OK


async def test_a_record_that_is_none_is_refused(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner:
        assert await owner.lay((b"x",)) is Status.REFUSED
        assert await owner.usage() == keep.Used(0, 0, GIB, 0)


async def test_case_49_a_queue_that_is_full_says_so_and_goes_on(autojump_clock: MockClock, tmp_path: Path) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner, place.stream("sender") as sender:
        await owner.open_queues((queue(1, items=2), queue(2)))
        kept = await sender.put([posting(1, n) for n in range(3)] + [posting(2, "other")])
        assert [one.status for one in kept] == [Status.OK, Status.OK, Status.QUOTA, Status.OK]
        await owner.done(1)
        assert (await sender.put([posting(1, 2)]))[0].status is Status.OK
        # What is told again and again that there is no room is no refusal: the stream goes on.
        kept = await sender.put([posting(1, n) for n in range(3, 20)])
        assert {one.status for one in kept} == {Status.QUOTA}
        await place.keeping.give(1)
        assert (await sender.put([posting(2, "more")]))[0].status is Status.QUOTA
        assert await owner.open_queues((replace(queue(9)),)) is Status.QUOTA


async def test_a_full_disk_is_said_and_what_lies_there_is_still_given_out(
    autojump_clock: MockClock, tmp_path: Path
) -> None:
    async with open_keeper(tmp_path) as place, place.owner() as owner, place.stream("sender") as sender:
        await owner.open_queues((queue(1),))
        await sender.put([posting(1, "before")])
        disk = place.keeping.database._connection
        disk.execute("PRAGMA max_page_count = 1")  # SQLite then says what it says of a full disk
        kept = await sender.put([posting(1, n, 65536) for n in range(9)])
        assert set(kept) == {Kept(Status.FULL, 0)}
        assert await owner.open_queues(tuple(queue(n) for n in range(2, 60))) is Status.FULL
        assert texts(await owner.fetch(0, 9, 0)) == ["before"]
        disk.execute("PRAGMA max_page_count = 1073741823")
        assert (await sender.put([posting(1, "after")]))[0].status is Status.OK
        assert texts(await owner.fetch(0, 9, 0)) == ["before", "after"]
