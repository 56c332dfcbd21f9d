"""The table of all kinds: what stands first in every array of weft (docs/protocol/kinds.md, which `table` writes).

A number means something only in its place: an envelope's 1 is not a frame's 1. Not here: the contents of rooms, which
content.Kinds collects at start and a test hands to `table`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from protocol import (
    account_record,
    attestation,
    backup_records,
    blob_stream,
    blobs,
    carrying,
    deposit,
    door_record,
    envelope,
    evidence,
    grant,
    handle_record,
    identity,
    invitation_record,
    invite,
    invoice,
    keep,
    knock,
    log,
    mailbox,
    nearby,
    parcel,
    pay_code,
    presence_record,
    preview,
    probe,
    receipt,
    record,
    rendezvous,
    spine,
    sync,
    talk,
)


class Place(NamedTuple):
    """Where kinds of one numbering stand."""

    title: str
    meaning: str
    classes: tuple[type, ...]


PLACES: tuple[Place, ...] = (
    Place(
        "Structures",
        "Inside other arrays and sealed boxes; most are signed.",
        (
            identity.Certificate,
            identity.DeviceList,
            identity.Revocation,
            identity.OneTime,
            identity.Bundle,
            identity.Card,
            talk.Introduction,
            invite.Answer,
            mailbox.Line,
            invoice.Invoice,
            pay_code.ShopOffer,
            blobs.Blob,
            preview.Preview,
        ),
    ),
    Place(
        "Inside an envelope",
        "What `inner` is, before padding.",
        (envelope.Init, envelope.Message, envelope.Restart),
    ),
    Place(
        "Inside a parcel",
        "What lies in a queue at a keeper, before padding and wrap (parcel.md).",
        (parcel.Parcel, parcel.Head, knock.Knock, mailbox.Anew),
    ),
    Place(
        "Frames of /weft/talk/1",
        "After the channel proof, each behind its length.",
        (
            talk.Hello,
            talk.Envelopes,
            talk.Ack,
            talk.BundleWanted,
            talk.BundleGiven,
            talk.Ping,
            talk.Pong,
            talk.Bye,
        ),
    ),
    Place(
        "Contents of the node",
        "They belong to no room; the head of a message is around them (wire.md 4).",
        (receipt.Receipt, *grant.CONTENTS, *mailbox.CONTENTS, *carrying.CONTENTS, *attestation.CONTENTS),
    ),
    Place(
        "Questions about the way of a payment",
        "Contents too, with the head of a message around them (ledger.md 10).",
        (probe.Probe, probe.Found),
    ),
    Place(
        "Frames of /weft/nearby/1",
        "Between throw-away hosts, each behind its length; the last two inside sealed boxes.",
        (
            nearby.CardWanted,
            nearby.Card,
            nearby.Greeting,
            nearby.Heard,
            nearby.Asking,
            nearby.Reply,
            nearby.Words,
            nearby.Decision,
        ),
    ),
    Place(
        "Records of the DHT",
        "The outer form, and what is sealed inside one (rendezvous.md).",
        (
            rendezvous.Record,
            presence_record.Presence,
            presence_record.Whereabouts,
            account_record.Findable,
            invitation_record.Invited,
            handle_record.Claim,
            door_record.Doors,
            door_record.Place,
        ),
    ),
    Place(
        "Proofs about logs",
        "They stand alone: whoever reads one needs nothing else (log.md 4, spine.md 4 and 5).",
        (log.Fork, spine.Cosignature, evidence.Committed, evidence.Contradiction, evidence.Rollback),
    ),
    Place(
        "Frames of /weft/sync/1",
        "Each behind its length (sync.md 1).",
        (sync.Hello, sync.Have, sync.Want, sync.Run, sync.Proven, sync.Live, sync.Done),
    ),
    Place(
        "Frames of /weft/blobs/1",
        "Each behind its length, about one blob (blobs.md 4).",
        blob_stream.FRAMES,
    ),
    Place(
        "Frames of /weft/keep/1",
        "Each behind its length; the last three stand inside others (keep.md 1).",
        keep.FRAMES,
    ),
    Place(
        "Frames of /weft/deposit/1",
        "Each behind its length; hello, claim and what answers a claim are those of /weft/keep/1 (keep.md 8).",
        deposit.FRAMES,
    ),
    Place(
        "Records of a backup",
        "In the sealed stream of a backup, each behind its length, in this order (backup.md 3).",
        backup_records.CLASSES,
    ),
)

ROOMS: Mapping[str, range] = {
    "contacts": range(100, 120),
    "chat": range(120, 140),
    "media": range(140, 141),
    "stickers": range(141, 160),
    "moments": range(160, 180),
    "groups": range(180, 200),
    "ledger": range(200, 216),
    "bills": range(216, 220),
    "official": range(220, 240),
    "workspace": range(240, 260),
    "calls": range(260, 280),
    "mini-apps": range(280, 300),
    "logs": range(320, 340),
    "keepers": range(340, 360),
    "paths": range(360, 380),
    "shop": range(380, 400),
    "profile": range(410, 420),
}
"""Content kinds that each room owns; a room without a range here takes one above 400."""


def table(contents: Sequence[type], terms: Sequence[type]) -> str:
    """The text of docs/protocol/kinds.md. contents: the record classes of all rooms; terms: what ledgers say."""
    lines = [
        "# Kinds",
        "",
        "Written from the code by `protocol/kinds.py`; a test compares. Every array on the wire begins with its kind,",
        "then come the fields in this order. Contents of rooms have no kind of their own in front of their fields:",
        "it stands in the head around them (wire.md 4). In an entry in the clear the only kinds are 0 sealed, 1 spine,",
        "2 public.",
    ]
    for place in PLACES:
        lines += ["", f"## {place.title}", "", place.meaning]
        for cls in place.classes:
            lines += _section(cls)
    lines += ["", "## Contents of rooms", "", "| room | kinds |", "|---|---|"]
    lines += [f"| {room} | {kinds.start}-{kinds.stop - 1} |" for room, kinds in ROOMS.items()]
    for cls in sorted(contents, key=_kind):
        lines += _section(cls)
    lines += ["", "## Terms of ledgers", "", "In sealed entries of logs of the role ledger alone (ledger.md 2)."]
    for cls in sorted(terms, key=_kind):
        lines += _section(cls)
    return "\n".join(lines) + "\n"


def _section(cls: Any) -> list[str]:
    first_line = (cls.__doc__ or "").strip().splitlines()[0]
    channels = sorted(channel.value for channel in getattr(cls, "CHANNELS", ()))
    arrives = f" Arrives by: {', '.join(channels)}." if channels else ""
    rules = record.rules(cls)
    lines = ["", f"### {cls.KIND} {cls.__name__}", "", f"{first_line}{arrives}"]
    if rules:
        lines += ["", "| field | value |", "|---|---|", *(f"| {name} | {rule} |" for name, rule in rules)]
    return lines


def _kind(cls: Any) -> int:
    kind: int = cls.KIND
    return kind
