"""How often a session may fail before it rests: the failure budget (docs/protocol/ratchet.md 6.3).

Pure: time comes as an argument. Only bodies that fail behind a good header count; duplicates and unknown headers do
not, because anybody can make those.
"""

from dataclasses import dataclass

FAILURES_MAX = 5  # then the session rests: a session peer can make each failure cost 2,000 chain steps
WINDOW_MS = 60_000
PAUSE_MS = 600_000


@dataclass(frozen=True, slots=True)
class FailureBudget:
    """Failures of the last minute (ms, oldest first), and until when the session rests (ms; 0: it does not)."""

    failed_at_ms: tuple[int, ...] = ()
    paused_until_ms: int = 0


FULL = FailureBudget()


def spend(budget: FailureBudget, now_ms: int) -> FailureBudget:
    """The budget after one more failure; the fifth within a minute starts a pause of ten."""
    recent = tuple(at for at in budget.failed_at_ms if 0 <= now_ms - at < WINDOW_MS)
    if len(recent) + 1 >= FAILURES_MAX:
        return FailureBudget((), now_ms + PAUSE_MS)
    return FailureBudget((*recent, now_ms), budget.paused_until_ms)


def paused(budget: FailureBudget, now_ms: int) -> bool:
    """Whether the session rests now. A clock set back ends a pause rather than stretching it."""
    return 0 < budget.paused_until_ms - now_ms <= PAUSE_MS
