"""How deep the tests go: shallow before a commit, deeper in `make test`, full in `make soak`. Set by WEFT_DEPTH."""

import os

LEVEL = {"check": 0, "test": 1, "soak": 2}[os.environ.get("WEFT_DEPTH", "check")]

INPUTS_PER_DECODER = (300, 50_000, 1_000_000)[LEVEL]
RATCHET_SCHEDULES = (25, 500, 10_000)[LEVEL]
KILLS = (2, 20, 200)[LEVEL]
WORLDS = (2, 20, 200)[LEVEL]
EXAMPLES = (20, 100, 2_000)[LEVEL]  # of one Hypothesis law
