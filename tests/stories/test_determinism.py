"""One seed is one world: two processes with different hash seeds live the same story to the byte."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STORY = """
from lab import world

async def story(w):
    alice, bob = await w.person("alice"), await w.person("bob")
    w.network.loss = 0.02
    await world.befriend(alice, bob)
    for n in range(10):
        await alice.call("chat.send", to="bob", text=f"a{n}")
        await bob.call("chat.send", to="alice", text=f"b{n}")
        if n == 4:
            await bob.kill()
            await bob.start()

    async def there():
        return len(await world.texts(alice, "bob")) == len(await world.texts(bob, "alice")) == 20

    await w.until(there)
    await alice.call("chat.history", to="bob")
    await bob.call("chat.history", to="alice")

print(world.run(story, seed=SEED))
"""


def _transcript(hash_seed: str, seed: int) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    script = STORY.replace("SEED", str(seed))
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.process
def test_one_seed_is_one_world() -> None:
    first, second = _transcript("1", 42), _transcript("2", 42)
    assert first == second
    assert len(first) == 64
    assert _transcript("1", 43) != first
