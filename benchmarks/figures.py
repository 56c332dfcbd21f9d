"""A figure: measurements of ours and of a baseline, taken in turn, as one JSON line on stdout."""

import json
from collections.abc import Callable, Sequence
from statistics import median


def in_turn(runs: int, ours: Callable[[], float], baseline: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Measures A B A B …, so that whatever else the machine does falls on both; one round before does not count."""
    ours(), baseline()
    pairs = [(ours(), baseline()) for _ in range(runs)]
    return [mine for mine, _ in pairs], [theirs for _, theirs in pairs]


def show(
    bench: str,
    values: Sequence[float],
    unit: str,
    better: str,
    baseline: str | None = None,
    baseline_values: Sequence[float] = (),
    **remarks: object,
) -> None:
    """Prints the median of the values, with how many there were and the least and greatest, beside the baseline's."""
    line = {
        "bench": bench,
        "value": _short(median(values)),
        "unit": unit,
        "better": better,
        "baseline": baseline,
        "baseline_value": _short(median(baseline_values)) if baseline_values else None,
        "runs": len(values),
        "range": [_short(min(values)), _short(max(values))],
    }
    print(json.dumps({**line, **remarks}), flush=True)


def _short(value: float) -> float:
    """Four digits tell all that a measurement on a shared machine can."""
    return float(f"{value:.4g}")
