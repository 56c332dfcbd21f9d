"""How Python's collector of garbage looks at a node: many small objects, few of which hang in circles."""

import gc

YOUNG_MAX = 10_000  # objects made before it looks at them; a fold of a ledger makes a million, and none in circles
ROUNDS = 20  # looks at the young before it looks at the older, and as many of those before it looks at all


def settle() -> None:
    """Once a node is open: what was imported lives as long as it does, and need not be looked at again and again."""
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, ROUNDS, ROUNDS)
