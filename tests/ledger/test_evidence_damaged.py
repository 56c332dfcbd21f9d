"""Files about a payment that were damaged, or lack something: both examiners say the same of them (ledger 13)."""

import random

from protocol.log_file import Shown
from tests import depth
from tests.ledger import signed
from tests.ledger.test_evidence import GOOD, made


def damaged(raw: bytes, draw: random.Random) -> bytes:
    """One file with one damage."""
    at = draw.randrange(len(raw))
    match draw.randrange(5):
        case 0:
            return raw[:at] + bytes((raw[at] ^ 1 << draw.randrange(8),)) + raw[at + 1 :]
        case 1:
            return raw[:at]
        case 2:
            return raw[:at] + raw[at + draw.randint(1, 40) :]
        case 3:
            return raw[:at] + draw.randbytes(draw.randint(1, 3)) + raw[at:]
    items = signed.items_of(raw)
    draw.shuffle(items)
    return signed.file_of(items[: draw.randint(1, len(items))])


def test_whatever_is_damaged_both_say_the_same() -> None:
    draw = random.Random(5)
    whole = [made(case)[1] for case in GOOD]
    raws = [damaged(draw.choice(whole), draw) for _ in range(300 * max(1, depth.LEVEL))]
    found = [signed.agreed(raw, answer) for raw, answer in zip(raws, signed.verified_all(raws), strict=True)]
    assert sum(one.verdict is None for one in found) > len(raws) // 2


def shuffled_items(raw: bytes, draw: random.Random) -> bytes:
    """Items left out, closed or moved, so that what is left is good by itself more often."""
    items = signed.items_of(raw)
    for _ in range(draw.randint(1, 3)):
        at = draw.randrange(len(items))
        item = items[at]
        if isinstance(item, Shown) and draw.random() < 0.7:
            if draw.random() < 0.5:
                items[at] = Shown(item.content, None)
            else:
                del items[at]
        elif draw.random() < 0.5:
            items.insert(draw.randrange(len(items)), items.pop(at))
        elif len(items) > 1:
            del items[at]
    return signed.file_of(items)


def test_whatever_is_left_out_both_say_the_same() -> None:
    draw = random.Random(6)
    whole = [made(case)[1] for case in GOOD]
    raws = [shuffled_items(draw.choice(whole), draw) for _ in range(300 * max(1, depth.LEVEL))]
    found = [signed.agreed(raw, answer) for raw, answer in zip(raws, signed.verified_all(raws), strict=True)]
    assert 10 < sum(one.verdict is not None for one in found) < len(raws) - 10
