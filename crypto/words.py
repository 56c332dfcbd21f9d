"""The 24 recovery words: a 256-bit secret as BIP-39 English words, and the account key that grows from it.

The law is docs/protocol/vault.md 3. Weft uses BIP-39 for its list and checksum only, not its seed derivation. Words
never stand in a fault or a repr. Not here: the backup file, comparison words (safety.py).
"""

from functools import cache

from mnemonic import Mnemonic

from crypto.hashing import Label, subkey
from crypto.keys import SigningKey

WORDS = 24
SECRET_BYTES = 32
LIST_LENGTH = 2048  # BIP-39: 11 bits a word


class WordsWrong(ValueError):
    """These are not 24 recovery words of weft; compare each with what you wrote down, in order."""


def words_of(secret: bytes) -> str:
    """24 lower-case words, single spaces between. secret: 32 bytes."""
    assert len(secret) == SECRET_BYTES
    return str(_bip39().to_mnemonic(secret))


def secret_of(words: str) -> bytes:
    """The 32-byte secret of 24 words; letter case and the kind of white space do not matter.

    Raises: WordsWrong, which names the place of an unknown word, never the word.
    """
    given = words.lower().split()
    if len(given) != WORDS:
        raise WordsWrong(f"there are {len(given)} words, not {WORDS}")
    known = _places()
    for place, one in enumerate(given, 1):
        if one not in known:
            raise WordsWrong(f"word {place} is not in the list")
    try:
        return bytes(_bip39().to_entropy(given))
    except ValueError:
        raise WordsWrong("the last word does not fit the others: a word is wrong, or two are swapped") from None


def account_key(secret: bytes) -> SigningKey:
    """The account's Ed25519 key, from the 32-byte secret of the words (vault 3.2)."""
    assert len(secret) == SECRET_BYTES
    return SigningKey(subkey(secret, Label.BACKUP, b"account"))


def word_at(place: int) -> str:
    """The word at this place (0 to 2,047) of the BIP-39 English list."""
    assert 0 <= place < LIST_LENGTH
    return str(_bip39().wordlist[place])


@cache
def _bip39() -> Mnemonic:
    return Mnemonic("english")


@cache
def _places() -> frozenset[str]:
    return frozenset(_bip39().wordlist)
