"""The golden samples are read and written today as when they were frozen, and every kind has one."""

import json
from typing import Any

import pytest

from crypto.keys import SigningKey
from protocol import content, entry, evidence, log, moment, record
from tests.protocol import golden, handed, samples

PLACES = samples.places()


def frozen(file_name: str) -> Any:
    return json.loads((golden.FOLDER / file_name).read_text())


def classes_of(place: str) -> dict[str, type]:
    return {cls.__name__: cls for cls in PLACES[place]}


@pytest.mark.parametrize("place", PLACES)
def test_every_kind_has_a_sample(place: str) -> None:
    assert {sample["name"] for sample in frozen(golden.FILES[place])} == set(classes_of(place))


@pytest.mark.parametrize("place", PLACES)
def test_frozen_bytes_mean_what_they_meant(place: str) -> None:
    for sample in frozen(golden.FILES[place]):
        raw = bytes.fromhex(sample["bytes"])
        cls = classes_of(place)[sample["name"]]
        if cls in samples.heard():
            continue
        rec: Any = record.decode(cls, raw, len(raw))
        assert golden.shown(rec) == sample["fields"]
        assert record.encode(rec) == raw


@pytest.mark.parametrize("place", ["Contents", "Contents of the node"])
def test_frozen_contents_mean_what_they_meant(place: str) -> None:
    kinds = content.Kinds(samples.heard())
    for sample in frozen(golden.FILES[place]):
        raw = bytes.fromhex(sample["bytes"])
        cls: Any = classes_of(place)[sample["name"]]
        if cls not in samples.heard():
            continue
        for channel in cls.CHANNELS:
            heard = kinds.hear(raw, channel)
            assert golden.shown(heard.content) == sample["fields"]
            assert golden.said(heard.content) == raw


def test_what_keys_make_is_what_they_made() -> None:
    assert golden.signed() == frozen(golden.SIGNED)


def test_logs_are_what_they_were() -> None:
    held = frozen(golden.LOGS)
    assert golden.logs() == held
    author = SigningKey(bytes.fromhex(held["device_seed"])).public
    of = log.log_id(bytes.fromhex(held["secret"]), author, held["epoch"])
    *chain, other = (entry.open(bytes.fromhex(raw), author) for raw in held["entries"])
    log.check_run([one.raw for one in chain], None, author, of)
    for one, content_, name in zip((*chain, other), held["contents"], held["ids"], strict=True):
        entry.check_content(one.body, bytes.fromhex(content_))
        assert one.id.hex() == name
    key = entry.content_key(bytes.fromhex(held["secret"]), of, 0)
    assert entry.unseal(key, author, of, 0, bytes.fromhex(held["contents"][0])) == b"said"
    assert set(log.Fork.decode(bytes.fromhex(held["fork"])).check()) == {chain[-1], other}


def test_spines_are_what_they_were() -> None:
    held = frozen(golden.SPINES)
    assert golden.spines() == held
    for name in ("contradiction", "rollback"):
        evidence.decode(bytes.fromhex(held[name])).check()


def test_a_file_of_evidence_is_what_it_was() -> None:
    held = frozen(golden.LOG_FILE)
    assert golden.evidence_file() == held
    raw = b"".join(bytes.fromhex(one) for _, one in held["items"])
    found, heard = handed.examined(raw, SigningKey(bytes.fromhex(held["device_seed"])).public)
    assert (found.is_good, found.proofs) == (True, 3)
    assert [(one.seq, one.said.hex()) for one in heard] == [(seq, said) for seq, said in held["said"]]


def test_what_is_shown_to_a_keeper_is_what_it_was() -> None:
    assert golden.keeping() == frozen(golden.KEEPING)


def test_what_stands_in_feeds_is_what_it_was() -> None:
    held = frozen(golden.MOMENTS)
    assert golden.moments() == held
    spot = moment.Spot(bytes.fromhex(held["author"]), bytes.fromhex(held["log"]), held["seq"])
    first, *tags = (bytes.fromhex(one) for one in (held["first_chain"], *held["tags"]))
    wraps = [moment.wrap_key(moment.stepped(one, spot.seq)) for one in (first, *tags)]
    post, contents = bytes.fromhex(held["post_key"]), held["contents"]
    found = {name: [moment.held(one, spot, bytes.fromhex(raw)) for one in wraps] for name, raw in contents.items()}
    assert found == {
        "to all": [post, None, None],
        "to two tags": [bytes(32), post, post],
        "private": [bytes(32), None, None],
        "answer": [moment.name_of(post), None, None],
    }
    for name, raw in contents.items():
        key = moment.answer_key(post, wraps[0]) if name == "answer" else post
        assert moment.unseal(key, spot, bytes.fromhex(raw)) == name.encode()
