"""Golden samples: the bytes of every kind, of texts and of dialogues, frozen.

A changed sample is a change of the protocol: it needs its clause in docs/protocol/, its reason and a new kind where a
meaning changed. `python -m tests.protocol.golden` writes the files and docs/protocol/kinds.md anew, from the root of
the checkout; nothing else does.
"""

import hashlib
import json
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any

from protocol import (
    content,
    entry,
    identity,
    invite,
    keep,
    keep_proof,
    kinds,
    log,
    moment,
    record,
    spine,
    sync,
    talk,
    work,
)
from protocol.entry import Ack, Body, Kind
from protocol.ids import MessageId
from tests.protocol import handed, samples
from tests.protocol import spines as chains
from tests.protocol.chains import BO, SECRET
from tests.protocol.circle import NOW_MS, NOW_S, someone

FOLDER = Path(__file__).parent.parent / "golden"
KINDS_PAGE = Path(__file__).parents[2] / "docs" / "protocol" / "kinds.md"
SAMPLES_PER_KIND = 2
FILES = {
    "Structures": "protocol_structures.json",
    "Inside an envelope": "protocol_envelopes.json",
    "Inside a parcel": "protocol_parcels.json",
    "Frames of /weft/talk/1": "protocol_frames.json",
    "Frames of /weft/nearby/1": "protocol_nearby.json",
    "Records of the DHT": "protocol_records.json",
    "Proofs about logs": "protocol_proofs.json",
    "Frames of /weft/sync/1": "protocol_sync.json",
    "Frames of /weft/blobs/1": "protocol_blobs.json",
    "Frames of /weft/keep/1": "protocol_keep.json",
    "Frames of /weft/deposit/1": "protocol_deposit.json",
    "Records of a backup": "protocol_backup.json",
    "Contents of the node": "protocol_node_contents.json",
    "Questions about the way of a payment": "protocol_probes.json",
    "Contents": "protocol_contents.json",
    "Terms of ledgers": "protocol_terms.json",
}
SIGNED = "protocol_signed.json"
LOGS = "protocol_logs.json"
SPINES = "protocol_spines.json"
LOG_FILE = "protocol_log_file.json"
KEEPING = "protocol_keeping.json"
MOMENTS = "protocol_moments.json"


def shown(value: Any) -> Any:
    """A record or a value of a field as JSON: names beside values, so that two swapped fields are noticed."""
    match value:
        case bytes():
            return value.hex()
        case tuple():
            return [shown(item) for item in value]
        case IntEnum():
            return value.name
        case None | int() | str():
            return value
        case _:
            names = (name for name, _ in record.rules(type(value)))
            return {"kind": value.KIND, **{name: shown(getattr(value, name)) for name in names}}


def of_kinds(place: str, classes: tuple[type, ...]) -> list[dict[str, Any]]:
    """Samples of each class of a place: what is in them, and their bytes."""
    made: list[dict[str, Any]] = []
    for cls in classes:
        for number in range(SAMPLES_PER_KIND):
            rec = samples.sample(cls, samples.Seeded(f"golden {place} {cls.__name__} {number}"))
            raw = said(rec) if cls in samples.heard() else record.encode(rec)
            made.append({"name": cls.__name__, "fields": shown(rec), "bytes": raw.hex()})
    return made


def said(what: Any) -> bytes:
    """A content with a fixed head around it."""
    return content.say(
        message_id=MessageId(bytes(range(16))),
        hlc_ms=NOW_MS,
        device_seq=1,
        parents=(MessageId(b"p" * 16),),
        content=what,
        expire_s=3600,
    )


def signed() -> dict[str, Any]:
    """What keys make: signatures and hashes of structures, the channel proof, the dialogue of an invitation."""
    ana = someone("golden ana")
    newer = identity.next_list(
        ana.account_key, ana.devices, (ana.certificate,), (identity.Revocation(bytes(32), NOW_S, 1),), NOW_S + 1
    )
    bundle = ana.bundle(ana.one_time())
    peers = (b"D" * 32, b"L" * 32, b"d" * 32, b"l" * 32)
    transcript = talk.transcript(*peers)
    chan_key = talk.chan_key(b"s" * 32)
    keys = invite.InviteKeys.of(bytes(range(16)))
    proofs = {
        side.value: talk.prove(chan_key, side, transcript, ana.introduction(), bytes(24)).hex() for side in talk.Side
    }
    answer = invite.answer(keys, transcript, bundle, bytes(24))
    return {
        "account_seed": ana.account_key.seed.hex(),
        "device_seed": ana.device_key.seed.hex(),
        "certificate": record.encode(ana.certificate).hex(),
        "certificate_hash": identity.certificate_hash(ana.certificate).hex(),
        "first_list": record.encode(ana.devices).hex(),
        "first_list_hash": identity.list_hash(ana.devices).hex(),
        "next_list": record.encode(newer).hex(),
        "bundle": record.encode(bundle).hex(),
        "chan_key": chan_key.hex(),
        "transcript": transcript.hex(),
        "proofs": proofs,
        "invite_keys": [keys.mac.hex(), keys.bundle.hex(), keys.init.hex(), keys.dht.hex()],
        "asker_mac": invite.asker_mac(keys, transcript).hex(),
        "answer_sha256": hashlib.sha256(answer).hexdigest(),
        "verdicts": {v.name: invite.seal_verdict(keys, transcript, v, bytes(24)).hex() for v in invite.Verdict},
    }


def logs() -> dict[str, Any]:
    """A log of three entries of each kind, its id, its contents, and the proof of a fork at its end."""
    key = someone("golden ana").device_key
    secret, other = bytes(range(32)), bytes(range(16))
    of = log.log_id(secret, key.public, 3)
    sealed = entry.seal(entry.content_key(secret, of, 0), key.public, of, 0, b"said", bytes(range(24)))
    contents = (sealed, b"spine", b"public", b"fork")
    chain: list[entry.Entry] = []
    for number, (kind, held) in enumerate(zip((*Kind, Kind.PUBLIC), contents, strict=True)):
        seq = min(number, 2)
        acks = (Ack(other, entry.SEQ_MAX, bytes(32)), Ack(of, 0, bytes(32)))[:seq]
        prev = chain[seq - 1].id if seq else None
        body = Body(key.public, of, seq, prev, NOW_MS + number, acks, kind, *entry.about(held))
        chain.append(entry.write(body, key))
    return {
        "device_seed": key.seed.hex(),
        "secret": secret.hex(),
        "epoch": 3,
        "log": of.hex(),
        "contents": [held.hex() for held in contents],
        "entries": [one.raw.hex() for one in chain],
        "ids": [one.id.hex() for one in chain],
        "fork": log.Fork.of(chain[2].raw, chain[3].raw).encode().hex(),
    }


def spines() -> dict[str, Any]:
    """A spine over three logs, a place in it, a cosignature, both proofs of a rollback, and the names of a session."""
    key = someone("golden ana").device_key
    secret, nonces = bytes(range(32)), bytes(range(80))
    wrote = chains.wrote(key, secret)
    line = wrote.lines[0]
    place = spine.prove(wrote.lines, line.log)
    frontier = [sync.Standing(line.log, line.head, False), sync.Standing(wrote.lines[1].log, None, True)]
    return {
        "device_seed": key.seed.hex(),
        "secret": secret.hex(),
        "lines": [[one.key.hex(), one.log.hex(), one.head.seq, one.head.id.hex()] for one in wrote.lines],
        "leaf": spine.leaf(*line).hex(),
        "content": wrote.content.hex(),
        "entry": wrote.header.raw.hex(),
        "place": [place.at, [one.hex() for one in place.path]],
        "hidden": spine.hide(wrote.header.id, secret).hex(),
        "blinded_subject": spine.blinded_subject(wrote.header.id, secret).hex(),
        "cosignature": record.encode(spine.cosign(key.public, NOW_MS, wrote.header.id, key)).hex(),
        "contradiction": wrote.contradiction().encode().hex(),
        "rollback": wrote.rollback().encode().hex(),
        "tags": {side.value: sync.tag(secret, line.log, side, nonces).hex() for side in talk.Side},
        "veils": {side.value: sync.veil(secret, line.log, side, nonces) for side in talk.Side},
        "mark": sync.mark(secret, line.head.id, nonces).hex(),
        "digest": sync.digest(frontier).hex(),
        "round": sync.round_of(bytes(32), secret).hex(),
    }


def evidence_file() -> dict[str, Any]:
    """A file of evidence with an item of each form, what it is made of, and what was said in it."""
    key = someone("golden ana").device_key
    made = handed.handed(key)
    _, heard = handed.examined(made.raw)
    return {
        "device_seed": key.seed.hex(),
        "secret": SECRET.hex(),
        "log": made.notes[0].body.log.hex(),
        "spine": made.header.body.log.hex(),
        "witnesses": [BO.public.hex(), BO.public.hex(), key.public.hex()],
        "items": [[type(item).__name__, handed.bytes_of(item).hex()] for item in made.items],
        "said": [[one.seq, one.said.hex()] for one in heard],
        "b2sum": hashlib.blake2b(made.raw, digest_size=32).hexdigest(),
    }


def keeping() -> dict[str, Any]:
    """What an owner and a sender show a keeper: a claim with a permit, a put with work, and what is in them."""
    owner = someone("golden ana").device_key
    permit, put_key, sender, nonce, peers = b"P" * 32, b"K" * 32, b"s" * 16, b"n" * 32, (b"k" * 32, b"o" * 32)
    envelope, day = bytes(1024), NOW_S // 86_400
    named = keep_proof.envelope_id(envelope)
    found = work.find(sender, day, named, 8, 0)
    put = keep_proof.put(put_key, nonce, 7, sender, envelope, 3600, found)
    return {
        "owner_seed": owner.seed.hex(),
        "permit": permit.hex(),
        "permit_id": keep_proof.permit_id(permit).hex(),
        "claim": keep.encode(keep_proof.claim(owner, *peers, nonce, permit)).hex(),
        "claim_again": keep.encode(keep_proof.claim(owner, *peers, nonce)).hex(),
        "envelope_id": named.hex(),
        "work": found,
        "put_mac": put.mac.hex(),
        "put_proof": keep_proof.put_proof(put_key, nonce, put, 7, keep.Status.OK, 3600).hex(),
        "claim_proof": keep_proof.claim_proof(permit, (*peers, nonce), owner.public, 1, keep.Status.OK).hex(),
    }


def moments() -> dict[str, Any]:
    """Contents of a feed: a post to all, one under two tags, a private one, an answer; and the keys of each."""
    key, secret, of = someone("golden ana").device_key, bytes(range(32)), bytes(range(16))
    drawn = samples.Seeded("golden moments")
    tags = [hashlib.sha256(name).digest() for name in (b"family", b"work")]
    chains_at = [moment.stepped(one, 3) for one in (moment.first_chain(secret, of), *tags)]
    wraps = [moment.wrap_key(one) for one in chains_at]
    decoy = moment.Slot(wraps[0], bytes(32))
    spot, nonce = moment.Spot(key.public, of, 3), bytes(range(24))
    post = moment.own_key(secret, nonce)
    answer = moment.answer_key(post, wraps[0])
    held = {
        "to all": (post, [moment.Slot(wraps[0], post)]),
        "to two tags": (post, [decoy, *(moment.Slot(one, post) for one in wraps[1:])]),
        "private": (post, [decoy]),
        "answer": (answer, [moment.Slot(wraps[0], moment.name_of(post))]),
    }

    def entropy(count: int) -> bytes:
        return drawn.bytes_of(count, count)

    return {
        "secret": secret.hex(),
        "author": key.public.hex(),
        "log": of.hex(),
        "seq": spot.seq,
        "audience_id": moment.audience_id(secret, "family").hex(),
        "first_chain": moment.first_chain(secret, of).hex(),
        "first_root": moment.first_root(secret, of).hex(),
        "next_log": bytes(16).hex(),
        "next_chain": [one.hex() for one in moment.next_chain(moment.first_root(secret, of), bytes(16))],
        "tags": [one.hex() for one in tags],
        "chains": [one.hex() for one in chains_at],
        "wraps": [one.hex() for one in wraps],
        "post_key": post.hex(),
        "name": moment.name_of(post).hex(),
        "answer_key": answer.hex(),
        "contents": {
            name: moment.seal(one, spot, name.encode(), slots, nonce, entropy).hex()
            for name, (one, slots) in held.items()
        },
    }


def files() -> Mapping[str, Any]:
    """File name -> what the file holds, made today."""
    made = {FILES[place]: of_kinds(place, classes) for place, classes in samples.places().items()}
    logs_of = {LOGS: logs(), SPINES: spines(), LOG_FILE: evidence_file(), MOMENTS: moments()}
    return {**made, SIGNED: signed(), **logs_of, KEEPING: keeping()}


if __name__ == "__main__":
    for file_name, held in files().items():
        (FOLDER / file_name).write_text(json.dumps(held, indent=1) + "\n")
    KINDS_PAGE.write_text(kinds.table(samples.contents(), samples.terms()))
