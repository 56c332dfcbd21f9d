"""Every decoder of protocol/ against hostile bytes: a typed fault or a value, nothing else (case 25).

Seeded and plain, because volume finds more here than search: depth says how many inputs each decoder is given. A new
record is met through the table of kinds, a new decoder must be named here.
"""

import resource
from collections.abc import Callable, Sequence

import pytest

from crypto import hashing, sealing, xwing
from crypto.faults import Forged, PeerFault
from crypto.keys import DhKey, encapsulate
from crypto.xwing import InboxKey
from features.moments import content as moments
from protocol import (
    account_record,
    bech32,
    content,
    deposit,
    entry,
    envelope,
    evidence,
    ids,
    invite,
    invoice,
    keep,
    keep_code,
    knock,
    log,
    log_examination,
    log_file,
    moment,
    nearby,
    parcel,
    pay_code,
    record,
    rendezvous,
    rpc,
    spine,
    sync,
    talk,
    wire,
)
from protocol.faults import UserFault
from protocol.presence_record import Presence
from tests import depth
from tests.protocol import (
    backups,
    chains,
    golden,
    handed,
    hostile,
    invoices,
    keeping,
    meetings,
    samples,
    spines,
    test_deposit,
)
from tests.protocol.circle import NOW_S, someone

MEMORY_KIB_MAX = 50 * 1024
PLACES = samples.places()
EVERY = tuple(cls for classes in PLACES.values() for cls in classes)
KINDS = content.Kinds(samples.heard())
ANA = someone("ana")
KEY, T, NONCE = b"k" * 32, bytes(128), bytes(24)
KEYS = invite.InviteKeys.of(bytes(16))

PRESENCE, ACCOUNT_RECORD = meetings.presence(), meetings.account(of=ANA, said=meetings.findable(meetings.link(ANA)))

Decoder = Callable[[bytes], object]


def good(cls: type) -> list[bytes]:
    return [record.encode(samples.sample(cls, samples.Seeded(f"fuzz {cls.__name__} {n}"))) for n in range(4)]


def small(cls: type) -> list[bytes]:
    """Samples that fit one bucket, so that padding them costs no time."""
    return [raw for raw in good(cls) if len(raw) < 4096]


CONTENTS = [golden.said(samples.sample(cls, samples.Seeded(f"fuzz {cls.__name__}"))) for cls in samples.heard()]
INNERS = [raw for cls in PLACES["Inside an envelope"] for raw in small(cls)]
FRAMES = [raw for cls in PLACES["Frames of /weft/talk/1"] for raw in good(cls) if len(raw) <= talk.FRAME_BYTES_MAX]
WROTE = spines.wrote()
PROOFS = [record.encode(one) for one in (WROTE.contradiction(), WROTE.rollback(), WROTE.fork())]
ASKED = [keep.encode(frame) for frame in keeping.requests()]
SAID = [keep.encode(frame) for frame in keeping.replies()]
LEFT = [deposit.encode(frame) for frame in test_deposit.REQUESTS]
ABOUT_FILES = [deposit.encode(frame) for frame in test_deposit.REPLIES]
SYNC = [sync.encode(frame) for frame in spines.frames(WROTE)]
BUNDLES = [record.encode(ANA.bundle(ANA.one_time())), record.encode(ANA.bundle())]
INTRODUCTIONS = [record.encode(ANA.introduction())]
PROOF = talk.prove(KEY, talk.Side.DIALLER, T, ANA.introduction(), NONCE)
INIT = invite.seal_init(KEYS, T, samples.sample(envelope.Init, samples.Seeded("small init")), NONCE)


BOX, ENDS = DhKey(KEY), bytes(64)
WORDS, DECISIONS = good(nearby.Words), good(nearby.Decision)


FOUND = rendezvous.check(PRESENCE.key, PRESENCE.raw, NOW_S)


def inside_record(raw: bytes) -> object:
    # Whoever has the presence key may seal what he likes.
    ad = FOUND.name + FOUND.sequence.to_bytes(8, "big") + FOUND.expiry_s.to_bytes(4, "big")
    sealed = sealing.seal(PRESENCE.seal, NONCE, sealing.pad(raw[:3800], rendezvous.PADDED_BYTES), ad)
    lying = rendezvous.check(PRESENCE.key, meetings.resigned(PRESENCE, sealed=sealed), NOW_S)
    return rendezvous.open_sealed(lying, PRESENCE.seal, Presence)


def inside_backup(raw: bytes) -> object:
    # Who has the words may seal what he likes.
    return backups.read(backups.sealed(backups.padded(raw[:60_000])))


def padded(raw: bytes) -> bytes:
    return sealing.pad(raw[:60_000])


def inside_proof(raw: bytes) -> object:
    # A contact who has the key may seal what he likes.
    mac = hashing.mac(KEY, b"\x01" + T)
    key = hashing.subkey(KEY, hashing.Label.CHAN, b"\x02" + T)
    return talk.introduced(KEY, talk.Side.DIALLER, T, mac + sealing.seal(key, NONCE, padded(raw[:9000]), T))


def inside_answer(raw: bytes) -> object:
    mac = hashing.mac(KEYS.mac, b"\x02" + T)
    return invite.open_answer(KEYS, T, mac + sealing.seal(KEYS.bundle, NONCE, raw, ANA.account), ANA.account, NOW_S)


def inside_init(raw: bytes) -> object:
    return invite.open_init(KEYS, T, sealing.seal(KEYS.init, NONCE, padded(raw), T))


def inside_verdict(raw: bytes) -> object:
    return invite.open_verdict(KEYS, T, sealing.seal(KEYS.init, NONCE, raw, T))


def inside_greeting(raw: bytes) -> object:
    # Everybody knows the box of a card.
    sealed = nearby._seal(raw[:1000], BOX.public, b"words" + ENDS, DhKey(NONCE + bytes(8)), NONCE, nearby.WORDS_BYTES)
    return nearby.open_words(nearby.Greeting(sealed), BOX, ENDS)


def inside_reply(raw: bytes) -> object:
    ticket, size = bytes(16), nearby.DECISION_BYTES
    sealed = nearby._seal(raw[:250], BOX.public, b"decision" + ticket, DhKey(NONCE + bytes(8)), NONCE, size)
    return nearby.open_decision(nearby.Reply(sealed), BOX, ticket)


def inside_parcel(raw: bytes) -> object:
    # A contact who has the key may seal what he likes.
    padded_ = sealing.pad(raw[:60_000], parcel.PADDED_BYTES)
    return parcel.unwrap(KEY, NONCE[:16], sealing.seal(KEY, NONCE, padded_, NONCE[:16]))


INBOX = InboxKey(KEY)


def inside_knock(raw: bytes) -> object:
    # Whoever has the link may seal what he likes.
    padded_ = sealing.pad(raw[:15_000], knock.PADDED_BYTES)
    sender, info = NONCE[:16], hashing.labelled(hashing.Label.KEEP, b"inbox" + NONCE[:16])
    sealed = xwing.seal(INBOX.public, info, padded_, DhKey(KEY), lambda _: (CIPHERTEXT, SHARED))
    return knock.open_sealed(INBOX, sender + sealed)


CIPHERTEXT, SHARED = encapsulate(INBOX.public[:1184])
KNOCKS = [raw for raw in good(knock.Knock) if len(raw) < 15_000]
KNOCKED = [
    knock.seal(INBOX.public, NONCE[:16], record.decode(knock.Knock, KNOCKS[0], 1 << 20), DhKey(KEY), encapsulate)
]

PARCELS = small(parcel.Parcel)
WRAPPED = [parcel.wrap(KEY, NONCE[:16], samples.sample(parcel.Parcel, samples.Seeded("wrapped")), NONCE)]

CHAIN, BRANCH = chains.chain(4), chains.chain(1, chains.head_of(chains.chain(2)[1]), b"branch")
PROOF_OF_FORK = log.Fork.of(CHAIN[2].raw, BRANCH[0].raw)
SEALED = entry.seal(KEY, chains.ANA.public, chains.LOG, 0, b"said", NONCE)


def inside_entry(raw: bytes) -> object:
    # An author may sign what he likes.
    return entry.open(chains.signed(raw[:2000]), chains.ANA.public)


def inside_content(raw: bytes) -> object:
    place = chains.ANA.public + chains.LOG + bytes(8)
    return entry.unseal(KEY, chains.ANA.public, chains.LOG, 0, sealing.seal(KEY, NONCE, raw, place))


SPOT = moment.Spot(chains.ANA.public, chains.LOG, 0)
SHOWN = [
    moment.seal(KEY, SPOT, b"said", [moment.Slot(KEY, one) for one in held], NONCE, bytes)
    for held in ((), (KEY, T[:32]))
]
FEED = [raw for cls in moments.SAID for raw in good(cls)]


def slots_of_moment(raw: bytes) -> object:
    found = moment.held(KEY, SPOT, raw)
    if found is None:
        raise Forged
    return found


def inside_moment(raw: bytes) -> object:
    # Whoever has the key of a post may seal what he likes.
    committed = hashing.subkey(KEY, hashing.Label.MOMENT, b"commit" + SPOT.name)
    sealed = sealing.seal(hashing.subkey(KEY, hashing.Label.MOMENT, b"content" + SPOT.name), NONCE, raw, SPOT.name)
    return moment.unseal(KEY, SPOT, bytes(192) + committed + sealed)


HANDED = handed.handed()
FILE = handed.file_of(HANDED.items[-7:])  # a spine entry, what belongs to it, the proofs
SMALL_FILES = [handed.file_of(HANDED.items[:2]), handed.file_of(HANDED.items[6:10])]


def file_of_evidence(raw: bytes) -> object:
    half = len(raw) // 2
    return list(log_file.read((raw[:half], raw[half:])))


def examined_file(raw: bytes) -> object:
    found = log_examination.Examination(chains.ANA.public)
    return [found.take(placed) for placed in log_file.read((raw,))]


def checked_invoice(raw: bytes) -> object:
    invoice.check(record.decode(invoice.Invoice, raw, invoice.BYTES_MAX), NOW_S, None)
    return None


def inside_pay_code(raw: bytes) -> object:
    # Whoever makes a code makes its check too. A person's fault is one here, as it is of bytes.
    try:
        return pay_code.shop_of(pay_code._coded(pay_code.SHOP_PREFIX, b"\x01" + raw[:1900]))
    except UserFault:
        raise Forged from None


DECODERS: dict[str, tuple[Decoder, Sequence[bytes]]] = {
    "wire": (lambda raw: wire.decode(raw, 1 << 20), [*CONTENTS, *FRAMES]),
    "hear init": (lambda raw: KINDS.hear(raw, content.Channel.INIT), CONTENTS),
    "hear ratchet": (lambda raw: KINDS.hear(raw, content.Channel.RATCHET), CONTENTS),
    "disclose": (envelope.disclose, [padded(raw) for raw in INNERS]),
    "disclose padded": (lambda raw: envelope.disclose(padded(raw)), INNERS),
    "parcel": (lambda raw: parcel.unwrap(KEY, NONCE[:16], raw), WRAPPED),
    "inside a parcel": (inside_parcel, PARCELS),
    "knock": (lambda raw: knock.open_sealed(INBOX, raw), KNOCKED),
    "inside a knock": (inside_knock, KNOCKS),
    "frame": (talk.decode, FRAMES),
    "proof": (lambda raw: talk.introduced(KEY, talk.Side.DIALLER, T, raw), [PROOF]),
    "inside a proof": (inside_proof, INTRODUCTIONS),
    "answer": (lambda raw: invite.open_answer(KEYS, T, raw, ANA.account, NOW_S), [PROOF]),
    "inside an answer": (inside_answer, BUNDLES),
    "record": (lambda raw: rendezvous.check(PRESENCE.key, raw, NOW_S), [PRESENCE.raw]),
    "inside a record": (inside_record, good(Presence)),
    "account record": (
        lambda raw: account_record.open_sealed(ANA.account, meetings.EPOCH, raw, NOW_S),
        [ACCOUNT_RECORD.raw],
    ),
    "backup": (backups.read, [backups.file_of(backups.whole())]),
    "inside a backup": (inside_backup, [backups.stream_of(backups.ended(backups.whole()))]),
    "init": (lambda raw: invite.open_init(KEYS, T, raw), [INIT]),
    "inside an init": (inside_init, small(envelope.Init)),
    "question nearby": (nearby.question_of, [raw for cls in (nearby.CardWanted, nearby.Asking) for raw in good(cls)]),
    "inside a greeting": (inside_greeting, WORDS),
    "inside a reply": (inside_reply, DECISIONS),
    "entry": (lambda raw: entry.open(raw, chains.ANA.public), chains.raws(CHAIN)),
    "inside an entry": (inside_entry, [chains.payload(one) for one in CHAIN]),
    "run": (
        lambda raw: log.check_run((raw, CHAIN[1].raw), None, chains.ANA.public, chains.LOG),
        [CHAIN[0].raw],
    ),
    "fork": (lambda raw: log.Fork.decode(raw).check(), [PROOF_OF_FORK.encode()]),
    "content of an entry": (lambda raw: entry.unseal(KEY, chains.ANA.public, chains.LOG, 0, raw), [SEALED]),
    "inside a content": (inside_content, [sealing.pad(b"said", entry.PADDED_BYTES)]),
    "moment": (lambda raw: moment.unseal(KEY, SPOT, raw), SHOWN),
    "slots of a moment": (slots_of_moment, SHOWN[1:]),
    "inside a moment": (inside_moment, [sealing.pad(b"said", entry.PADDED_BYTES)]),
    "said in a feed": (moments.said, FEED),
    "inside a verdict": (inside_verdict, good(invite.Answer)),
    "sync": (sync.decode, SYNC),
    "request to a keeper": (keep.decode_request, ASKED),
    "reply of a keeper": (keep.decode_reply, SAID),
    "request about a file at a keeper": (deposit.decode_request, LEFT),
    "reply about a file at a keeper": (deposit.decode_reply, ABOUT_FILES),
    "spine": (spine.decode, [WROTE.content]),
    "evidence": (evidence.decode, PROOFS),
    "file of evidence": (file_of_evidence, [FILE, *SMALL_FILES]),
    "examined file": (examined_file, SMALL_FILES),
    "checked invoice": (checked_invoice, [record.encode(invoices.bill())]),
    "inside a pay code": (inside_pay_code, [record.encode(invoices.counter())]),
    "checked evidence": (lambda raw: evidence.accused(evidence.decode(raw)), PROOFS),
}
COSTLY = {
    "record",
    "account record",
    "entry",
    "run",
    "fork",
    "checked evidence",
    "checked invoice",
    "examined file",
    "answer",
    "proof",
    "backup",
    "init",
    "knock",
}
COUNTS = {
    name: depth.INPUTS_PER_SEAL if name in COSTLY or name.startswith("inside") else depth.INPUTS_PER_DECODER
    for name in DECODERS
}
KINDS_OF_RECORD: dict[str, tuple[Decoder, Sequence[bytes]]] = {
    f"{cls.KIND} {cls.__name__}": (lambda raw, c=cls: record.decode(c, raw, 1 << 20), good(cls))  # type: ignore[attr-defined, misc]
    for cls in EVERY
}
COUNTS |= dict.fromkeys(KINDS_OF_RECORD, depth.INPUTS_PER_KIND)
DECODERS |= KINDS_OF_RECORD
HEADS = (b"\x81", b"\x9f", b"\xc1", b"\xa1\x00", b"\xd8\x1c", b"\x82\x00")


@pytest.mark.parametrize("name", DECODERS)
def test_case_25_only_peer_faults_escape(name: str) -> None:
    decode, seeds = DECODERS[name]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused = 0
    for raw in hostile.inputs(name, seeds, COUNTS[name]):
        try:
            decode(raw)
        except PeerFault:
            refused += 1
    assert refused > 0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY_KIB_MAX


@pytest.mark.parametrize("name", DECODERS)
def test_good_bytes_are_taken_or_are_of_somebody_else(name: str) -> None:
    decode, seeds = DECODERS[name]
    for raw in seeds:
        try:
            decode(raw)
        except (Forged, content.WrongChannel):
            assert name in ("answer", "hear init", "hear ratchet")


@pytest.mark.parametrize("name", DECODERS)
def test_case_25_nesting_of_100_000_is_a_peer_fault(name: str) -> None:
    for head in HEADS:
        with pytest.raises(PeerFault):
            DECODERS[name][0](head * 100_000)


def test_case_25_what_the_wire_takes_is_canonical() -> None:
    taken = 0
    for raw in hostile.inputs("canonical", [*CONTENTS, *INNERS], depth.INPUTS_PER_DECODER):
        try:
            value = wire.decode(raw, 1 << 20)
        except PeerFault:
            continue
        taken += 1
        assert wire.encode(value) == raw
    assert taken > 0


# --- texts: a person's fault, never a crash


ACCOUNT = ids.account_text(ANA.account)
LINK = invite.link_text(
    invite.Link(True, NOW_S, ANA.account, bytes(16), KEY, invite.addresses_of(("/ip4/192.0.2.1/tcp/1",)))
)
KEEPER = keep_code.text_of(keep_code.Code(KEY, KEY, KEY, invite.addresses_of(("/ip4/192.0.2.1/tcp/1",))))
READERS: dict[str, tuple[Callable[[str], object], Sequence[str]]] = {
    "account": (ids.account_from, [ACCOUNT, ACCOUNT.upper()]),
    "id": (ids.ulid_from, [ids.ulid(b"\x7f" * 16)]),
    "suffix": (ids.matches, ["ABCD", "01ARYZ6S41"]),
    "link": (invite.link_from, [LINK]),
    "keeper": (keep_code.of_text, [KEEPER]),
    "shop": (pay_code.shop_of, [pay_code.shop_text(invoices.counter())]),
    "invoice": (pay_code.invoice_of, [pay_code.invoice_text(invoices.bill())]),
    "place": (nearby.cell_of, ["52.52,13.40", "-90, 180"]),
    "address": (lambda text: invite.addresses_of((text,)), ["/ip4/192.0.2.1/tcp/4001", "/ip6/2001:db8::1/tcp/1"]),
    "call": (
        lambda text: rpc.parse(text.encode("utf-8", "surrogatepass")),
        ['{"jsonrpc":"2.0","id":1,"method":"chat.send","params":{"to":"bo","text":"\\u00fc"}}', "[]", "[[[1e9]]]"],
    ),
}


@pytest.mark.parametrize("name", READERS)
def test_only_user_faults_escape(name: str) -> None:
    read, seeds = READERS[name]
    for seed in seeds:
        read(seed)
    refused = 0
    for text in hostile.texts(name, seeds, depth.INPUTS_PER_DECODER):
        try:
            read(text)
        except UserFault:
            refused += 1
    assert refused > 0 or name in ("address", "call")


def test_bech32_raises_its_own_fault_only() -> None:
    for text in hostile.texts("bech32", [ACCOUNT, "a1lqfn3a"], depth.INPUTS_PER_DECODER):
        try:
            bech32.decode(text)
        except bech32.BadChecksum:
            continue
