"""Golden samples of PX3 and of the first messages of a ratchet: fixed entropy in, bytes out.

Randomness is SHAKE-256 of a seed and a counter (pairs.entropy_of), encapsulation is kyber_py's. A changed sample is a
change of the protocol. `python -m tests.crypto.golden` writes the files anew, from the root of the checkout.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from crypto import ratchet
from crypto.keys import DhKey
from tests.crypto.pairs import (
    NOW_MS,
    encapsulation_of,
    end_of,
    entropy_of,
    initiated,
    responded,
    secrets_of,
)
from tests.crypto.test_handshake import agreed_again

FOLDER = Path(__file__).parent.parent / "golden"
Sample = dict[str, Any]


def px3(one_time: bool) -> Sample:
    """One handshake. Secrets are written out: they belong to nobody."""
    entropy = entropy_of(f"golden px3 {one_time}")
    alice, bob, secrets = end_of(entropy), end_of(entropy), secrets_of(entropy, one_time)
    ephemeral = DhKey(entropy(32))
    agreed, init = initiated(alice, bob, secrets.public(), ephemeral, 3, encapsulation_of(entropy))
    heard, _ = agreed_again(alice, init, bob, secrets)
    return {
        "initiator": [alice.party.account.hex(), alice.party.cert_hash.hex(), alice.identity.secret.hex()],
        "responder": [bob.party.account.hex(), bob.party.cert_hash.hex(), bob.identity.secret.hex()],
        "signed_prekey": secrets.signed.secret.hex(),
        "one_time_prekey": None if secrets.one_time is None else secrets.one_time.secret.hex(),
        "kem_seed": secrets.kem.seed.hex(),
        "ephemeral": ephemeral.secret.hex(),
        "counter": init.counter,
        "ciphertext": init.ciphertext.hex(),
        "transcript_hash": heard.hex(),
        "session": agreed.session.hex(),
        "root": agreed.root.hex(),
        "header": agreed.header.hex(),
        "next_header": agreed.next_header.hex(),
        "boot": agreed.boot.hex(),
    }


def first_messages() -> Sample:
    """Three turns: the initiator's two messages, the responder's offer, the initiator's answer and offer."""
    entropy = entropy_of("golden ratchet")
    encapsulate = encapsulation_of(entropy)
    alice, bob, secrets = end_of(entropy), end_of(entropy), secrets_of(entropy)
    agreed, init = initiated(alice, bob, secrets.public(), DhKey(entropy(32)), 0, encapsulate)
    mine = ratchet.sending_first(agreed, secrets.signed.public, entropy, NOW_MS)
    theirs = ratchet.receiving_first(responded(init, bob, secrets), secrets.signed, NOW_MS)
    messages = []
    for author, reader, text in (
        (mine, theirs, b"first"),
        (mine, theirs, b"second"),
        (theirs, mine, b"offer"),
        (mine, theirs, b"answer and offer"),
        (theirs, mine, b"answer"),
        (mine, theirs, b"small again"),
    ):
        header, body = ratchet.encrypt(author, text, entropy, encapsulate, NOW_MS)
        plaintext, mark = ratchet.decrypt(reader, header, body, NOW_MS)
        assert plaintext == text
        shown = header.hex() if len(header) == ratchet.HEADER_SMALL_BYTES else hashlib.sha256(header).hexdigest()
        messages.append(
            {
                "plaintext": text.decode(),
                "header_bytes": len(header),
                "header" if len(header) == ratchet.HEADER_SMALL_BYTES else "header_sha256": shown,
                "body": body.hex(),
                "turn": mark.turn.hex(),
                "number": mark.number,
            }
        )
    return {"session": agreed.session.hex(), "messages": messages, "root_after": mine.root.hex()}


def samples() -> dict[str, Sample]:
    """File name -> what the file holds."""
    return {
        "crypto_px3.json": {"with_one_time_prekey": px3(True), "without": px3(False)},
        "crypto_ratchet.json": first_messages(),
    }


if __name__ == "__main__":
    for name, sample in samples().items():
        (FOLDER / name).write_text(json.dumps(sample, indent=1) + "\n")
