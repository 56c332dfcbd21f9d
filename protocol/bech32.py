"""bech32m, the text form of BIP-350: a prefix, the data in base 32, a checksum that finds single mistypings.

Not here: which prefixes weft uses (ids.py). The variant of BIP-173 ("bech32") is not read: its checksum misses some
insertions before a final p.
"""

_CHARSET = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_VALUES = {character: value for value, character in enumerate(_CHARSET)}
_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_BECH32M = 0x2BC830A3  # BIP-350: the checksum's final constant
_CHECKSUM_CHARACTERS = 6
CHARACTERS_MAX = 90  # BIP-173: beyond it the checksum promises nothing


class BadChecksum(ValueError):
    """Text that is not bech32m."""


def encode(hrp: str, data: bytes) -> str:
    """The lower-case text of the data under a prefix.

    hrp: 1 to 83 characters from ! to ~, lower case. data: so short that the text has at most 90 characters.
    """
    values = _regroup(data, 8, 5)
    text = f"{hrp}1{''.join(_CHARSET[v] for v in (*values, *_checksum(hrp, values)))}"
    assert len(text) <= CHARACTERS_MAX
    return text


def decode(text: str) -> tuple[str, bytes]:
    """The prefix in lower case and the data of a text in one case.

    Raises: BadChecksum for anything that `encode` would not have written.
    """
    hrp, values = split(text)
    data = _regroup(values, 5, 8)
    # The bits that fill the last character are zero and fewer than five.
    if tuple(_regroup(data, 8, 5)) != values:
        raise BadChecksum
    return hrp, bytes(data)


def split(text: str) -> tuple[str, tuple[int, ...]]:
    """The prefix and the 5-bit values of a text whose checksum is right. Raises: BadChecksum."""
    if len(text) > CHARACTERS_MAX or any(not "!" <= c <= "~" for c in text):
        raise BadChecksum
    if text != text.lower() and text != text.upper():
        raise BadChecksum
    hrp, one, coded = text.lower().rpartition("1")
    if not hrp or not one or len(coded) < _CHECKSUM_CHARACTERS or any(c not in _VALUES for c in coded):
        raise BadChecksum
    values = tuple(_VALUES[c] for c in coded)
    if _polymod((*_expanded(hrp), *values)) != _BECH32M:
        raise BadChecksum
    return hrp, values[:-_CHECKSUM_CHARACTERS]


def _checksum(hrp: str, values: list[int]) -> tuple[int, ...]:
    remainder = _polymod((*_expanded(hrp), *values, *(0,) * _CHECKSUM_CHARACTERS)) ^ _BECH32M
    return tuple(remainder >> 5 * (5 - i) & 31 for i in range(_CHECKSUM_CHARACTERS))


def _expanded(hrp: str) -> tuple[int, ...]:
    return (*(ord(c) >> 5 for c in hrp), 0, *(ord(c) & 31 for c in hrp))


def _polymod(values: tuple[int, ...]) -> int:
    remainder = 1
    for value in values:
        top = remainder >> 25
        remainder = (remainder & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_GENERATORS):
            if top >> bit & 1:
                remainder ^= generator
    return remainder


def _regroup(values: bytes | tuple[int, ...] | list[int], width: int, new_width: int) -> list[int]:
    """The same bits in groups of another width; growing from 8 to 5 fills with zeros, shrinking drops the rest."""
    regrouped: list[int] = []
    held = bits = 0
    for value in values:
        held = held << width | value
        bits += width
        while bits >= new_width:
            bits -= new_width
            regrouped.append(held >> bits & (1 << new_width) - 1)
        held &= (1 << bits) - 1
    if bits and new_width < width:
        regrouped.append(held << new_width - bits & (1 << new_width) - 1)
    return regrouped
