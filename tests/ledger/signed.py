"""Two accounts, a device of each, and real signed entries in two half-logs: what evidence of a payment is made of.

What is written acknowledges the newest entry of the other that was heard. Liars write with `at` and `acks` of choice.
"""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from crypto import sealing
from crypto.keys import SigningKey
from ledger.evidence import Half, Signed
from ledger.examination import Examined, Verdict, examine
from ledger.terms import Attest, Offer, Open, Term
from protocol import entry, identity, ids, log, log_file, record, spine
from protocol.entry import Ack, Body, Entry, Kind
from protocol.identity import Certificate
from protocol.log import Head
from protocol.log_file import Claimed, Item, Shown
from tests.protocol import handed
from tests.sources import ROOT

VERIFIER = ROOT / "docs" / "verify_payment.py"
AT_MS, EXPIRES_MS = 1_800_000_000_000, 1_800_000_086_400
PAY, OTHER_PAY, STATE, NONCE, PREIMAGE = b"p" * 16, b"o" * 16, b"s" * 32, b"n" * 32, b"x" * 32
WITNESS = SigningKey(b"w" * 32)
OFFER = Offer(PAY, "EUR", 1_250, EXPIRES_MS, (WITNESS.public,), "lunch", 2, b"r" * 16)


def key_of(name: str) -> SigningKey:
    return SigningKey(name.encode().ljust(32, b"."))


@dataclass
class Person:
    """One side, who writes a half. heard: the newest entry of the other that he has taken, if any."""

    name: str
    account: SigningKey = field(init=False)
    device: SigningKey = field(init=False)
    secret: bytes = field(init=False)
    log: bytes = field(init=False)
    written: list[tuple[Entry, Signed]] = field(default_factory=list)
    said: list[Term | bytes] = field(default_factory=list)
    heard: Ack | None = None

    def __post_init__(self) -> None:
        self.account, self.device = key_of(f"account of {self.name}"), key_of(f"device of {self.name}")
        self.secret = key_of(f"secret of {self.name}").seed
        self.log = log.log_id(self.secret, self.device.public, 0)

    @property
    def certificate(self) -> Certificate:
        return identity.certify(self.account, ids.DeviceId(self.device.public), bytes(32), 1, 0, 2**33)

    @property
    def half(self) -> Half:
        return Half(self.certificate, tuple(signed for _, signed in self.written))

    @property
    def newest(self) -> Ack:
        one = self.written[-1][0]
        return Ack(self.log, one.body.seq, one.id)

    def say(
        self,
        term: Term | bytes,
        acks: tuple[Ack, ...] | None = None,
        kind: Kind = Kind.SEALED,
        padded: bytes | None = None,
    ) -> Entry:
        """Appends an entry that says this."""
        head = None if not self.written else Head(self.written[-1][0].body.seq, self.written[-1][0].id)
        seq, prev = (0, None) if head is None else (head.seq + 1, head.id)
        key = entry.content_key(self.secret, self.log, seq)
        said = term if isinstance(term, bytes) else record.encode(term)
        content = entry.seal(key, self.device.public, self.log, seq, said, seq.to_bytes(24, "big"))
        if padded is not None:
            place = self.device.public + self.log + seq.to_bytes(8, "big")
            content = sealing.seal(key, seq.to_bytes(24, "big"), padded, place)
        if acks is None:
            acks = () if self.heard is None else (self.heard,)
        body = Body(self.device.public, self.log, seq, prev, AT_MS + seq, acks, kind, *entry.about(content))
        made = entry.write(body, self.device)
        self.written.append((made, Signed(made.raw, content, key)))
        self.said.append(term)
        return made


@dataclass
class Two:
    """Ana pays Bo."""

    ana: Person = field(default_factory=lambda: Person("ana"))
    bo: Person = field(default_factory=lambda: Person("bo"))

    def __post_init__(self) -> None:
        self.ana.say(Open(1, self.bo.account.public))
        self.bo.say(Open(1, self.ana.account.public))
        self.hear()

    def hear(self) -> None:
        """Both hear all that was written."""
        self.ana.heard, self.bo.heard = self.bo.newest, self.ana.newest

    def pays(self, *terms: Term | bytes) -> Entry:
        """Ana writes, and Bo hears it."""
        for term in terms:
            made = self.ana.say(term)
        self.bo.heard = self.ana.newest
        return made

    def takes(self, *terms: Term | bytes) -> Entry:
        """Bo writes, and Ana hears it."""
        for term in terms:
            made = self.bo.say(term)
        self.ana.heard = self.bo.newest
        return made


def attest(accept: Entry, key: SigningKey = WITNESS, time_ms: int = EXPIRES_MS, nonce: bytes = NONCE) -> Attest:
    return Attest(PAY, nonce, spine.cosign(key.public, time_ms, spine.blinded_subject(accept.id, nonce), key))


# --- files


def items_of(raw: bytes) -> list[Item]:
    return [placed.item for placed in log_file.read((raw,))]


def file_of(items: Iterable[Item]) -> bytes:
    return handed.file_of(items)


def half_items(one: Person, opens: Iterable[int], leaves_out: Iterable[int] = ()) -> list[Item]:
    """A half as somebody writes it into a file by hand: with these places open, and these left out."""
    items: list[Item] = []
    for made, signed in one.written:
        if made.body.seq in leaves_out:
            continue
        items.append(Claimed(made))
        if made.body.seq in opens:
            assert signed.content is not None
            items.append(Shown(signed.content, signed.key))
    return items


# --- both verdicts


def _when(at_ms: int) -> str:
    return str(datetime.fromtimestamp(at_ms // 1000, UTC))


def text_of(verdict: Verdict) -> str:
    """What the stand-alone verifier has to print of a file for which this is the verdict."""
    begun = verdict.begun
    lines = [f"payment {begun.pay.hex()}: {begun.amount} of the smallest part of {begun.unit}"]
    if isinstance(begun, Offer):
        lines.append(f"  cause (ledger.md 2.2): {begun.cause} {begun.of.hex()}; memo: {begun.memo!r}")
    for who, party in (("payer", verdict.payer), ("payee", verdict.payee)):
        lines.append(f"{who} {ids.account_text(ids.AccountId(party.account))}, device {party.device.hex()}")
        lines += [
            f"  entry {one.seq}: {type(one.term).__name__.upper()}, {_when(one.at_ms)} by its own clock"
            for one in verdict.said
            if one.is_payers is (who == "payer")
        ]
    ends = {"SETTLED": "since then it is owed"} | dict.fromkeys(("DECLINED", "REFUNDED", "RELEASED"), "it is not owed")
    what = ends.get(verdict.stage.name, "not the end; what came later this file does not show")
    lines.append(f"stage {verdict.stage.name}: {what}")
    for one in verdict.doubts:
        who = "payer" if one.is_payers else "payee"
        lines.append(
            f"closed: entry {one.seq} of the {who}, {one.id.hex()}, could make another end; who says so can show it"
        )
    return "".join(f"{line}\n" for line in lines)


Said = tuple[int, str, str]  # exit code, standard output, standard error

_MANY = f"""
import contextlib, io, json, runpy, sys
answers = []
for file in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    sys_stdin, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(bytes.fromhex(file)))
    with contextlib.redirect_stdout(out):
        try:
            runpy.run_path({str(VERIFIER)!r}, run_name="__main__")
        except SystemExit as end:
            code, err = (end.code, "") if isinstance(end.code, int) else (1, end.code + chr(10))
    sys.stdin = sys_stdin
    answers.append((code, out.getvalue(), err))
assert not [name for name in sys.modules if name.split(".")[0] in ("crypto", "protocol", "ledger")]
json.dump(answers, sys.stdout)
"""


def verified(raw: bytes) -> Said:
    """What the stand-alone verifier answers, in a process that finds nothing of weft."""
    ran = subprocess.run([sys.executable, "-I", str(VERIFIER)], input=raw, capture_output=True, check=False)
    return ran.returncode, ran.stdout.decode(), ran.stderr.decode()


def verified_all(raws: Sequence[bytes]) -> list[Said]:
    """The same for many files, in one such process."""
    files = json.dumps([raw.hex() for raw in raws]).encode()
    ran = subprocess.run([sys.executable, "-I", "-c", _MANY], input=files, capture_output=True, check=True)
    return [(code, out, err) for code, out, err in json.loads(ran.stdout)]


def agreed(raw: bytes, answer: Said | None = None) -> Examined:
    """The examination of a file, after a look at that the stand-alone verifier says the same."""
    found = examine((raw,))
    code, out, err = verified(raw) if answer is None else answer
    if found.verdict is None:
        assert (code, out) == (1, ""), (found, code, out, err)
        assert err.startswith("WRONG: "), err
    else:
        assert (code, out, err) == (0 if found.verdict.is_certain else 3, text_of(found.verdict), ""), (found, err)
    return found
