"""The frozen file of evidence: what was handed to somebody once stays readable, and what is said of it.

PYTHONPATH=. .venv/bin/python -m tests.ledger.golden      writes it anew: a change of what others hold
"""

import json
from pathlib import Path

from ledger import evidence
from ledger.examination import examine
from tests.ledger import signed
from tests.ledger.test_evidence import settled_among_others

FILE = Path(__file__).parents[1] / "golden" / "ledger_evidence.json"


def held() -> dict[str, str]:
    """A payment among others, made today."""
    two = signed.Two()
    settled_among_others(two)
    raw = evidence.make(two.ana.half, two.bo.half, signed.PAY)
    verdict = examine((raw,)).verdict
    assert verdict is not None
    return {"file": raw.hex(), "said": signed.text_of(verdict)}


if __name__ == "__main__":
    FILE.write_text(json.dumps(held(), indent=1) + "\n")
