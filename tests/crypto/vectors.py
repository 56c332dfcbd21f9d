"""Published vectors: the files of `cryptography_vectors`, and what is too short to be a file.

Not here: samples that weft itself made once (golden.py).
"""

from collections.abc import Iterator
from importlib import resources

Vector = dict[str, str]


def text_of(path: str) -> str:
    """A file of cryptography_vectors as text."""
    return resources.files("cryptography_vectors").joinpath(path).read_text()


def blocks(path: str) -> Iterator[Vector]:
    """The `name = value` blocks of a vector file; names in lower case.

    A block begins at a `count` where the file has counts, else after an empty line.
    """
    text = text_of(path)
    counted = "\ncount = " in f"\n{text.lower()}"
    block: Vector = {}
    for line in text.splitlines():
        name, equals, value = (part.strip() for part in line.partition("="))
        if line.startswith("#"):
            continue
        if block and (name.lower() == "count" if counted else not equals):
            yield block
            block = {}
        if equals:
            block[name.lower()] = value
    if block:
        yield block


# u-coordinates of small order on Curve25519 and its twist, and their unreduced forms (https://cr.yp.to/ecdh.html,
# "validate"); every one gives an all-zero X25519 secret.
_P = 2**255 - 19
_ORDER_8 = (
    325606250916557431795983626356110631294008115727848805560023387167927233504,
    39382357235489614581723060781553021112529911719440698176882885853963445705823,
)
LOW_ORDER = tuple(
    u.to_bytes(32, "little")
    for u in (0, 1, *_ORDER_8, _P - 1, _P, _P + 1, *(u + 2**255 for u in (0, 1, *_ORDER_8, _P - 1, _P, _P + 1)))
)

# draft-irtf-cfrg-xchacha-03, A.3.1
XCHACHA_KEY = bytes(range(0x80, 0xA0))
XCHACHA_NONCE = bytes(range(0x40, 0x58))
XCHACHA_AD = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
XCHACHA_PLAINTEXT = (
    b"Ladies and Gentlemen of the class of '99: If I could offer you "
    b"only one tip for the future, sunscreen would be it."
)
XCHACHA_CIPHERTEXT = bytes.fromhex(
    "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39"
    "ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
    "21f9664c97637da9768812f615c68b13b52e"
    "c0875924c1c7987947deafd8780acf49"
)

# BIP-39 English, the 256-bit entries of the list in trezor/python-mnemonic, vectors.json
BIP39 = (
    ("00" * 32, "abandon " * 23 + "art"),
    (
        "7f" * 32,
        "legal winner thank year wave sausage worth useful legal winner thank year wave sausage worth useful "
        "legal winner thank year wave sausage worth title",
    ),
    (
        "80" * 32,
        "letter advice cage absurd amount doctor acoustic avoid letter advice cage absurd amount doctor acoustic avoid "
        "letter advice cage absurd amount doctor acoustic bless",
    ),
    ("ff" * 32, "zoo " * 23 + "vote"),
    (
        "00ac97c48106f0aeb8ba061e0250a559b3251dc35854e694780ba51d53a50120",
        "absent gorilla van acoustic humor firm title dolphin bulk barely citizen recall crane moment aspect appear "
        "track phrase actual enforce steel spoon afraid benefit",
    ),
    (
        "3edc83b60740d77af3afa2fcb82c2f1bc541ee4e2518ddef4996d32453f54a3c",
        "disagree tomato unique attend aspect runway solid violin witness scrap armed daring favorite warm decade "
        "perfect target kid grant play early wide cigar night",
    ),
    (
        "89bb4bc5555992cdaf3444c5e7ca5a6e9f27efab894f1990bae41be8b2a26ea4",
        "meadow surge vanish primary odor grocery rubber mass shine dinner notable tag venue water purchase clarify "
        "book magic ribbon daughter menu eye ritual orchard",
    ),
    (
        "911fec0fbd88029f6fa99164896c18d898c9232af18bdcca3e42d53b86493104",
        "much youth advance kitchen lens exile salt cram goose enter alert raise milk muscle profit cousin system "
        "faint mouse price reveal cause series long",
    ),
)

# Key blinding of The Tor Project, src/test/ed25519_vectors.inc, the first four of eight:
# (seed, public key, parameter, blinded scalar, key of its nonces, blinded public key)
TOR_BLINDING = (
    (
        "26c76712d89d906e6672dafa614c42e5cb1caac8c6568e4d2493087db51f0d36",
        "c2247870536a192d142d056abefca68d6193158e7c1a59c1654c954eccaff894",
        "54a513898b471d1d448a2f3c55c1de2c0ef718c447b04497eeb999ed32027823",
        "014e83abadb2ca9a27e0ffe23920333d817729f48700e97656ec2823d694050e",
        "171d43f24e3f53e70ec7ac280044ac77d4942dee5d6807118a59bdf3ee647e89",
        "722d6da6348e618967ef782e71061e27163a8b35f21856475d9d2023f65b6495",
    ),
    (
        "fba7a5366b5cb98c2667a18783f5cf8f4f8d1a2ce939ad22a6e685edde85128d",
        "1519a3b15816a1aafab0b213892026ebf5c0dc232c58b21088d88cb90e9b940d",
        "831e9b5325b5d31b7ae6197e9c7a7baf2ec361e08248bce055908971047a2347",
        "fad8cca0b4335847795288b1452508752b253e64e6c7c78d4a02dbbd7d46aa0e",
        "b8ceff20dfcf53eb52b891fc078c934efbf0353af7242e7dc51bb32a093afa29",
        "1dffa0586da6cbfcff2024eedf4fc6c818242d9a82dbbe635d6da1b975a1160d",
    ),
    (
        "67e3aa7a14fac8445d15e45e38a523481a69ae35513c9e4143eb1c2196729a0e",
        "081faa81992e360ea22c06af1aba096e7a73f1c665bc8b3e4e531c46455fd1dd",
        "ac78a1d46faf3bfbbdc5af5f053dc6dc9023ed78236bec1760dadfd0b2603760",
        "116eb0ae0a4a91763365bdf86db427b00862db448487808788cc339ac10e5e08",
        "9217f52e92797462bd890fc274672e05c98f2c82970d640084781334aae0f940",
        "5ed81f98fed5a6acda4ea6da2c34fab0ab359d950c510c256473f1f33ff438b4",
    ),
    (
        "d51385942033a76dc17f089a59e6a5a7fe80d9c526ae8ddd8c3a506b99d3d0a6",
        "73cfa1189a723aad7966137cbffa35140bb40d7e16eae4c40b79b5f0360dd65a",
        "f9c84dc0ac31571507993df94da1b3d28684a12ad14e67d0a068aba5c53019fc",
        "bd1fbb0ee5acddc4adbcf5f33e95d9445f40326ce579fdd764a24483a9ccb20f",
        "509ecee77082ce088f7c19d5a00e955eeef8df6fa41686abc1030c2d76807733",
        "6e6f92a54fb282120c46d9603df41135f025bc1f58f283809d04be96aeb04040",
    ),
)

# Points of small order on edwards25519 (order 1, 2, 4, 4, 8, ...), in their reduced encodings
LOW_ORDER_POINTS = tuple(
    bytes.fromhex(point)
    for point in (
        "0100000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    )
)
