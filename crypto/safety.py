"""How two people make sure that there is nobody between them: safety number and comparison words.

The law is docs/protocol/handshake.md 5. The number is static and may be compared at any time; the words are only for
an exchange in which both ends committed to their nonces first. Not here: what was compared and its memory (store/).
"""

import hashlib

from crypto import words
from crypto.hashing import Label, hash_of, labelled

ROUNDS = 5200  # as Signal's fingerprints: grinding a key whose digits look alike costs 5,200 hashes a try
GROUPS = 12
GROUP_DIGITS = 5
ID_BYTES = 32
SESSION_BYTES = 16
NONCE_BYTES = 32


def safety_number(account_a: bytes, account_b: bytes) -> str:
    """60 decimal digits for two account ids (32 bytes each), the same in either order.

    A text form shows them in groups of five. Takes about 3 ms.
    """
    assert len(account_a) == len(account_b) == ID_BYTES
    ids = min(account_a, account_b) + max(account_a, account_b)
    digest = labelled(Label.SAS, ids)
    for _ in range(ROUNDS):
        digest = hashlib.blake2b(digest + ids).digest()
    groups = (int.from_bytes(digest[at : at + 5], "big") % 10**GROUP_DIGITS for at in range(0, GROUPS * 5, 5))
    return "".join(f"{group:0{GROUP_DIGITS}d}" for group in groups)


def comparison_words(
    account_a: bytes, account_b: bytes, session: bytes, nonce_a: bytes, nonce_b: bytes
) -> tuple[str, str, str]:
    """Three words for one live comparison, the same at both ends, whichever calls itself a.

    account: 32 bytes; session: 16; nonce: 32, each fixed by its owner's commitment hash_of(SAS, nonce) before the
    other one was shown. 33 bits: enough against one guess in a live exchange, never as a static check.
    """
    assert len(account_a) == len(account_b) == ID_BYTES
    assert len(session) == SESSION_BYTES
    assert len(nonce_a) == len(nonce_b) == NONCE_BYTES
    first, second = sorted(((account_a, nonce_a), (account_b, nonce_b)))
    digest = hash_of(Label.SAS, first[0] + second[0] + session + first[1] + second[1])
    bits = int.from_bytes(digest[:5], "big") >> 7
    return words.word_at(bits >> 22), words.word_at(bits >> 11 & 0x7FF), words.word_at(bits & 0x7FF)
