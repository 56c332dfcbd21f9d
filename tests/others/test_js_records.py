"""The records of the DHT, judged by a program that was written from their page alone (js/records.mjs), and by ours.

Its signatures are Node's. Only whether a record is good is compared: the page names no faults.
"""

from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest

from protocol import record, rendezvous
from protocol.faults import PeerFault
from protocol.rendezvous import Record
from tests.others.js_peer import JsPeer, open_peer
from tests.protocol import meetings
from tests.protocol.circle import NOW_S
from tests.protocol.meetings import EPOCH, EVE, KINDS, Lying

pytestmark = [pytest.mark.process, pytest.mark.socket]

MIDNIGHT_S = rendezvous.ends_s(EPOCH)
LATEST_S = NOW_S + rendezvous.CLOCK_S_MAX
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"name": EVE.device_key.public},
    {"signer": EVE.device_key.public},
    {"certificate": bytes(64)},
    {"signature": bytes(64)},
    *({"until_s": until_s} for until_s in (MIDNIGHT_S - 1, MIDNIGHT_S + 1, 0)),
    *({"expiry_s": expiry_s} for expiry_s in (0, NOW_S, NOW_S + 1, MIDNIGHT_S - 1, MIDNIGHT_S + 1, 2**32)),
    *({"sequence": sequence} for sequence in (-1, 0, 23, 24, 255, 256, 65_536, LATEST_S, LATEST_S + 1, 2**53, 2**63)),
    *({"sealed": bytes(size)} for size in (0, 799, 800, 801, 3871, 3872, 3873)),
)


def wire_key(lying: Lying) -> str:
    return "/weft/" + urlsafe_b64encode(lying.key).rstrip(b"=").decode()


def is_good(lying: Lying, raw: bytes, now_s: int) -> bool:
    try:
        rendezvous.check(lying.key, raw, now_s)
    except PeerFault:
        return False
    return True


async def compare(js: JsPeer, lying: Lying, raws: list[bytes], now_s: int = NOW_S) -> list[bool]:
    """What both say of each; they say the same, and choose the same."""
    said = await js.call("check", key=wire_key(lying), records=[raw.hex() for raw in raws], now=now_s)
    mine = [is_good(lying, raw, now_s) for raw in raws]
    assert said["good"] == mine
    fit = [raw for raw, good in zip(raws, mine, strict=True) if good]
    counts = max(fit, key=lambda raw: (record.decode(Record, raw, 4096).sequence, raw), default=None)
    assert said["newest"] == (None if counts is None else counts.hex())
    return mine


async def test_it_takes_what_we_take_of_every_purpose_and_no_changed_byte(packages: Path, tmp_path: Path) -> None:
    async with open_peer(packages, tmp_path, b"j" * 32) as js:
        for make in KINDS.values():
            lying = make()
            changed = [bytearray(lying.raw) for _ in lying.raw]
            for place, raw in enumerate(changed):
                raw[place] ^= 1 << place % 8
            cut = [lying.raw[:-1], lying.raw + b"\x00", b"", lying.raw[:1], b"\x98\x09" + lying.raw[1:]]
            assert await compare(js, lying, [lying.raw, *map(bytes, changed), *cut]) == [True] + [False] * (
                len(changed) + len(cut)
            )


async def test_it_refuses_what_we_refuse_of_whoever_has_the_keys(packages: Path, tmp_path: Path) -> None:
    async with open_peer(packages, tmp_path, b"j" * 32) as js:
        lying = meetings.presence()
        raws = [meetings.resigned(lying, **changed) for changed in VARIANTS]
        assert 10 < sum(await compare(js, lying, raws)) < len(raws) - 10
        assert sum(await compare(js, meetings.presence(EPOCH + 1), raws)) == 0


@pytest.mark.parametrize("ahead", [0, 1, 5])
async def test_it_draws_the_edges_of_a_day_where_we_do(packages: Path, tmp_path: Path, ahead: int) -> None:
    async with open_peer(packages, tmp_path, b"j" * 32) as js:
        lying = meetings.account(EPOCH + ahead)
        ends_s = rendezvous.ends_s(EPOCH + ahead)
        begins_s = ends_s - rendezvous.EXPIRY_S_MAX - rendezvous.CLOCK_S_MAX
        verdicts = [
            (await compare(js, lying, [lying.raw], edge_s + one))[0]
            for edge_s in (begins_s, ends_s)
            for one in (-1, 0, 1)
        ]
        assert (verdicts[0], verdicts[3:]) == (False, [True, False, False])
