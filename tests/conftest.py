"""What all tests share: how Hypothesis searches, and signals. A law that fails prints the lines that repeat it."""

import signal

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
