"""The frozen file of evidence is what is made today, and both programs say of it what they said then."""

import json

from tests.ledger import golden, signed


def test_the_frozen_file_is_made_today_and_still_believed() -> None:
    held = json.loads(golden.FILE.read_text())
    assert held == golden.held()
    assert signed.verified(bytes.fromhex(held["file"])) == (3, held["said"], "")
