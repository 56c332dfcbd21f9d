"""What all tests share: how Hypothesis searches, signals, what comes first. A law that fails says how to repeat it."""

import signal

import pytest
from hypothesis import HealthCheck, settings

from tests import depth

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

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    # A runner in the background ignores SIGINT, and so would every program that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests that look at every file at the front, where one worker has them all and parses each file once."""
    items.sort(key=lambda item: item.get_closest_marker("house") is None)
