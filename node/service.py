"""The node's own calls of the local API: `node.status`, `node.stop`, settings, recovery words."""

import os
from dataclasses import asdict, dataclass

from crypto import words
from node import backup, config, profile, standing
from node.beacon import Beacon
from node.core import Core
from node.doctor import findings, patient, rounds
from node.feature import SAID
from node.logs import notices
from node.network import peer_text
from node.node import migrations
from node.talks import SILENT
from protocol import ids, rpc
from protocol.delivery import State
from protocol.version import VERSION
from store import identity, keepers, people, settings
from store.database import Tx, synchronous

_UNSAID = ", ".join(str(one.KIND) for one in SAID)  # what nodes tell each other by themselves; nobody waits for it


def _beacon(beacon: Beacon) -> str:
    """Whether contacts on the same network find this node: "on", "off", or why not."""
    if not beacon.is_on:
        return "off"
    return beacon.fault or "on"


def _reach(core: Core) -> dict[str, object]:
    """How this node is reached: a verdict, the relays it uses, and what others set to use its own."""
    known = core.reachable
    return {
        "reach": "unknown" if known is None else str(known.reachability.reach),
        "relays": [] if known is None else [str(one.address) for one in known.reservations.held],
        "offers": [] if known is None else [*known.offered],
    }


def _logs(tx: Tx, now_ms: int, online: frozenset[int]) -> dict[str, object]:
    """What happened to logs of ours, and what waits in them."""
    return {
        "befell": [asdict(one) for one in notices.befell(tx, now_ms)],
        "waiting": [asdict(one) for one in notices.waiting(tx, now_ms, online)],
    }


def _keepers(tx: Tx, core: Core) -> dict[str, object]:
    """How many keep for us, what is wrong with them, who asks us to keep for him, and whose offer lies unused."""
    used = keepers.used(tx)
    wrong = [{"name": keepers.name(tx, one), "fault": said} for one in used if (said := one.wrong or one.full)]
    offers = [keepers.name(tx, one) for one in keepers.known(tx) if one.state is keepers.State.OFFERED]
    asks = [*core.services["keepers"].asking(tx)]
    return {"keepers": len(used), "keeping": {"faults": wrong, "asks": asks, "offers": offers}}


def _debts(tx: Tx, core: Core) -> dict[str, object]:
    """What waits for the person in the ledgers, and with whom one stands still."""
    return {"debts": core.services["payments"].waiting(tx)}


@dataclass(frozen=True, slots=True)
class NodeService:
    """What a door asks about the node itself. Every public method is a call of the local API, `node.NAME`."""

    core: Core
    profile: str
    up_since_ms: int

    async def status(self) -> dict[str, object]:
        """Returns who this node is, where it listens, and each contact: connected or why not, and what waits for it.

        Asks the contacts who have been silent for long, and waits up to a second for their answers.
        """
        core = self.core
        talks, now_ms = core.delivery.talks, core.ground.now_ms()

        def rows(
            tx: Tx,
        ) -> tuple[str, tuple[tuple[people.Contact, int, int], ...], dict[str, object], dict[str, object]]:
            waiting = {
                int(contact): (int(count), int(kept))
                for contact, count, kept in tx.all(
                    "SELECT m.contact, COUNT(DISTINCT m.seq), COUNT(DISTINCT CASE WHEN m.state = ? AND EXISTS (SELECT 1"
                    " FROM parcel p WHERE p.device = d.device AND p.message = d.message AND p.until_ms > ?)"
                    " THEN m.seq END) FROM delivery d JOIN message m ON m.seq = d.message"
                    f" WHERE d.state < {int(State.DELIVERED)} AND m.kind NOT IN ({_UNSAID}) GROUP BY m.contact",
                    (int(State.KEPT), now_ms),
                )
            }
            known = tuple((one, *waiting.get(one.id, (0, 0))) for one in people.contacts(tx))
            online = frozenset(one.id for one, *_ in known if talks.online(one.id))
            return synchronous(tx), known, _logs(tx, now_ms, online), _keepers(tx, core) | _debts(tx, core)

        durability, found, of_logs, of_keepers = await core.database.transact(rows)
        silent = await talks.look()
        return {
            "name": (await core.database.transact(identity.renamed, core.identity)).name,
            "account": ids.account_text(core.identity.account),
            "profile": self.profile,
            "pid": os.getpid(),
            "up_since_ms": self.up_since_ms,
            "addresses": [*core.network.addresses()],
            "peer": peer_text(core.network.peer),
            **_reach(core),
            "nearby": core.services["nearby"].said(),
            "beacon": _beacon(core.beacon),
            "dht": standing.dht(core),
            "contacts": [
                {
                    "name": one.name,
                    "state": one.state.name.lower(),
                    "online": talks.online(one.id),
                    "seen_ms": one.seen_ms,
                    "waiting": count,
                    "kept": kept,
                    "reason": one.reason or (SILENT if one.id in silent else standing.why(core, one.id)),
                    **standing.way(core, one.id),
                }
                for one, count, kept in found
            ],
            "queued": sum(count for _, count, _ in found),
            "kept": sum(kept for _, _, kept in found),
            **of_keepers,
            "logs": of_logs,
            "trouble": core.keeping.trouble if core.database.trouble is None else core.database.trouble.lasting,
            "synchronous": durability,
            "version": VERSION,
            "protocol": rpc.API,
        }

    async def stop(self) -> dict[str, object]:
        """Ends the node cleanly, after this answer."""
        self.core.stop.set()
        return {}

    async def doctor(self, door: str = "") -> dict[str, object]:
        """Examines this machine, the node and its contacts: {"findings": [{name, level, sentence, next}], "ok"}.

        Takes about 5 s; dials contacts that are away. door: the version of the command that asks.
        """
        place = profile.named(self.profile)
        subject = await patient.running(place, self.core, migrations(self.core.features), door, self.up_since_ms)
        return findings.report(await rounds.examine(subject))

    async def version(self) -> dict[str, object]:
        """Returns the version of weft and of the local API."""
        return {"version": VERSION, "protocol": rpc.API}

    async def config(self, name: str | None = None) -> dict[str, object]:
        """Returns all settings, or one, with their values. Raises: UnknownSetting."""
        stored = await self.core.database.transact(settings.all_set)
        values = config.effective(stored)
        if name is not None:
            row = config.setting(name)
            return {row.name: values[row.name]}
        return {**values}

    async def configure(self, name: str, value: str) -> dict[str, object]:
        """Sets a setting, durable on return; empty means the default. Those of listen and log act at the next start,
        all others at once.

        Raises: UnknownSetting, BadSetting
        """
        row, parsed = config.setting(name), config.parse(name, value)

        def change(tx: Tx) -> None:
            if value.strip():
                settings.put(tx, row.name, config.text_of(parsed))
            else:
                settings.drop(tx, row.name)

        await self.core.database.transact(change)
        if row.name == "lan.beacon":
            self.core.beacon.turn(parsed is True)
        room, _, _ = row.name.partition(".")
        switched = {"relay": self.core.reachable, "dht": self.core.bootstrap}.get(room)
        if switched is not None:
            switched.turn(config.effective(await self.core.database.transact(settings.all_set)))
        if room == "dht" and self.core.publisher is not None:
            self.core.publisher.bell.ring()
        if room in ("dht", "find"):
            self.core.services["contacts"].publisher.bell.ring()
        return {row.name: parsed}

    async def backup(self, file: str, replace: bool = False) -> dict[str, object]:
        """Writes a backup of this account to a file, on the disk on return: {file, account, name, made_ms, contacts,
        messages, bytes}. Everything goes on meanwhile.

        file: a whole path of this machine. replace: also where a file stands there.
        Raises: BadPath, BackupExists, BackupUnwritable, BackupUnsound
        """
        place, core = backup.place_of(file), self.core
        made = await backup.create(core.database, core.identity, core.features, core.ground, place, replace)
        return {"file": file, **asdict(made)}

    async def words(self) -> dict[str, object]:
        """Returns the 24 recovery words of the account. Whoever has them is this account."""
        return {"words": words.words_of(self.core.identity.recovery)}
