"""The golden samples of crypto/ are what the code makes today, and open to whoever has their secrets."""

import json

import pytest

from crypto import handshake
from crypto.handshake import Party, PrekeySecrets
from crypto.keys import DhKey, KemKey
from tests.crypto import golden
from tests.crypto.pairs import known


@pytest.mark.parametrize("name", ["crypto_px3.json", "crypto_ratchet.json"])
def test_samples_are_made_today_as_ever(name: str) -> None:
    assert golden.samples()[name] == json.loads((golden.FOLDER / name).read_text())


@pytest.mark.parametrize("name", ["with_one_time_prekey", "without"])
def test_a_responder_with_the_secrets_of_the_sample_gets_its_values(name: str) -> None:
    sample = json.loads((golden.FOLDER / "crypto_px3.json").read_text())[name]
    raw = {key: bytes.fromhex(value) for key, value in sample.items() if isinstance(value, str)}
    theirs, mine = (
        Party(bytes.fromhex(account), bytes.fromhex(cert), DhKey(bytes.fromhex(identity)).public)
        for account, cert, identity in (sample["initiator"], sample["responder"])
    )
    one_time = DhKey(raw["one_time_prekey"]) if "one_time_prekey" in raw else None
    secrets = PrekeySecrets(DhKey(raw["signed_prekey"]), one_time, KemKey(raw["kem_seed"]))
    ephemeral = DhKey(raw["ephemeral"]).public
    identity = DhKey(bytes.fromhex(sample["responder"][2]))
    agreed = handshake.respond(theirs, ephemeral, raw["ciphertext"], sample["counter"], mine, identity, secrets)
    assert known(agreed) == tuple(raw[key] for key in ("session", "root", "header", "next_header", "boot"))
