"""Faults of crypto/: what a peer's bytes did wrong.

All of them are PeerFaults: the frame is dropped and nothing else happens (docs/architecture.md, "Faults"). They carry
no bytes of keys or plaintext. What a person asked wrongly is a UserFault, and lives in protocol/faults.py.
"""


class PeerFault(Exception):
    """A peer broke the rules of the protocol; what it sent was dropped."""

    def __str__(self) -> str:
        """What was said when it was raised, else the sentence of its class."""
        return super().__str__() or " ".join((type(self).__doc__ or "").split())


class Malformed(PeerFault):
    """A peer sent bytes that have the wrong shape; they were dropped."""


class Forged(PeerFault):
    """A signature, a seal or a key of a peer does not verify; what it sent was dropped."""


class Expired(PeerFault):
    """A peer used keys whose time is over; it has to fetch new ones."""


class Reflected(PeerFault):
    """A peer sent our own keys back to us; there is nobody at the other end."""


class Unreadable(PeerFault):
    """No session key opens this message: it belongs to another session, or came before what starts its own."""


class TooFarAhead(PeerFault):
    """A message claims that more messages were skipped before it than the session allows."""


class Replayed(PeerFault):
    """This message was received already; the second copy is dropped for good."""


class BodyForged(Forged):
    """A message with a good header has a body that does not open; it must be sealed anew by its sender."""


class Paused(PeerFault):
    """Too many messages of this session failed in a short time; it opens nothing for ten minutes."""
