"""What the system says of its interfaces, put right where it says too little."""

from ipaddress import IPv4Address

import pytest

from node.interfaces import broadcast_of


@pytest.mark.parametrize(
    ("netmask", "told", "broadcast"),
    [
        ("255.255.255.0", "10.66.0.255", "10.66.0.255"),
        ("255.255.255.0", "10.66.0.127", "10.66.0.127"),  # set by hand
        ("255.255.255.0", "10.66.0.1", "10.66.0.255"),  # not set: Linux says the address itself
        (None, "10.66.0.255", "10.66.0.255"),
        ("255.255.255.254", "10.66.0.1", None),
        ("255.255.255.255", "10.66.0.1", None),
        ("255.0.0.0", None, None),
    ],
)
def test_a_broadcast_goes_to_the_subnet_and_not_to_ourselves(
    netmask: str | None, told: str | None, broadcast: str | None
) -> None:
    expected = None if broadcast is None else IPv4Address(broadcast)
    assert broadcast_of("10.66.0.1", netmask, told) == expected
