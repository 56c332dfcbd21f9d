"""A disk with logs is lost, and its person comes back from a backup: what others give back, and what goes on."""

import pytest
import trio

from lab import world
from lab.world import World
from tests.stories.log_kit import NIGHT_S, all_hold, circle, has, notes, proofs, row
from tests.stories.test_backups import kept, lose_and_restore
from tests.stories.test_logs import held_by, nobody_is_accused, write


@pytest.mark.parametrize("seed", [71, 72])
def test_her_entries_come_back_and_her_logs_go_on_in_successors_that_all_read(seed: int) -> None:
    async def story(w: World) -> None:
        ana, bo, cy = await circle(w, "ana", "bo", "cy")
        await ana.call("logs.begin", name="trip", readers=["bo", "cy"], anchor="bo")
        await bo.call("logs.begin", name="tea", readers=["ana", "cy"])
        await cy.call("logs.begin", name="songs", readers=["ana"])
        await write(ana, "one", "two")
        await write(bo, "green", log="tea")
        await write(cy, "a song", log="songs")
        await w.until(all_hold(held_by(ana, [bo, cy]), 2))
        await w.until(all_hold(held_by(bo, [ana, cy], "tea"), 1))
        await w.until(all_hold(held_by(cy, [ana], "songs"), 1))
        lost = await row(ana, "trip")
        file = w.folder / "ana.weft"
        await kept(ana, file)
        await write(ana, "three, after the backup")
        await w.until(all_hold(held_by(ana, [bo, cy]), 3))
        await ana.kill()
        await write(bo, "black", log="tea")
        await trio.sleep(NIGHT_S)

        await lose_and_restore(ana, file)
        await ana.start()
        assert await notes(ana, "trip") == []
        begun = await row(ana, "trip")  # the successor is there at once, and the old one is known by its id
        assert (begun["previous"], begun["device"] != lost["device"]) == (lost["id"], True)
        assert sorted(name for name, _ in begun["readers"]) == ["Bo", "Cy"]
        assert (await row(ana, lost["id"]))["state"] == "over"

        async def old_entries_are_back() -> bool:
            """ana has what she had written, also after the backup"""
            return await notes(ana, lost["id"]) == ["one", "two", "three, after the backup"]

        await w.until(old_entries_are_back)
        await write(ana, "four, on the new device")
        await w.until(all_hold(held_by(ana, [bo, cy]), 1))
        for one in (bo, cy):
            assert await notes(one, "ana/trip") == ["four, on the new device"]
            of = await row(one, "ana/trip")
            assert of["previous"] == lost["id"]
            assert (await row(one, lost["id"]))["state"] == "over"
            assert await notes(one, lost["id"]) == ["one", "two", "three, after the backup"]
        first = (await cy.call("logs.show", log="ana/trip"))["entries"][0]
        assert first["acks"] == 1  # what others hold of the log before is named

        await write(bo, "white", log="tea")
        await write(cy, "another", log="songs")
        await w.until(all_hold(held_by(bo, [ana, cy], "tea"), 3))  # what others granted her is read again
        await w.until(all_hold(held_by(cy, [ana], "songs"), 2))
        assert await notes(ana, "bo/tea") == ["green", "black", "white"]
        assert await notes(ana, "cy/songs") == ["a song", "another"]

        async def new_spine_is_seen() -> bool:
            """bo and cy have seen the spine of the new device"""
            found = (await ana.call("logs.show", log="spine", limit=1000))["entries"]
            return bool(found) and set(found[-1]["cosigned"]) == {"Bo", "Cy"}

        await w.until(new_spine_is_seen, NIGHT_S)
        await nobody_is_accused(ana, bo, cy)
        for one in (ana, bo, cy):
            assert (await proofs(one))["troubles"] == []

    world.run(story, seed)


def test_an_old_backup_restored_twice_begins_two_successors_and_accuses_nobody() -> None:
    async def story(w: World) -> None:
        ana, bo = await circle(w, "ana", "bo")
        await ana.call("logs.begin", name="trip", readers=["bo"])
        await write(ana, "one")
        await w.until(all_hold(held_by(ana, [bo]), 1))
        file = w.folder / "ana.weft"
        await kept(ana, file)
        old = []
        for n in range(2):
            old.append((await row(ana, "trip"))["id"])
            await ana.kill()
            await trio.sleep(NIGHT_S)
            await lose_and_restore(ana, file)
            await ana.start()
            await write(ana, f"after restore {n}")
            await w.until(all_hold(held_by(ana, [bo]), 1))
            assert await notes(bo, "ana/trip") == [f"after restore {n}"]
        assert await notes(bo, old[0]) == ["one"]
        assert await notes(bo, old[1]) == ["after restore 0"]
        assert await has(ana, "trip")
        await nobody_is_accused(ana, bo)

    world.run(story, 73)
