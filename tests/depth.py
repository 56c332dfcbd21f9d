"""How deep the tests go: shallow before a commit, deeper in `make test`, full in `make soak`. Set by WEFT_DEPTH."""

import os

LEVEL = {"check": 0, "test": 1, "soak": 2}[os.environ.get("WEFT_DEPTH", "check")]

INPUTS_PER_DECODER = (300, 10_000, 1_000_000)[LEVEL]
INPUTS_PER_SEAL = (300, 3_000, 100_000)[LEVEL]  # of a decoder behind a seal or a signature, which each input needs
INPUTS_PER_KIND = (100, 2_000, 200_000)[LEVEL]  # of one kind of record: all of them go through one reader
RATCHET_SCHEDULES = (25, 200, 10_000)[LEVEL]
KILLS = (2, 8, 200)[LEVEL]
FILE_KILLS = (1, 2, 50)[LEVEL]  # of one transfer of 200 MB
WORLDS = (2, 6, 200)[LEVEL]
EXAMPLES = (10, 40, 2_000)[LEVEL]  # of one Hypothesis law
