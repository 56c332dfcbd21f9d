"""search.hundred_thousand, search.chinese: a word in 100,000 messages, from the call to the answer on the local socket.

The shipped node in its default configuration. Each search is for another word, which some 60 of the messages have, and
shows the newest 50. Beside it, in turn, what a search without an index is: `LIKE '%word%'` over the same texts, in a
database of their own with the cipher, pages and cache of the store, without node and socket (scan.py). After them come
the figures of million.py.

The messages come in by `chat.send_all`, 500 texts a call, to a contact whose node is down: they are written, durable,
in the outbox, and nothing else happens. first_search_s: how long the first search took, which had them all to index.
"""

import random
import time
from contextlib import closing
from statistics import median
from typing import Any

from benchmarks import figures, million, profiles, scan
from benchmarks.messages import Api

MESSAGES = 100_000
CALL_TEXTS = 500
RUNS = 25
WORDS = 14  # of a message: about 100 bytes
LETTERS = "etaoinshrdlucmfwyp"
HAN = "".join(map(chr, range(0x4E00, 0x4E00 + 3000)))  # as many characters as one reads every day
LATIN_WORDS = 20_000
CHINESE_WORDS = 2_000
CHINESE_EVERY = 10  # messages, of which one is Chinese


def main() -> None:
    """Prints both figures, and those of million.py."""
    chance = random.Random(20)
    latin = ["".join(chance.choices(LETTERS, k=chance.randint(5, 9))) for _ in range(LATIN_WORDS)]
    chinese = ["".join(chance.choices(HAN, k=2)) for _ in range(CHINESE_WORDS)]
    texts = [
        " ".join(chance.choices(latin, k=WORDS))
        if number % CHINESE_EVERY
        else "".join(chance.choices(chinese, k=WORDS))
        for number in range(MESSAGES)
    ]
    with profiles.home() as home:
        there = profiles.place(home)
        with profiles.running(there, "ana"):
            with profiles.running(there, "bo"):
                profiles.befriend(there, "ana", "bo")
            ana = Api(home, "ana")
            for start in range(0, MESSAGES, CALL_TEXTS):
                ana.call("chat.send_all", to="bo", texts=texts[start : start + CALL_TEXTS])
            first_s = round(_ms(lambda: _search(ana, latin[0])) / 1000, 2)
            with closing(scan.plain(home / "plain.db", texts)) as plain:
                _compare("search.hundred_thousand", ana, plain, chance.sample(latin, 2 * RUNS + 2), first_s)
                _compare("search.chinese", ana, plain, chance.sample(chinese, 2 * RUNS + 2), first_s)
    million.main()


def _compare(bench: str, ana: Api, plain: Any, words: list[str], first_s: float) -> None:
    """Prints one figure; a word is never searched twice."""
    left = iter(words)
    hits: list[int] = []
    ours, scanned = figures.in_turn(
        RUNS,
        lambda: _ms(lambda: hits.append(_search(ana, next(left)))),
        lambda: _ms(lambda: scan.like(plain, next(left))),
    )
    synchronous = ana.call("node.status")["synchronous"]
    remarks = {"hits": median(hits), "first_search_s": first_s, "synchronous": synchronous}
    figures.show(bench, ours, "ms", "lower", "LIKE '%word%'", scanned, **remarks)


def _search(ana: Api, word: str) -> int:
    """How many messages a search shows."""
    return len(ana.call("chat.search", query=word))


def _ms(call: Any) -> float:
    began = time.perf_counter()
    call()
    return (time.perf_counter() - began) * 1000
