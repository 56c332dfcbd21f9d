"""A bill split among people: whole cents, exactly the sum, odd ones by a rule that nobody chooses (ledger 7).

Pure. Not here: who is asked for his share, and who has paid (a room).
"""

from collections.abc import Sequence

from crypto import hashing
from crypto.hashing import Label
from ledger.terms import AMOUNT_MAX
from protocol.faults import UserFault

PEOPLE_MAX = 100
WEIGHT_MAX = 1_000_000


class BadSplit(UserFault):
    """A bill is split among 1 to 100 people by whole weights, not all of them 0, and comes to more than nothing."""

    code = "bill.split"
    next = "weft split 90 EUR NAME NAME --weights 2,1"
    exit = 2


def split(bill: bytes, total: int, weights: Sequence[tuple[bytes, int]]) -> dict[bytes, int]:
    """Each account's share of a total, in its smallest unit, by the largest remainder; who pays nothing has 0.

    bill: 16 bytes. weights: (account, weight), each account once. Of equal remainders the odd ones go in the order of a
    hash of bill and account: the same at everybody's, and whoever draws the bill's id does not see whom it favours
    before. Raises: BadSplit.
    """
    accounts = [account for account, _ in weights]
    whole = sum(weight for _, weight in weights)
    if (
        not 1 <= total <= AMOUNT_MAX
        or not 1 <= len(weights) <= PEOPLE_MAX
        or len(set(accounts)) < len(accounts)
        or any(not 0 <= weight <= WEIGHT_MAX for _, weight in weights)
        or not whole
    ):
        raise BadSplit
    shares = {account: total * weight // whole for account, weight in weights}
    odd = total - sum(shares.values())
    by_remainder = sorted(
        weights, key=lambda one: (-(total * one[1] % whole), hashing.hash_of(Label.LEDGER, b"odd" + bill + one[0]))
    )
    for account, _ in by_remainder[:odd]:
        shares[account] += 1
    return shares
