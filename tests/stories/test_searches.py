"""Searches of a real node that is killed while it makes its index of words."""

from pathlib import Path

import pytest

from features.chat.index import SLICE_ROWS
from features.chat.service import SEND_MAX
from tests import depth
from tests.stories.real import RealNode, open_pair

pytestmark = [pytest.mark.process, pytest.mark.socket]

CALLS = 6  # of 512 texts each, before a kill: several slices of the index
PAGE = 1000


def found(node: RealNode, query: str) -> list[str]:
    """All texts that a search finds, page by page."""
    texts: list[str] = []
    before = None
    while page := node.call("chat.search", query=query, limit=PAGE, before=before):
        texts += [row["text"] for row in page]
        before = page[-1]["seq"]
    return texts


def test_no_kill_makes_a_search_miss_or_repeat_a_message(tmp_path: Path) -> None:
    with open_pair(tmp_path) as (ana, bo):
        bo.down()
        sent: list[str] = []
        for round_ in range((2, 4, 22)[depth.LEVEL]):
            texts = [f"word {round_} {n}" for n in range(CALLS * SEND_MAX)]
            for start in range(0, len(texts), SEND_MAX):
                ana.call("chat.send_all", to="bo", texts=texts[start : start + SEND_MAX])
            sent = texts[::-1] + sent
            with ana.client() as client:
                client.send(b'{"jsonrpc":"2.0","id":0,"method":"chat.search","params":{"query":"word"}}\n')
                for _ in range(round_ % (len(texts) // SLICE_ROWS + 2)):  # each is answered between two slices
                    client.call("chat.read", to="bo")
                ana.kill()
            ana.up()
        assert found(ana, "word") == sent
