"""What all tests share: how Hypothesis searches. A law that fails prints the lines that repeat it."""

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
