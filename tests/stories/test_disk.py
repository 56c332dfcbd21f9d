"""Case 55 with real nodes: no text and no key stands in any file that a node writes, running, killed or stopped."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

import features
from cli.faults import Failure
from crypto import words
from node import profile
from node.node import migrations
from store import identity
from store.database import Tx, Worker, open_database
from tests.stories.real import RealNode, is_active

CANARY = "Nobody reads this on the disk: xyzzy-7f3a"
NAME = "Renamed-canary-81c"
GREETING = "greeting-canary-c0ffee"
PASSPHRASE = "correct horse battery staple"
START_S = 30.0


def files(home: Path) -> Iterator[tuple[str, bytes]]:
    """Every file under a folder now; one may go while we look."""
    for path in sorted(home.rglob("*")):
        with suppress(FileNotFoundError):
            if path.is_file():
                yield path.relative_to(home).as_posix(), path.read_bytes()


def secrets_in(tx: Tx) -> list[bytes]:
    """All keys that the database holds: of the identity, of pairs, of invitations, of prekeys, of the transport."""
    me = identity.load_identity(tx)
    assert me is not None
    found = [me.recovery, me.device_key.seed, me.identity_key.secret, me.transport_seed, me.presence]
    found += [row[0] for row in tx.all("SELECT secret FROM pair_secret UNION ALL SELECT secret FROM invitation")]
    found += [row[0] for row in tx.all("SELECT key FROM presence")]
    return [*found, words.words_of(me.recovery).encode()]


async def secrets_of(node: RealNode) -> list[bytes]:
    """The keys of a stopped node, its database key first."""
    place = profile.named(node.name, {"WEFT_HOME": str(node.home)})
    key = profile.unlock(place, node.passphrase.encode())
    async with open_database(place.database, key, migrations(features.load()), Worker.INLINE) as database:
        return [key, *await database.transact(secrets_in)]


@pytest.mark.process
@pytest.mark.socket
async def test_case_55_no_file_of_a_node_holds_a_text_or_a_key(tmp_path: Path) -> None:
    ana, bo = RealNode(tmp_path, "ana", PASSPHRASE), RealNode(tmp_path, "bo")
    snapshots: list[tuple[str, bytes]] = []
    try:
        for node in (ana, bo):
            node.init()
            node.up()
            node.call("node.configure", name="log.level", value="debug")
            node.down()
            node.up()
        link = ana.call("contacts.invite")["link"]
        bo.call("contacts.add", link=link, name="ana", greeting=GREETING)
        bo.await_that(lambda: is_active(bo, "ana"), START_S)
        ana.await_that(lambda: is_active(ana, "bo"), START_S)
        ana.call("contacts.rename", name="bo", new=NAME)
        for n in range(50):
            ana.call("chat.send", to=NAME, text=f"{CANARY} {n}")
        bo.await_that(lambda: len(bo.call("chat.inbox", unread=True)) == 50, START_S)
        with pytest.raises(Failure):  # what is asked wrongly is logged too
            ana.call("chat.send", to="nobody", text=CANARY)
        snapshots += files(tmp_path)
        assert any(name.endswith("weft.db-wal") for name, _ in snapshots)
        assert any(name.endswith("node.log") and raw for name, raw in snapshots)
        ana.kill()
        snapshots += files(tmp_path)
        bo.down()
        snapshots += files(tmp_path)
        keys = [*await secrets_of(ana), *await secrets_of(bo)]
    finally:
        for node in (ana, bo):
            if node.program is not None:
                node.kill()
    texts = [CANARY, NAME, GREETING, PASSPHRASE, link.partition("/")[2]]
    wanted = [*keys, *(text.encode() for text in texts), *(text.encode("utf-16-le") for text in texts)]
    wanted += [key.hex().encode() for key in keys if len(key) == 32]
    assert len(keys) > 14
    for name, raw in snapshots:
        assert [len(secret) for secret in wanted if secret in raw] == [], name


@pytest.mark.process
def test_a_node_leaves_no_core_dump(tmp_path: Path) -> None:
    node = RealNode(tmp_path, "ana")
    node.init()
    node.up()
    try:
        assert node.program is not None
        shown = Path(f"/proc/{node.program.pid}/limits")
        if not shown.exists():
            pytest.skip("this system shows no limits of another process")
        (line,) = [line for line in shown.read_text().splitlines() if line.startswith("Max core file size")]
        assert line.split()[4:6] == ["0", "0"]
    finally:
        node.kill()
