"""search.million and its kin: searches in 1,000,000 messages of ten years, through the local socket.

The shipped node in its default configuration, its database as on any disk. Words are as frequent as in a language: the
n-th as often as 1/n. Each search is for other words than the one before and shows the newest 50:

    million             a word that some 40 messages have; beside it, in turn, LIKE as in search.py
    million_frequent    one of the 26 most frequent words, which is also the beginning of many others
    million_two         a rare word and a frequent one
    million_filtered    a frequent word, by somebody who wrote one message of 300, in the last three years
    million_link        no word: what has a link, one message of 300, in one month of ten years

The messages are put into the stopped node's database with the functions by which a backup is put back, half of them
mine. first_search_s: how long the first search took, which had them all to index.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import accumulate, islice
from pathlib import Path
from statistics import median
from typing import Any

import trio

from benchmarks import figures, profiles, scan
from benchmarks.messages import Api
from features.chat import index
from features.chat.content import Text
from node import profile
from protocol import backup_records, content, ids
from protocol.delivery import State
from store import inbox, outbox, schema
from store.conversations import SCHEMA
from store.database import Tx, Worker, open_database

MESSAGES = 1_000_000
RUNS = 25
WORDS = 10  # of a message: about 60 bytes
VOCABULARY = 60_000
LETTERS = "etaoinshrdlucmfwyp"
RARE_EVERY = 300  # messages, of which one is with chen, and one has a link
DAY_MS = 86_400_000
YEARS_MS = 3652 * DAY_MS
BATCH = 5_000  # messages of one transaction
RARE_FROM = 30_000  # the words from here on are in some 40 messages each
ENDED_MS = 1_790_000_000_000
KINDS = content.Kinds((Text,))


def main() -> None:
    """Prints the figures."""
    chance = random.Random(21)
    letters = (("".join(chance.choices(LETTERS, k=chance.randint(2, 9)))) for _ in range(VOCABULARY))
    words = list(dict.fromkeys(letters))
    with profiles.home() as home:
        there = profiles.place(home)
        with profiles.running(there, "ana"), profiles.running(there, "bo", "chen"):
            profiles.befriend(there, "ana", "bo")
            profiles.befriend(there, "ana", "chen")
        trio.run(_fill, home, words)
        profiles.call(there, "ana", "up", "-d")
        try:
            _measure(Api(home, "ana"), home, words)
        finally:
            profiles.call(there, "ana", "down")


def _measure(ana: Api, home: Path, words: list[str]) -> None:
    first_s = round(_ms(lambda: ana.call("chat.search", query=words[-1])) / 1000, 1)
    synchronous = ana.call("node.status")["synchronous"]
    chance = random.Random(22)
    rare = chance.sample(words[RARE_FROM:], 3 * RUNS + 3)
    frequent = chance.sample(words[: RUNS + 1], RUNS + 1)
    with closing(scan.plain(home / "plain.db", _texts(words))) as plain:
        hits: list[int] = []
        left = iter(rare)
        ours, scanned = figures.in_turn(
            RUNS,
            lambda: _ms(lambda: hits.append(len(ana.call("chat.search", query=next(left))))),
            lambda: _ms(lambda: scan.like(plain, next(left))),
        )
        remarks = {"hits": median(hits), "first_search_s": first_s, "synchronous": synchronous}
        figures.show("search.million", ours, "ms", "lower", "LIKE '%word%'", scanned, **remarks)
    asked: dict[str, Callable[[int], dict[str, Any]]] = {
        "frequent": lambda n: {"query": frequent[n]},
        "two": lambda n: {"query": f"{rare[2 * RUNS + 2 + n]} {frequent[n]}"},
        "filtered": lambda n: {
            "query": frequent[n],
            "contact": "chen",
            "author": "chen",
            "since_ms": ENDED_MS - 3 * 365 * DAY_MS,
        },
        "link": lambda n: {
            "has": "link",
            "since_ms": ENDED_MS - (n + 1) * 120 * DAY_MS,
            "until_ms": ENDED_MS - (n + 1) * 120 * DAY_MS + 30 * DAY_MS,
        },
    }
    for name, params in asked.items():
        hits, took = [], []
        for number in range(RUNS + 1):
            began = time.perf_counter()
            hits.append(len(ana.call("chat.search", **params(number))))
            took.append((time.perf_counter() - began) * 1000)
        figures.show(f"search.million_{name}", took[1:], "ms", "lower", hits=median(hits), synchronous=synchronous)


def _texts(words: list[str]) -> Iterator[str]:
    chance = random.Random(23)
    weights = list(accumulate(1 / (place + 2) for place in range(len(words))))
    for number in range(MESSAGES):
        said = " ".join(chance.choices(words, cum_weights=weights, k=WORDS))
        yield f"{said} https://example.org/{number}" if number % RARE_EVERY == 7 else said


async def _fill(home: Path, words: list[str]) -> None:
    """Puts the messages into ana's database."""
    place = profile.Profile("ana", home / "ana")
    texts = enumerate(_texts(words))
    async with open_database(
        place.database, profile.unlock(place, b""), (*schema.CORE, *SCHEMA), Worker.INLINE
    ) as database:
        devices = await database.read(_devices)
        first = await database.read(index.newest) + 1
        while batch := list(islice(texts, BATCH)):
            await database.transact(_put, batch, devices, first)


def _devices(tx: Tx) -> list[tuple[int, int]]:
    """The contacts, bo and then chen, with the first device of each."""
    return tx.all("SELECT contact, MIN(id) FROM device WHERE contact != 0 GROUP BY contact ORDER BY contact")


def _put(tx: Tx, batch: list[tuple[int, str]], devices: list[tuple[int, int]], first: int) -> None:
    for number, text in batch:
        contact, device = devices[number % RARE_EVERY == 0]
        is_mine = number % 2 == 1 and number % RARE_EVERY != 0
        at_ms = ENDED_MS - YEARS_MS + number * YEARS_MS // MESSAGES
        message_id = ids.MessageId(at_ms.to_bytes(6, "big") + number.to_bytes(10, "big"))
        body = content.say(message_id=message_id, hlc_ms=at_ms, device_seq=number, parents=(), content=Text(text))
        author, state = (0 if is_mine else device), State.DELIVERED
        times = (at_ms, at_ms, at_ms)
        kept = backup_records.Message(
            first + number, message_id, contact, author, Text.KIND, state, *times, "", body, ()
        )
        if is_mine:
            outbox.put_back(tx, kept)
        else:
            inbox.put_back(tx, KINDS, kept)


def _ms(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000
