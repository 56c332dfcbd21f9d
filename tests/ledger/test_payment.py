"""One payment in every interleaving: two people come to the same, whatever one of them does (ledger 3).

Two rules that look as good fail, each with honest people: so the explorer is not blind.
"""

import pytest

from ledger.payment import Stage
from tests import depth
from tests.ledger import explorer
from tests.ledger.explorer import Look, P, R

ENTRIES_MAX = 3 if depth.LEVEL > 1 else 2  # of who cheats; each more takes fifteen times as long
SIDES = {
    "both honest": {P: True, R: True},
    "the payee cheats": {P: True, R: False},
    "the payer cheats": {P: False, R: True},
    **({"both cheat": {P: False, R: False}} if depth.LEVEL else {}),
}


def void_is_final_at_once(look: Look) -> Stage | None:
    """What was taken back is refunded, whatever the payee says."""
    return Stage.REFUNDED if look.stage is Stage.REFUNDING else look.stage


def accept_wins_by_its_own_time(look: Look) -> Stage | None:
    """An acceptance in time by the clock of whoever accepts stands against a later void."""
    one = look.payment
    if one is not None and one.is_voided and one.is_taken and look.accept is not None:
        return Stage.REFUNDED if look.accept.is_late else Stage.SETTLED
    return void_is_final_at_once(look)


@pytest.mark.parametrize("sides", SIDES)
def test_both_come_to_the_same_and_what_is_final_stays(sides: str) -> None:
    found = explorer.explore(SIDES[sides], entries_max=ENTRIES_MAX)
    assert found.wrong == (), found.wrong[:3]
    assert found.states > 300, found.states


@pytest.mark.parametrize("rule", [void_is_final_at_once, accept_wins_by_its_own_time])
def test_rules_that_lack_something_contradict_themselves(rule: explorer.Rule) -> None:
    assert explorer.explore(SIDES["both honest"], rule, ENTRIES_MAX).wrong
