"""Invitation links and the dialogue /weft/invite/1 that follows one (docs/protocol/invite.md).

The asker dials with a link; the listener made it. Each function is one message of the dialogue, made or read. Not here:
which invitations are open or spent (store/invitations.py), the streams (node/).
"""

import base64
import binascii
import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, NoReturn

from crypto import hashing, sealing
from crypto.faults import Forged
from crypto.hashing import Label
from protocol import envelope, identity, record
from protocol.faults import OverLimit, UserFault
from protocol.ids import AccountId

PROTOCOL = "/weft/invite/1"
PREFIX = "weft:i/"
VERSION = 1
SECRET_BYTES = 16  # 128 bits, met only online and for 14 days, or through a DHT record under a derived key
LINK_BYTES_MIN = 86
LINK_BYTES_MAX = 124
TEXT_CHARACTERS_MAX = 173
ADDRESSES_MAX = 2
LIFE_S_MAX = 14 * 24 * 3600  # of a one-time invitation
OPEN_MAX = 256  # invitations that a listener tries
FETCHES_MAX = 20  # of the bundle of a one-time invitation
REQUESTS_MAX = 64  # waiting for a decision
FRAME_BYTES_MAX = 17 * 1024  # an init with eight devices takes the 16 KiB bucket; sealed, 40 bytes more
MAC_BYTES = 32

_LONG_TERM = 0x01
_FLAGS_TO_UNDERSTAND = 0x0F  # a reader refuses unknown ones of these and ignores the upper four
_U32_MAX = 2**32 - 1


class BadLink(UserFault):
    """This is no whole invitation link, so nothing was sent. Copy it again: it begins with weft:i/."""

    code = "link.bad"
    next = "weft add LINK"
    exit = 2


class NewerLink(UserFault):
    """This invitation was made by a newer weft; nothing was sent. Update weft and try again."""

    code = "link.newer"
    next = "weft version"
    exit = 1


class ExpiredLink(UserFault):
    """By the clock of this machine this invitation has expired; nothing was sent. Ask for a new one."""

    code = "link.expired"
    next = "weft invite"
    exit = 1


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An IP address and TCP port. ip: 4 or 16 bytes. Raises: OverLimit."""

    ip: bytes
    port: int

    def __post_init__(self) -> None:
        if len(self.ip) not in (4, 16) or not 0 < self.port < 65536:
            raise OverLimit("An address in a link is an IP address and a TCP port.")


@dataclass(frozen=True, slots=True, repr=False)
class Link:
    """What an invitation link says.

    long_term: never spent; whoever uses it makes a request. expiry_s: seconds since 1970, 32 bits. secret: 16 random
    bytes. peer: the inviter's transport key of the moment, a first guess. addresses: at most 2. Raises: OverLimit.
    """

    long_term: bool
    expiry_s: int
    account: AccountId
    secret: bytes
    peer: bytes
    addresses: tuple[Endpoint, ...]

    def __post_init__(self) -> None:
        sizes_fit = (len(self.account), len(self.secret), len(self.peer)) == (32, SECRET_BYTES, 32)
        if not sizes_fit or not 0 <= self.expiry_s <= _U32_MAX or len(self.addresses) > ADDRESSES_MAX:
            raise OverLimit("This invitation does not fit a link.")

    def __repr__(self) -> str:
        return f"Link(long_term={self.long_term}, expiry_s={self.expiry_s}, {len(self.addresses)} addresses)"


@dataclass(frozen=True, slots=True, repr=False)
class InviteKeys:
    """The four keys of an invitation's secret, 32 bytes each (invite 2)."""

    mac: bytes
    bundle: bytes
    init: bytes
    dht: bytes

    @classmethod
    def of(cls, secret: bytes) -> "InviteKeys":
        """The keys of a secret of 16 bytes."""
        mac, bundle, init, dht = (
            hashing.subkey(secret, Label.INVITE, purpose) for purpose in (b"mac", b"bundle", b"init", b"dht")
        )
        return cls(mac, bundle, init, dht)

    def __repr__(self) -> str:
        return "InviteKeys(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not pickled")


class Verdict(IntEnum):
    """The listener's last word on an init, after its commit."""

    STORED = 0  # you are a contact
    WAITING = 1  # the inviter will be asked
    SPENT = 2  # somebody else used the invitation
    EXPIRED = 3


@record.record
@dataclass(frozen=True, slots=True)
class Answer:
    """The sealed last message of the dialogue."""

    KIND: ClassVar[int] = 17

    verdict: Verdict


def link_bytes(link: Link) -> bytes:
    """The bytes of a link, 86 to 124."""
    raw = b"".join(
        (
            bytes((VERSION, _LONG_TERM if link.long_term else 0)),
            link.expiry_s.to_bytes(4, "big"),
            link.account,
            link.secret,
            link.peer,
            endpoint_bytes(link.addresses),
        )
    )
    assert len(raw) <= LINK_BYTES_MAX
    return raw


def endpoint_bytes(endpoints: Iterable[Endpoint]) -> bytes:
    """Endpoints as they stand in a link: 7 bytes for one of IPv4, 19 for one of IPv6."""
    return b"".join(bytes((4 if len(e.ip) == 4 else 6,)) + e.ip + e.port.to_bytes(2, "big") for e in endpoints)


def link_text(link: Link) -> str:
    """weft:i/ and base64url without padding: at most 173 characters."""
    return _text(link_bytes(link))


def link_of(raw: bytes) -> Link:
    """The link in its bytes. Whether it expired is `check_alive`'s to say.

    Raises: BadLink; NewerLink for a version or a flag that must be understood and is not.
    """
    if len(raw) < LINK_BYTES_MIN:
        raise BadLink  # cut off, or never a link: no version names an account and a secret in less
    if raw[0] != VERSION:
        raise NewerLink if raw[0] > VERSION else BadLink
    if raw[1] & _FLAGS_TO_UNDERSTAND & ~_LONG_TERM:
        raise NewerLink
    return Link(
        long_term=bool(raw[1] & _LONG_TERM),
        expiry_s=int.from_bytes(raw[2:6], "big"),
        account=AccountId(raw[6:38]),
        secret=raw[38:54],
        peer=raw[54:86],
        addresses=endpoints_of(raw[LINK_BYTES_MIN:]),
    )


def link_from(text: str) -> Link:
    """The link in a text, with white space around it. Whether it expired is `check_alive`'s to say.

    Raises: BadLink; NewerLink for a version or a flag that must be understood and is not.
    """
    stripped = text.strip()
    if not stripped.startswith(PREFIX) or len(stripped) > TEXT_CHARACTERS_MAX:
        raise BadLink
    coded = stripped.removeprefix(PREFIX)
    try:
        raw = base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise BadLink from None
    link = link_of(raw)
    # Unused bits of the last character would give one link several texts.
    if _text(raw) != stripped:
        raise BadLink
    return link


def endpoints_of(raw: bytes) -> tuple[Endpoint, ...]:
    """The endpoints at the end of a link, at most 2. Raises: BadLink."""
    endpoints: list[Endpoint] = []
    while raw:
        size = {4: 4, 6: 16}.get(raw[0])
        if size is None or len(raw) < 1 + size + 2 or len(endpoints) == ADDRESSES_MAX:
            raise BadLink
        ip, port = raw[1 : 1 + size], int.from_bytes(raw[1 + size : 3 + size], "big")
        if port == 0:
            raise BadLink
        endpoints.append(Endpoint(ip, port))
        raw = raw[3 + size :]
    return tuple(endpoints)


def check_alive(link: Link, now_s: int) -> None:
    """Returns when the link has not expired by our clock. Raises: ExpiredLink."""
    if now_s > link.expiry_s:
        raise ExpiredLink


def address_text(endpoint: Endpoint) -> str:
    """The multiaddr of an endpoint: /ip4/192.0.2.7/tcp/4001."""
    ip = ipaddress.ip_address(endpoint.ip)
    return f"/ip{ip.version}/{ip}/tcp/{endpoint.port}"


def addresses_of(texts: Iterable[str]) -> tuple[Endpoint, ...]:
    """The endpoints of those multiaddrs that are an IP address and a TCP port and nothing else, in their order."""
    return tuple(endpoint for endpoint in map(_endpoint, texts) if endpoint is not None)


def asker_mac(keys: InviteKeys, transcript: bytes) -> bytes:
    """First message of the asker, 32 bytes: he has the secret. transcript: talk.transcript, the asker dialling."""
    return hashing.mac(keys.mac, b"\x01" + transcript)


def which(invitations: Sequence[InviteKeys], mac: bytes, transcript: bytes) -> int | None:
    """Index of the invitation the asker has, or None. All are tried, so the time tells nothing but their number."""
    assert len(invitations) <= OPEN_MAX
    found: int | None = None
    for index, keys in enumerate(invitations):
        if hashing.same(asker_mac(keys, transcript), mac):
            found = index
    return found


def answer(keys: InviteKeys, transcript: bytes, bundle: identity.Bundle, nonce: bytes) -> bytes:
    """The listener's answer: he has the secret too; and his bundle, sealed. nonce: 24 random bytes."""
    mac = hashing.mac(keys.mac, b"\x02" + transcript)
    return mac + sealing.seal(keys.bundle, nonce, record.encode(bundle), bundle.certificate.account)


def open_answer(keys: InviteKeys, transcript: bytes, raw: bytes, account: AccountId, now_s: int) -> identity.Bundle:
    """The checked bundle of the account that the link names.

    Raises: Forged (not the inviter, or a bundle of another account), Malformed, Expired, TooLongLived.
    """
    mac, sealed = raw[:MAC_BYTES], raw[MAC_BYTES:]
    if not hashing.same(hashing.mac(keys.mac, b"\x02" + transcript), mac):
        raise Forged
    bundle = record.decode(identity.Bundle, sealing.open_sealed(keys.bundle, sealed, account), FRAME_BYTES_MAX)
    identity.check_bundle(bundle, account, now_s, None)
    return bundle


def seal_init(keys: InviteKeys, transcript: bytes, init: envelope.Init, nonce: bytes) -> bytes:
    """The asker's second message: his init as an envelope, sealed. nonce: 24 random bytes."""
    return sealing.seal(keys.init, nonce, envelope.enclose(init), transcript)


def open_init(keys: InviteKeys, transcript: bytes, raw: bytes) -> envelope.Init:
    """The asker's init, unchecked. Raises: Forged, Malformed (also for any other envelope)."""
    return record.decode(envelope.Init, sealing.unpad(sealing.open_sealed(keys.init, raw, transcript)), FRAME_BYTES_MAX)


def seal_verdict(keys: InviteKeys, transcript: bytes, verdict: Verdict, nonce: bytes) -> bytes:
    """The listener's last message. nonce: 24 random bytes."""
    return sealing.seal(keys.init, nonce, record.encode(Answer(verdict)), transcript)


def open_verdict(keys: InviteKeys, transcript: bytes, raw: bytes) -> Verdict:
    """What the listener decided. Raises: Forged, Malformed."""
    return record.decode(Answer, sealing.open_sealed(keys.init, raw, transcript), FRAME_BYTES_MAX).verdict


def _text(raw: bytes) -> str:
    return PREFIX + base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")


def _endpoint(text: str) -> Endpoint | None:
    match text.split("/"):
        case ["", "ip4" | "ip6" as family, ip, "tcp", port] if port.isascii() and port.isdecimal() and len(port) <= 5:
            pass
        case _:
            return None
    try:
        parsed = ipaddress.IPv4Address(ip) if family == "ip4" else ipaddress.IPv6Address(ip)
    except ValueError:
        return None
    # A zone ("fe80::1%eth0") is a name of this machine's interface and says nothing elsewhere.
    if "%" in ip or not 0 < int(port) < 65536:
        return None
    return Endpoint(parsed.packed, int(port))
