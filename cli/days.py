"""Days and times as a person types them: 2026-11-30, "2026-11-30 18:30", today, yesterday, 7d ago.

By the clock and the time zone of this machine. Not here: lengths of time (cli/options.py).
"""

import time
from datetime import datetime, timedelta

from cli import faults, options
from cli.faults import Failure

_FORMS = ("%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S")
_DAYS_AGO = {"today": 0, "yesterday": 1}


def since(text: str, now_s: float | None = None) -> int:
    """The first millisecond that is meant: of a day its beginning. Raises: Failure."""
    begun, _ = _meant(text, time.time() if now_s is None else now_s)
    return begun


def until(text: str, now_s: float | None = None) -> int:
    """The first millisecond that is no longer meant: a day is meant to its end. Raises: Failure."""
    _, ended = _meant(text, time.time() if now_s is None else now_s)
    return ended


def _meant(text: str, now_s: float) -> tuple[int, int]:
    """What is meant, from the one millisecond up to the other."""
    said = text.strip().lower()
    try:
        day = _day(said, now_s)
        if day is not None:
            return _ms(day), _ms(day + timedelta(days=1))
        for form in _FORMS:
            try:
                then = _ms(datetime.strptime(said.upper(), form))
            except ValueError:
                continue
            return then, then
        ago = int(now_s * 1000 - options.seconds_of(said) * 1000)
    except (ValueError, OverflowError, OSError, Failure):
        raise faults.usage(
            f'A day or time is written 2026-11-30, "2026-11-30 18:30", yesterday or 7d, not {faults.quoted(text)!r}.'
        ) from None
    return ago, ago


def _day(said: str, now_s: float) -> datetime | None:
    if said in _DAYS_AGO:
        today = datetime.fromtimestamp(now_s).replace(hour=0, minute=0, second=0, microsecond=0)
        return today - timedelta(days=_DAYS_AGO[said])
    try:
        return datetime.strptime(said, "%Y-%m-%d")
    except ValueError:
        return None


def _ms(local: datetime) -> int:
    return int(local.timestamp() * 1000)
