"""What a node knows of its relays and of how it is reached, for status and doctor: records without verbs.

Light to import: no libp2p.
"""

from dataclasses import dataclass
from enum import StrEnum

from node.network import Address, PeerId


@dataclass(frozen=True, slots=True)
class Reserved:
    """A relay through which others reach us. until_s: Unix time; address: ours there."""

    relay: PeerId
    address: Address
    until_s: int


@dataclass(frozen=True, slots=True)
class Load:
    """What is made of the relay that we offer, beside what is allowed."""

    is_on: bool
    reservations: int
    reservations_max: int
    circuits: int
    circuits_max: int
    bytes_today: int
    day_bytes_max: int


class Reach(StrEnum):
    """Whether others can dial us."""

    PUBLIC = "public"
    BEHIND_NAT = "behind NAT"
    UNKNOWN = "unknown"


class Mapping(StrEnum):
    """What a NAT makes of the port from which we dial."""

    NONE = "no NAT"
    KEPT = "one port for all, the same as inside"
    ONE = "one port for all"
    MANY = "another port for each peer"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Reachability:
    """A verdict with its reason. public: where we can be dialled from outside; observed: where others see us."""

    reach: Reach
    reason: str
    mapping: Mapping
    public: Address | None = None
    observed: Address | None = None


@dataclass(frozen=True, slots=True)
class Punches:
    """How hole punching went since the start. last: why it failed last, "" when it did not."""

    succeeded: int
    failed: int
    last: str
