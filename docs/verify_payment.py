"""Checks a file of evidence about one payment and says what it shows. Nothing of weft is needed.

    python3 verify_payment.py < FILE       with Python 3.11 or later, PyNaCl and cbor2 (pip install pynacl cbor2)

The law is docs/protocol/ledger.md 2, 3 and 13 (13.5: what no file shows), and log.md 1 to 3 and 6. Exit code: 0 all is
good, the payment is at its end, and no closed entry could make that another one; 3 good, but not so much; 1 not good.
"""
# mypy: disable-error-code="no-untyped-call, no-any-return"

import hashlib
import io
import sys
from collections import namedtuple
from datetime import UTC, datetime
from typing import Any

import cbor2
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt, crypto_sign_open

OPEN, LIMIT, OFFER, ACCEPT, SETTLE, DECLINE, VOID, ATTEST, ACKN, LOCK, REVEAL, RELEASE = range(200, 212)
NAMES = "OPEN LIMIT OFFER ACCEPT SETTLE DECLINE VOID ATTEST ACKN LOCK REVEAL RELEASE".split()
OF_PAYER, OF_PAYEE = (OFFER, LOCK, SETTLE, VOID), (ACCEPT, DECLINE, ATTEST, REVEAL, RELEASE)
ENDS = {"SETTLED": "since then it is owed", **dict.fromkeys(("DECLINED", "REFUNDED", "RELEASED"), "it is not owed")}
# What stands in a place: so many bytes, a number of a range, an array of such, or what a function says.
SAFE, MS, S, AMOUNT, SEQ, NEVER = range(2**53), range(2**48), range(2**40 + 1), range(1, 2**53), range(2**40), 2**41
MANY = lambda most, form: lambda v: type(v) is list and len(v) <= most and all(fits(one, form) for one in v)
UNIT = lambda v: type(v) is str and 0 < len(v.encode()) <= 96 and v.isprintable() and v == v.strip()
MEMO, OF = lambda v: type(v) is str and len(v.encode()) <= 500, lambda v: type(v) is bytes and len(v) <= 33
PERHAPS = lambda v: v is None or fits(v, 32)
BODY = [range(1, 2), 32, 16, SEQ, PERHAPS, MS, MANY(32, [16, SEQ, 32]), range(1), range(66_561), 32]
CERTIFICATE, SHOWN = [range(10, 11), 32, 32, 32, SAFE, S, S, 64], [lambda v: type(v) is bytes, PERHAPS]
TERMS: dict[int, Any] = {LIMIT: [UNIT, SAFE], ACCEPT: [16, 32], SETTLE: [16, 32], REVEAL: [16, 32]}
TERMS |= {OPEN: [AMOUNT, 32, SAFE, MANY(32, UNIT), MANY(32, range(1 - 2**53, 2**53)), MEMO]}
TERMS |= {OFFER: [16, UNIT, AMOUNT, MS, MANY(8, 32), MEMO, range(256), OF], LOCK: [16, UNIT, AMOUNT, 32, range(1, 4)]}
TERMS |= {DECLINE: [16], VOID: [16], RELEASE: [16], ACKN: [], ATTEST: [16, 32, [range(2, 3), 32, MS, 32, 64]]}
Entry = namedtuple("Entry", "seq id at_ms acks is_open term")  # term: what it says; empty while it is closed
Half = namedtuple("Half", "device log account run acked")  # acked: at each entry, how many it had seen
said = lambda half, pay, *kinds: [e for e in half.run if e.term and e.term[0] in kinds and e.term[1] == pay]
closed = lambda half, after, before: [e for e in half.run if not e.is_open and after < e.seq < before]
blake = lambda message: hashlib.blake2b(message, digest_size=32).digest()


def need(holds: Any, why: str) -> None:
    if not holds:
        sys.exit(f"WRONG: {why}")


def fits(value: Any, form: Any) -> bool:
    if type(form) is list:
        return type(value) is list and len(value) == len(form) and all(map(fits, value, form))
    if type(form) is range:
        return type(value) is int and value in form
    return type(value) is bytes and len(value) == form if type(form) is int else bool(form(value))


def is_signed(key: bytes, message: bytes, signature: bytes) -> bool:
    try:
        return crypto_sign_open(signature + message, key) == message
    except Exception:
        return False


def decode(raw: bytes, is_first: bool = False) -> Any:
    """The item in these bytes, or the first of them, in the one encoding that is allowed."""
    value = cbor2.CBORDecoder(io.BytesIO(raw)).decode()
    need(cbor2.dumps(value) == (raw[: len(cbor2.dumps(value))] if is_first else raw), "this is not as weft encodes it")
    return value


def opened(body: list[Any], content: bytes, key: bytes) -> list[Any]:
    """What a sealed content says (log.md 3.2): the number of a term, and its fields."""
    place = body[1] + body[2] + body[3].to_bytes(8, "big")
    padded = crypto_aead_xchacha20poly1305_ietf_decrypt(content[24:], place, content[:24], key)
    mark = len(padded.rstrip(b"\0")) - 1
    need(len(padded) in [128 << n for n in range(10)] and padded[mark] == 0x80, "the content is not padded as it must")
    term = decode(padded[:mark])
    need(type(term) is list and fits(term[:1], [range(200, 212)]), "this says what has no place in such a file")
    rest = {OFFER: [[], "", 0, b""], OPEN: [0, [], [], ""]}.get(term[0], [])  # what may be left out: 4 of 8, or of 6
    term += rest[max(len(term) - 3 - (term[0] - OPEN), 0) :]
    need(fits(term[1:], TERMS[term[0]]), "this says nothing that is known")
    return term


def read(file: bytes) -> tuple[dict[tuple[bytes, bytes], list[Any]], dict[bytes, bytes]]:
    """The entries of each log, and device -> account. Each item is checked by itself (log.md 6.5)."""
    logs, accounts = dict[tuple[bytes, bytes], list[Any]](), dict[bytes, bytes]()
    body, log, at = list[Any](), list[Any](), 0  # body: of the entry directly before
    while at < len(file):
        value = decode(file[at : at + 66_624], is_first=True)
        raw = cbor2.dumps(value)
        if raw[0] == 0xD2:
            need(raw.startswith(b"\xd2\x84\x43\xa1\x01\x27\xa0"), "this is no entry")
            payload, signature = decode(raw[1:])[2:]
            body = decode(payload)
            need(fits(body, BODY) and (body[4] is None) == (body[3] == 0), "this is no entry of a ledger")
            structure = cbor2.dumps(["Signature1", b"\xa1\x01\x27", b"weft/1/log", payload])
            need(is_signed(body[1], structure, signature), "the device has not signed this entry")
            log = logs.setdefault((body[1], body[2]), [])
            need(not log or body[3] > log[-1].seq, "an entry of this place or of a later one came before")
            need(not log or body[3] > log[-1].seq + 1 or body[4] == log[-1].id, "it does not follow the one before it")
            log.append(Entry(body[3], blake(raw[1:]), body[5], body[6], False, []))
        elif fits(value, CERTIFICATE):
            is_good = is_signed(value[1], b"weft/1/dev-cert\0" + cbor2.dumps(value[:-1]), value[7])
            need(is_good and value[5] <= value[6] and value[2] not in accounts, "this certificate is not good")
            accounts[value[2]], body = value[1], []
        else:
            need(body and fits(value, SHOWN), "this has no place here")
            need([len(value[0]), blake(value[0])] == body[8:], "the entry names another content")
            if value[1] is not None:
                log[-1] = log[-1]._replace(is_open=True, term=opened(body, *value))
            body = []
        at += len(raw)
    return logs, accounts


def half(mine: Any, other: Any, runs: Any, logs: Any, accounts: Any) -> Any:
    """What one of the two has written: how it begins, that it is whole, what it acknowledges (ledger.md 13.3)."""
    begins, run, ids = logs[mine][0], runs[mine], {one.seq: one.id for one in logs[other]}
    is_begun = begins.seq == 0 and begins.term[:4] == [OPEN, 1, accounts[other[0]], *logs[other][0].term[3:4]]
    need(is_begun and len(set(accounts.values())) == 2, "a half does not name the other's account, rules or generation")
    need(run[-1].seq - run[0].seq == len(run) - 1, "entries are missing in between")
    acked, most = {}, 0
    for one in run:
        for _, seq, name in (ack for ack in one.acks if ack[0] == other[1]):
            need(ids[seq] == name if seq in ids else seq < runs[other][0].seq, "an entry acknowledges what is not here")
            most = max(most, seq + 1)
        acked[one.seq] = most
    return Half(mine[0], mine[1], accounts[mine[0]], run, acked)


def judge(payer: Any, payee: Any, begun: Any) -> tuple[str, list[Any], list[Any]]:
    """The stage of a payment, and the closed entries of both that could make another end of it (ledger.md 3, 13.4)."""
    offer, (kind, pay, *_), seen = begun.seq, begun.term, payee.acked
    void = min((e.seq for e in said(payer, pay, VOID) if e.seq > offer and kind == OFFER), default=NEVER)
    kinds = (ACCEPT, DECLINE) if kind == OFFER else (REVEAL, RELEASE)
    answers = [e for e in said(payee, pay, *kinds) if offer < seen[e.seq] <= void]
    answers = [e for e in answers if e.term[0] != REVEAL or blake(b"weft/1/ledger\0lock" + e.term[2]) == begun.term[4]]
    at, answer = (answers[0].seq, answers[0].term[0]) if answers else (0, None)
    early = [e for e in closed(payee, -1, at) if seen[e.seq] > offer]
    if kind == LOCK:
        return ("LOCKED" if answer is None else "SETTLED" if answer == REVEAL else "RELEASED"), [], early
    if answer == DECLINE:
        return "DECLINED", closed(payer, offer, seen[at]), early
    settles = [e.seq for e in said(payer, pay, SETTLE) if answer and offer < e.seq < void and payer.acked[e.seq] > at]
    if settles:
        return "SETTLED", closed(payer, offer, settles[0]), early
    for one in said(payee, pay, ATTEST) if answer else []:
        _, _, nonce, (_, witness, at_ms, subject, signature) = one.term
        is_good = witness in begun.term[5] and at_ms <= begun.term[4] and one.seq > at and seen[one.seq] <= void
        is_good &= subject == blake(b"weft/1/cosig\0" + blake(b"weft/1/cosig\0" + nonce + answers[0].id))
        if is_good and is_signed(witness, b"weft/1/cosig\0" + cbor2.dumps(one.term[3][:-1]), signature):
            return "SETTLED", closed(payer, offer, seen[one.seq]), early
    told = [e.seq for e in payee.run if seen[e.seq] > void]
    if told:
        return "REFUNDED", closed(payer, offer, void), [e for e in closed(payee, -1, told[0]) if seen[e.seq] > offer]
    return "REFUNDING" if void < NEVER else "ACCEPTED" if answer else "OFFERED", [], []


def account_text(account: bytes) -> str:
    """An account as weft writes it: bech32m (BIP-350)."""
    values, rest = [int.from_bytes(account, "big") << 4 >> 5 * (51 - n) & 31 for n in range(52)], 1
    for value in (3, 3, 0, 23, 6, *values, *(0,) * 6):
        top, rest = rest >> 25, (rest & 0x1FFFFFF) << 5 ^ value
        for n, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            rest ^= generator * (top >> n & 1)
    values += [(rest ^ 0x2BC830A3) >> 5 * (5 - n) & 31 for n in range(6)]
    return "wf1" + "".join("qpzry9x8gf2tvdw0s3jn54khce6mua7l"[value] for value in values)


def examine(file: bytes) -> int:
    """Says what a file shows; the exit code."""
    logs, accounts = read(file)
    need(accounts.keys() == {name[0] for name in logs} and len(accounts) == len(logs) == 2, "there are not two sides")
    need(sum(map(len, logs.values())) <= 4_096, "there are more entries than are examined")
    runs = {name: es[1:] if len(es) > 1 and es[0].seq == 0 and es[1].seq > 1 else es for name, es in logs.items()}
    halves = [half(one, other, runs, logs, accounts) for one, other in (tuple(logs), tuple(logs)[::-1])]
    offers = [(one, e) for one in halves for e in one.run if e.term and e.term[0] in (OFFER, LOCK)]
    need(offers, "no offer is shown")
    (payer, begun), payee = offers[0], halves[offers[0][0] is halves[0]]
    need(payee.run[0].seq <= max((ack[1] for ack in begun.acks if ack[0] == payee.log), default=0), "entries miss")
    stage, *doubts = judge(payer, payee, begun)
    print(f"payment {begun.term[1].hex()}: {begun.term[3]} of the smallest part of {begun.term[2]}")
    if begun.term[0] == OFFER:
        print(f"  cause (ledger.md 2.2): {begun.term[7]} {begun.term[8].hex()}; memo: {begun.term[6]!r}")
    for who, one, kinds in (("payer", payer, OF_PAYER), ("payee", payee, OF_PAYEE)):
        print(f"{who} {account_text(one.account)}, device {one.device.hex()}")
        for e in said(one, begun.term[1], *kinds):
            at_s = min(e.at_ms // 1000, 253_402_300_799)
            print(f"  entry {e.seq}: {NAMES[e.term[0] - 200]}, {datetime.fromtimestamp(at_s, UTC)} by its own clock")
    print(f"stage {stage}: {ENDS.get(stage, 'not the end; what came later this file does not show')}")
    for who, e in [("payer", e) for e in doubts[0]] + [("payee", e) for e in doubts[1]]:
        print(f"closed: entry {e.seq} of the {who}, {e.id.hex()}, could make another end; who says so can show it")
    return 0 if stage in ENDS and not any(doubts) else 3


if __name__ == "__main__":
    try:
        sys.exit(examine(sys.stdin.buffer.read()))
    except Exception as why:  # what the libraries cannot read or open
        sys.exit(f"WRONG: {why!r}")
