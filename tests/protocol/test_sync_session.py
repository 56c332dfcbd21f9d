"""What a session does between two honest peers: little where little is new, the newest first, nothing to whom not."""

import pytest

from protocol import entry, sync
from protocol.log import Fork
from protocol.sync import Done, Have, Hello, Live, Proven, Run, Want
from protocol.sync_fetch import FAR_ENTRIES, NEWEST_ENTRIES
from protocol.talk import Side
from tests.protocol import chains
from tests.protocol.replicas import Replica, World, disk_of, key_of, log_of, logs_of

ANA, BO, CY = "ana", "bo", "cy"
MINE, HIS = log_of(ANA), log_of(BO)


def two(*names: str, headers_only: tuple[str, ...] = ()) -> tuple[World, Replica, Replica]:
    """Ana and Bo, who share the logs of these."""
    world = World((Replica(ANA, logs_of(*names), headers_only), Replica(BO, logs_of(*names))))
    return world, world.nodes[ANA], world.nodes[BO]


def meet(world: World) -> int:
    """A session between the two until nothing is on its way; returns how many bytes both said."""
    nodes = list(world.nodes.values())
    for node in nodes:
        node.sent_bytes = 0
        node.frames.clear()
    world.connect(ANA, BO)
    world.settle()
    return sum(node.sent_bytes for node in nodes)


def kinds(node: Replica) -> list[type]:
    return [type(frame) for frame in node.frames]


def test_who_has_nothing_new_says_hello_and_no_more() -> None:
    world, ana, bo = two(ANA, BO)
    assert meet(world) == 98
    ana.append(MINE, b"1")
    meet(world)
    assert meet(world) == 98
    assert kinds(ana) == kinds(bo) == [Hello]


@pytest.mark.parametrize("shared", [10, 200])
def test_only_what_changed_since_the_last_round_is_told(shared: int) -> None:
    world, ana, _ = two(*(f"author {number}" for number in range(shared)))
    for number in range(shared):
        ana.append(log_of(f"author {number}"), b"1", key_of(f"author {number}"))
    meet(world)
    ana.append(log_of("author 3"), b"2", key_of("author 3"))
    assert meet(world) < 1_200
    (told,) = [frame for frame in ana.frames if isinstance(frame, Have)]
    assert len(told.tags) == 1


def test_who_was_given_one_more_log_compares_all() -> None:
    world, ana, bo = two(ANA, CY)
    later = bo.disk.logs.pop(log_of(CY))
    for of, key in ((MINE, key_of(ANA)), (log_of(CY), key_of(CY))):
        ana.append(of, b"1", key)
    meet(world)
    assert ANA in bo.disk.memories
    bo.disk.logs[log_of(CY)] = later
    meet(world)
    assert later.entries == ana.disk.logs[log_of(CY)].entries


def test_a_peer_who_forgot_is_told_all() -> None:
    world, ana, bo = two(ANA)
    old = disk_of(bo)
    for say in (b"1", b"2"):
        ana.append(MINE, say)
        meet(world)
        copy, old = old, disk_of(bo)
    world.restore(BO, copy)
    meet(world)
    assert bo.disk.logs[MINE].entries == ana.disk.logs[MINE].entries


def test_who_is_far_behind_gets_the_newest_first_and_sees_how_far_he_is() -> None:
    world, ana, bo = two(ANA)
    total = FAR_ENTRIES + 2 * NEWEST_ENTRIES
    for number in range(total):
        ana.append(MINE, b"%d" % number)
    meet(world)
    assert len(bo.disk.logs[MINE].entries) == total
    wants = [frame for frame in bo.frames if isinstance(frame, Want)]
    assert (wants[0].firsts[0], wants[0].lasts[0]) == (total - NEWEST_ENTRIES, total - 1)
    first = next(frame for frame in ana.frames if isinstance(frame, Run))
    assert first.first == total - NEWEST_ENTRIES
    seen = [(one.here, one.total) for one in bo.progress]
    assert seen == sorted(seen)
    assert seen[0] == (0, total)
    assert seen[-1] == (total, total)


def test_frames_of_a_long_log_are_large_and_within_the_limit() -> None:
    world, ana, _ = two(ANA)
    for _ in range(400):
        ana.append(MINE, bytes(700))
    meet(world)
    sizes = [len(sync.encode(frame)) for frame in ana.frames if isinstance(frame, Run)]
    assert max(sizes) <= 48 * 1024
    assert sum(size >= 16 * 1024 for size in sizes) >= len(sizes) - 1


def test_the_largest_contents_travel_one_in_a_frame() -> None:
    world, ana, bo = two(ANA)
    for _ in range(3):
        ana.append(MINE, bytes(entry.CONTENT_BYTES_MAX))
    meet(world)
    assert bo.disk.logs[MINE].entries == ana.disk.logs[MINE].entries


def test_news_are_pushed_while_connected_and_the_author_learns_that_they_are_held() -> None:
    world, ana, bo = two(ANA, BO)
    ana.append(MINE, b"1")
    meet(world)
    assert ana.held[BO, MINE] == 0
    ana.frames.clear()
    ana.append(MINE, b"2")
    world.settle()
    assert kinds(ana) == [Live, Done]
    assert len(bo.disk.logs[MINE].entries) == 2
    assert ana.held[BO, MINE] == 1


def test_what_is_written_between_the_hellos_is_told() -> None:
    world, ana, bo = two(ANA, BO)
    meet(world)
    world.connect(ANA, BO)
    ana.append(MINE, b"late")
    world.settle()
    assert len(bo.disk.logs[MINE].entries) == 1


def test_who_gets_headers_alone_gets_no_content() -> None:
    world, ana, bo = two(ANA, headers_only=(BO,))
    ana.append(MINE, b"secret words")
    meet(world)
    ana.append(MINE, b"secret words")
    world.settle()
    assert [content for _, content in bo.disk.logs[MINE].entries] == [None, None]
    assert [raw for raw, _ in bo.disk.logs[MINE].entries] == [raw for raw, _ in ana.disk.logs[MINE].entries]


def test_contents_that_are_awaited_are_asked_for_again() -> None:
    world, ana, bo = two(ANA)
    for _ in range(3):
        ana.append(MINE, b"words")
    kept = bo.disk.logs[MINE]
    kept.entries = [(raw, None) for raw, _ in ana.disk.logs[MINE].entries]
    meet(world)
    bo._carry(ANA, bo.sessions[ANA].again(MINE, 0, 5))  # more than Ana said to have: nothing is asked
    world.settle()
    assert all(content is None for _, content in kept.entries)
    bo._carry(ANA, bo.sessions[ANA].again(MINE, 0, 2))
    world.settle()
    assert kept.entries == ana.disk.logs[MINE].entries
    assert bo.sessions[ANA].is_idle


def test_proofs_go_before_anything_else_and_once() -> None:
    world, ana, bo = two(ANA, BO, CY)
    ana.append(MINE, b"1")
    branches = [chains.chain(1, None, say, key_of(CY), log_of(CY))[0].raw for say in (b"a", b"b")]
    ana.disk.logs[log_of(CY)].proof = Fork.of(*branches)
    meet(world)
    assert kinds(ana)[:3] == [Hello, Proven, Have]
    assert bo.accused == {log_of(CY): Fork.of(*branches)}
    assert meet(world) == 98


def test_invariant_8_two_branches_of_one_length_are_found_by_the_frontier() -> None:
    world, ana, bo = two(ANA, CY)
    for node, say in ((ana, b"to ana"), (bo, b"to bo")):
        node.append(log_of(CY), b"both", key_of(CY))
        node.append(log_of(CY), say, key_of(CY))
    meet(world)
    for node in (ana, bo):
        proof = node.disk.logs[log_of(CY)].proof
        assert isinstance(proof, Fork)
        assert {one.body.author for one in proof.check()} == {key_of(CY).public}


def test_an_author_learns_what_others_hold_of_him() -> None:
    world, ana, bo = two(ANA)
    ana.append(MINE, b"1")
    meet(world)
    assert ana.checked[BO] == ()
    old = disk_of(ana)
    ana.append(MINE, b"2")
    world.settle()
    assert len(bo.disk.logs[MINE].entries) == 2
    world.restore(ANA, old)
    meet(world)
    assert ana.checked[BO] == (MINE,)
    assert len(ana.disk.logs[MINE].entries) == 2


def named(node: Replica, peer: str) -> tuple[bytes, ...]:
    return tuple(sorted(node.sessions[peer].named()))


def test_what_a_peer_has_named_is_told_once_and_is_no_more_than_he_knows() -> None:
    world, ana, bo = two(ANA, BO, CY)
    ana.append(log_of(CY), b"1", key_of(CY))
    meet(world)
    assert named(ana, BO) == (log_of(CY),)  # he has asked for it
    assert named(bo, ANA) == (log_of(CY),)  # she has said to have it
    bo.append(HIS, b"1")  # is sent as it is written
    world.settle()
    assert (named(ana, BO), named(bo, ANA)) == ((HIS,), (HIS,))
    ana.append(log_of(CY), b"2", key_of(CY))
    world.settle()
    assert (named(ana, BO), named(bo, ANA)) == ((), ())


def test_a_frozen_log_is_not_unnamed() -> None:
    world, ana, bo = two(ANA, CY)
    ana.append(MINE, b"1")
    for node in (ana, bo):
        branches = [chains.chain(1, None, say, key_of(CY), log_of(CY))[0].raw for say in (b"a", b"b")]
        node.disk.logs[log_of(CY)].proof = Fork.of(*branches)
    meet(world)
    assert named(ana, BO) == (MINE,)
    assert ana.sessions[BO].unnamed() == ()


def test_who_says_to_have_what_we_have_too_has_named_it() -> None:
    world, ana, bo = two(ANA, CY)
    ana.append(log_of(CY), b"1", key_of(CY))
    meet(world)
    bo.disk.memories.clear()
    ana.disk.memories.clear()
    ana.append(MINE, b"1")
    meet(world)
    assert named(ana, BO) == tuple(sorted((MINE, log_of(CY))))


def test_equal_digests_name_nothing() -> None:
    world, ana, bo = two(CY)
    ana.append(log_of(CY), b"1", key_of(CY))
    meet(world)
    assert meet(world) == 98
    assert (named(ana, BO), named(bo, ANA)) == ((), ())


def test_what_a_peer_does_not_know_is_unnamed_once_he_has_named_all() -> None:
    world, ana, bo = two(ANA, CY)
    bo.disk.logs.pop(log_of(CY))
    ana.append(log_of(CY), b"1", key_of(CY))
    ana.append(MINE, b"1")
    ana.connect(BO, Side.DIALLER, bytes(8))
    assert ana.sessions[BO].unnamed() == ()  # he has said nothing yet
    meet(world)
    assert ana.sessions[BO].unnamed() == (log_of(CY),)
    assert bo.sessions[ANA].unnamed() == ()
    world.connect(ANA, BO)
    bo.append(MINE, b"2", key_of(ANA))
    world.settle()
    assert named(ana, BO) == (MINE,)
    assert ana.sessions[BO].unnamed() == ()  # he has named only what is new
