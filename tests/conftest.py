"""What all tests share: how Hypothesis searches, signals, what comes first. A law that fails says how to repeat it."""

import gc
import os
import shutil
import signal
import tempfile

import pytest
from hypothesis import HealthCheck, settings

from tests import depth

MEMORY, MEMORY_BYTES_MIN = "/dev/shm", 2 * 2**30  # folders of tests, but of the soak's, are in memory where it is roomy

settings.register_profile(
    "weft",
    max_examples=depth.EXAMPLES,
    deadline=None,  # these machines are shared: a law is about results, never about time
    derandomize=depth.LEVEL < 2,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("weft")

# Waiting for a disk takes more time than all else, and what a killed process wrote is there without it as well.
is_roomy = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_BYTES_MIN
if is_roomy and depth.LEVEL < 2 and "TMPDIR" not in os.environ:
    os.environ["TMPDIR"] = tempfile.tempdir = MEMORY

gc.set_threshold(50_000, 20, 50)  # with the usual ones it takes a fifth of the time, and what it finds is small

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A runner in the background ignores SIGINT, and so would every program that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:
    # So does one under nohup with SIGHUP. What is caught here is as it should be in every program that is started.
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests that look at every file at the front, where one worker has them all and parses each file once.

    Behind them the long ones, so that no worker has one to do when the others have nothing left.
    """
    items.sort(key=lambda item: [item.get_closest_marker(name) is None for name in ("house", "depth")])


def pytest_collection_finish() -> None:
    """Lets the collector of garbage look away from all that was imported, for good."""
    gc.collect()
    gc.freeze()
