"""What stories of the stranger queue share: waiting for doors and records, and people who are nobody's node."""

from collections.abc import Sequence
from typing import Any

from crypto import handshake, ratchet
from crypto.keys import DhKey, Encapsulate, Entropy, SigningKey
from features.contacts.content import Introduction
from lab.world import Person, World, befriend
from node.keep import client
from protocol import content, envelope, identity, ids, knock
from protocol.identity import Bundle
from protocol.keep import Status
from store import keepers, lines, people
from store.database import Tx

DAY_S = 86_400


def core_of(person: Person) -> Any:
    assert person.node is not None
    return person.node.core


async def kept(owner: Person, keeper: Person) -> None:
    """The keeper is a contact of the owner, keeps for him, and they have met for it."""
    await befriend(owner, keeper)
    await keeper.call("keepers.offer", contacts=[owner.name])

    async def met() -> bool:
        used = await core_of(owner).database.transact(keepers.used)
        return bool(used) and all(one.addresses for one in used)

    await owner.world.until(met)


async def doors_open(w: World, owner: Person) -> None:
    """Waits until strangers may knock at a keeper of somebody, and all his records lie there."""

    def is_open(tx: Tx) -> bool:
        found = [each for one in keepers.used(tx) for each in keepers.queues(tx, one.id, keepers.QueueState.OPEN)]
        return any(each.contact == keepers.OWN for each in found)

    async def stands() -> bool:
        has_records = bool(core_of(owner).collector.reception.strangers.records)
        return has_records and await core_of(owner).database.transact(is_open) and await laid(w, owner)

    await w.until(stands)


async def laid(w: World, owner: Person) -> bool:
    """Whether every record of somebody lies at some keeper."""
    wanted = set(core_of(owner).collector.reception.strangers.records.values())
    for person in w.people.values():
        if person.node is not None and person.node.core.keeping.is_serving:
            rows = await person.node.core.keeping.database.transact(lambda tx: tx.all("SELECT raw FROM laid"))
            wanted -= {raw for (raw,) in rows}
    return not wanted


async def left(w: World, asker: Person) -> dict[str, Any]:
    """Waits until what somebody asks lies at a keeper; the one whom he asks, as he sees him."""
    found: list[dict[str, Any]] = []

    async def is_left() -> bool:
        found[:] = [one for one in await asker.call("contacts.list") if "left at a keeper" in one["reason"]]
        return bool(found)

    await w.until(is_left)
    return found[0]


async def is_kept(sender: Person, to: str) -> bool:
    """Whether somebody has told a contact where he can be left mail, and all that he said lies at a keeper."""

    def is_left(tx: Tx) -> bool:
        contact = people.find_contact(tx, to)
        sql = (
            "SELECT COUNT(*) FROM delivery d JOIN device v ON v.id = d.device WHERE v.contact = ? AND NOT EXISTS"
            " (SELECT 1 FROM parcel p WHERE p.device = d.device AND p.message = d.message AND p.until_ms > 0)"
        )
        return bool(lines.told(tx, contact.id)[0]) and tx.one(sql, (contact.id,)) == (0,)

    return bool(await core_of(sender).database.transact(is_left))


async def in_shelves(keeper: Person) -> int:
    """How many envelopes a keeper has."""
    rows = await core_of(keeper).keeping.database.transact(lambda tx: tx.one("SELECT COUNT(*) FROM parcel"))
    return int(rows[0])


async def put_all(
    stranger: Person, keeper: Person, door: knock.Door, envelopes: Sequence[bytes], work: int | None = None
) -> list[Status]:
    """What a keeper answers to each of these."""
    network, place = core_of(stranger).network, core_of(keeper).network
    link = await network.dial(place.addresses()[0], place.peer)
    async with client.open_stream(link, network.peer) as stream:
        found = await stream.put([client.Posting(*door, one, knock.TTL_S, work) for one in envelopes])
    await link.aclose()
    return [answer.status for answer in found]


def init_of_somebody(bundle: Bundle, now_s: int, entropy: Entropy, encapsulate: Encapsulate) -> envelope.Init:
    """A good init of an account that nobody has heard of, without one-time keys."""
    account_key, device_key, identity_key = SigningKey(entropy(32)), SigningKey(entropy(32)), DhKey(entropy(32))
    account, device = ids.AccountId(account_key.public), ids.DeviceId(device_key.public)
    one = identity.certify(account_key, device, identity_key.public, 1, now_s - DAY_S, now_s + DAY_S)
    devices = identity.first_list(account_key, (one,), now_s)
    mine = handshake.Party(account, identity.certificate_hash(one), identity_key.public)
    of = bundle.certificate
    theirs = handshake.Party(of.account, identity.certificate_hash(of), of.identity)
    ephemeral = DhKey(entropy(32))
    prekeys = handshake.Prekeys(bundle.signed, None, bundle.kem)
    agreed, ciphertext = handshake.initiate(mine, identity_key, theirs, prekeys, ephemeral, 0, encapsulate)
    session = ratchet.sending_first(agreed, bundle.signed, entropy, now_s * 1000)
    card = identity.Card(account, devices, one, "Nobody", None, now_s * 1000)
    raw = content.say(
        message_id=ids.new_message_id(now_s * 1000, entropy),
        hlc_ms=now_s * 1000,
        device_seq=0,
        parents=(),
        content=Introduction(card, "me too", (), bytes(32)),
    )
    sealed = envelope.Message(*ratchet.encrypt(session, raw, entropy, encapsulate, now_s * 1000))
    numbers = (bundle.signed_number, None, bundle.kem_number, 0)
    return envelope.Init(one, identity.list_hash(devices), ephemeral.public, ciphertext, *numbers, sealed)
