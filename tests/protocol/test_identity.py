"""Certificates, lists, bundles, cards: every check, made to fail by one change (cases 2, 4, 7, 32, 33, 35, 39)."""

from dataclasses import replace
from typing import Any

import pytest

from crypto.faults import Expired, Forged, Malformed, PeerFault
from crypto.keys import KemKey
from protocol import identity
from protocol.faults import OverLimit
from protocol.identity import Certificate, DeviceList, Revocation, Standing
from tests.protocol.circle import DAY_S, NOW_S, YEAR_S, Someone, someone

ANA, BO = someone("ana"), someone("bo")
BUNDLE = ANA.bundle(ANA.one_time())


def lists_of(person: Someone, count: int) -> tuple[DeviceList, ...]:
    """A chain of lists of one device, oldest first."""
    chain = [person.devices]
    for day in range(1, count):
        chain.append(identity.next_list(person.account_key, chain[-1], (person.certificate,), (), NOW_S + day))
    return tuple(chain)


def test_what_ana_signs_is_good() -> None:
    identity.check_certificate(ANA.certificate, ANA.account, NOW_S)
    identity.check_list(ANA.devices, ANA.account)
    identity.check_listed(ANA.certificate, ANA.devices, NOW_S)
    identity.check_bundle(BUNDLE, ANA.account, NOW_S, ANA.devices)
    identity.check_bundle(ANA.bundle(), ANA.account, NOW_S, None)
    identity.check_card(ANA.card(), ANA.account, ANA.device, NOW_S)


# --- certificates (case 2, 33)


@pytest.mark.parametrize("account", [ANA.account, BO.account])
def test_case_2_a_certificate_signed_by_another_account_is_forged(account: Any) -> None:
    forged = identity.certify(BO.account_key, ANA.device, ANA.identity_key.public, 1, NOW_S, NOW_S + YEAR_S)
    with pytest.raises(Forged):
        identity.check_certificate(replace(forged, account=ANA.account), account, NOW_S)
    with pytest.raises(Forged):
        identity.check_certificate(forged, ANA.account, NOW_S)


CHANGED_CERTIFICATES: tuple[dict[str, Any], ...] = (
    {"account": BO.account},
    {"device": BO.device},
    {"identity": BO.identity_key.public},
    {"serial": 2},
    {"not_before_s": 0},
    {"not_after_s": NOW_S + 2 * YEAR_S},
    {"signature": bytes(64)},
    {"signature": BO.certificate.signature},
)


@pytest.mark.parametrize("changed", CHANGED_CERTIFICATES, ids=lambda c: next(iter(c)))
def test_case_2_a_certificate_with_one_changed_field_is_forged(changed: dict[str, Any]) -> None:
    certificate = replace(ANA.certificate, **changed)
    for account in (ANA.account, BO.account):
        with pytest.raises(Forged):
            identity.check_certificate(certificate, account, NOW_S)


def test_a_certificate_has_a_time() -> None:
    begun, over = ANA.certificate.not_before_s, ANA.certificate.not_after_s
    for good_s in (begun, begun - 3600, over):
        identity.check_certificate(ANA.certificate, ANA.account, good_s)
    for bad_s in (begun - 3601, over + 1, 0):
        with pytest.raises(Expired):
            identity.check_certificate(ANA.certificate, ANA.account, bad_s)


# --- lists (case 32)


CHANGED_LISTS: tuple[dict[str, Any], ...] = (
    {"epoch": 2, "previous": bytes(32)},
    {"certificates": (bytes(32),)},
    {"revoked": (Revocation(bytes(32), NOW_S, 0),)},
    {"time_s": NOW_S + 1},
    {"recovered": 1},
    {"signature": bytes(64)},
    {"account": BO.account},
)


@pytest.mark.parametrize("changed", CHANGED_LISTS, ids=lambda c: next(iter(c)))
def test_a_list_with_one_changed_field_is_forged(changed: dict[str, Any]) -> None:
    with pytest.raises(Forged):
        identity.check_list(replace(ANA.devices, **changed), ANA.account)
    with pytest.raises(Forged):
        identity.follow(ANA.devices, (ANA.devices, replace(ANA.devices, **changed)))


def test_a_list_must_not_contradict_itself() -> None:
    other = ANA.certify(2)
    twice = identity.first_list(ANA.account_key, (ANA.certificate, ANA.certificate), NOW_S)
    void = Revocation(identity.certificate_hash(other), NOW_S, 1)
    both = identity.next_list(ANA.account_key, ANA.devices, (ANA.certificate, other), (void,), NOW_S)
    for bad in (twice, both):
        with pytest.raises(Malformed):
            identity.check_list(bad, ANA.account)


def test_a_list_has_at_most_eight_devices_and_the_newest_sixteen_revocations() -> None:
    certificates = tuple(ANA.certify(serial) for serial in range(9))
    assert len(identity.first_list(ANA.account_key, certificates[:8], NOW_S).certificates) == 8
    for wrong in ((), certificates):
        with pytest.raises(OverLimit):
            identity.first_list(ANA.account_key, wrong, NOW_S)
    devices = ANA.devices
    for at in range(20):
        lost = Revocation(at.to_bytes(32, "big"), NOW_S + at, 1)
        devices = identity.next_list(ANA.account_key, devices, (ANA.certificate,), (lost,), NOW_S + at)
        identity.check_list(devices, ANA.account)
    assert [r.at_s - NOW_S for r in devices.revoked] == list(range(4, 20))


def test_lists_that_chain_are_followed() -> None:
    chain = lists_of(ANA, 9)
    pinned = chain[2]
    assert identity.follow(pinned, (pinned,)) is Standing.SAME
    assert identity.follow(pinned, chain[1:3]) is Standing.SAME
    assert identity.follow(pinned, chain[2:4]) is Standing.NEWER
    assert identity.follow(pinned, (chain[3],)) is Standing.NEWER
    assert identity.follow(pinned, chain[1:]) is Standing.NEWER


def test_case_32_an_older_list_is_a_rollback() -> None:
    chain = lists_of(ANA, 4)
    for shown in (chain[:1], chain[:3], chain[1:3]):
        with pytest.raises(identity.ListRolledBack):
            identity.follow(chain[3], shown)


def test_case_32_another_list_of_the_same_epoch_is_a_fork() -> None:
    first, second, third = lists_of(ANA, 3)
    other = identity.next_list(ANA.account_key, first, (ANA.certificate,), (), NOW_S + 77)
    after_other = identity.next_list(ANA.account_key, other, (ANA.certificate,), (), NOW_S + 78)
    for shown in ((other,), (first, other), (other, after_other)):
        with pytest.raises(identity.ListForked):
            identity.follow(second, shown)
    with pytest.raises(identity.ListForked):
        identity.follow(third, (first, other, after_other))


def test_case_32_a_gap_or_a_wrong_order_breaks_the_chain() -> None:
    chain = lists_of(ANA, 6)
    first, second, third, fourth, *_ = chain
    other = identity.next_list(ANA.account_key, first, (ANA.certificate,), (), NOW_S + 77)
    after_other = identity.next_list(ANA.account_key, other, (ANA.certificate,), (), NOW_S + 78)
    cases: tuple[tuple[DeviceList, tuple[DeviceList, ...]], ...] = (
        (first, (third,)),  # a gap
        (second, (after_other,)),  # chains to another second
        (first, (second, fourth)),
        (first, (third, second)),
        (fourth, (fourth, third)),
        (fourth, (fourth, fourth)),
    )
    for pinned, shown in cases:
        with pytest.raises(identity.ListBroken):
            identity.follow(pinned, shown)
    for none_or_too_many in ((), (*chain, *chain)):
        with pytest.raises(Malformed):
            identity.follow(first, none_or_too_many)


def test_a_list_of_another_account_is_forged() -> None:
    with pytest.raises(Forged):
        identity.follow(ANA.devices, (BO.devices,))


def test_a_list_made_from_the_words_alone_is_taken_and_told() -> None:
    chain = lists_of(ANA, 5)
    recovered = identity.recovered_list(ANA.account_key, None, (ANA.certify(9),), NOW_S + DAY_S)
    identity.check_list(recovered, ANA.account)
    after = identity.next_list(ANA.account_key, recovered, (ANA.certify(9),), (), NOW_S + 2 * DAY_S)
    for shown in ((recovered,), (recovered, after), (chain[4], recovered)):
        assert identity.follow(chain[4], shown) is Standing.RECOVERED
    assert identity.follow(recovered, (recovered, after)) is Standing.NEWER
    # What was revoked by a recovery, or after it, does not come back by showing an older list.
    for pinned, shown in ((after, (recovered,)), (recovered, (chain[4],)), (after, (chain[4],))):
        with pytest.raises(identity.ListRolledBack):
            identity.follow(pinned, shown)
    again = identity.recovered_list(ANA.account_key, None, (ANA.certify(10),), NOW_S + 3 * DAY_S)
    assert identity.follow(after, (again,)) is Standing.RECOVERED


# --- listed or not (case 33, 39)


def test_a_device_that_is_not_listed_or_revoked_is_nobody() -> None:
    second = ANA.certify(2)
    with pytest.raises(identity.NotListed):
        identity.check_listed(second, ANA.devices, NOW_S)
    lost = Revocation(identity.certificate_hash(ANA.certificate), NOW_S, 1)
    newest = identity.next_list(ANA.account_key, ANA.devices, (second,), (lost,), NOW_S)
    identity.check_listed(second, newest, NOW_S)
    with pytest.raises(identity.Revoked):
        identity.check_listed(ANA.certificate, newest, NOW_S)
    with pytest.raises(identity.Revoked):
        identity.check_bundle(BUNDLE, ANA.account, NOW_S, newest)
    with pytest.raises(identity.Revoked):
        identity.check_card(replace(ANA.card(), devices=newest), ANA.account, ANA.device, NOW_S)


def test_case_33_a_device_without_the_accounts_signature_is_nobody() -> None:
    unsigned = Certificate(ANA.account, BO.device, BO.identity_key.public, 3, NOW_S, NOW_S + YEAR_S, bytes(64))
    listed = identity.next_list(ANA.account_key, ANA.devices, (ANA.certificate, unsigned), (), NOW_S)
    with pytest.raises(Forged):
        identity.check_listed(unsigned, listed, NOW_S)


# --- bundles (cases 4, 7)


OTHER = someone("other")
CHANGED_BUNDLES: dict[str, dict[str, Any]] = {
    "signed prekey": {"signed": OTHER.signed.public},
    "signed number": {"signed_number": 2},
    "KEM key": {"kem": OTHER.kem.public},
    "KEM number": {"kem_number": 2},
    "certificate of another device": {"certificate": OTHER.certificate},
    "list hash": {"list_hash": bytes(32)},
    "not after": {"not_after_s": BUNDLE.not_after_s + 1},
    "signature": {"signature": bytes(64)},
    "one-time set of another device": {"one_time": OTHER.one_time()},
    "one-time key": {"one_time": replace(ANA.one_time(), key=OTHER.signed.public)},
    "one-time KEM key": {"one_time": replace(ANA.one_time(), kem=OTHER.kem.public)},
    "one-time number": {"one_time": replace(ANA.one_time(), number=8)},
}


@pytest.mark.parametrize("changed", CHANGED_BUNDLES.values(), ids=CHANGED_BUNDLES)
def test_case_4_a_bundle_with_one_changed_field_is_forged(changed: dict[str, Any]) -> None:
    with pytest.raises(Forged):
        identity.check_bundle(replace(BUNDLE, **changed), ANA.account, NOW_S, ANA.devices)


def test_case_4_a_bundle_with_another_certificate_of_the_same_device_is_forged() -> None:
    swapped = replace(BUNDLE, certificate=ANA.certify(2))
    with pytest.raises(Forged):
        identity.check_bundle(swapped, ANA.account, NOW_S, None)


def test_case_4_a_bundle_of_another_account_is_forged() -> None:
    with pytest.raises(Forged):
        identity.check_bundle(OTHER.bundle(), ANA.account, NOW_S, None)


def test_case_4_a_bundle_made_under_another_list_is_stale() -> None:
    newest = identity.next_list(ANA.account_key, ANA.devices, (ANA.certificate,), (), NOW_S)
    with pytest.raises(identity.StaleList):
        identity.check_bundle(BUNDLE, ANA.account, NOW_S, newest)


def test_case_7_a_bundle_has_an_end_and_a_longest_life() -> None:
    longest_s = NOW_S + 14 * DAY_S + 3600
    for good_s in (NOW_S, NOW_S + 14 * DAY_S, longest_s):
        identity.check_bundle(ANA.bundle(None, good_s), ANA.account, NOW_S, ANA.devices)
    for bad_s, fault in ((NOW_S - 1, Expired), (longest_s + 1, identity.TooLongLived), (0, Expired)):
        with pytest.raises(fault):
            identity.check_bundle(ANA.bundle(None, bad_s), ANA.account, NOW_S, ANA.devices)


def test_one_bundle_serves_with_and_without_its_one_time_set() -> None:
    identity.check_bundle(replace(BUNDLE, one_time=None), ANA.account, NOW_S, ANA.devices)
    other_set = identity.make_one_time(ANA.device_key, 8, OTHER.signed.public, KemKey(bytes(64)).public)
    identity.check_bundle(replace(BUNDLE, one_time=other_set), ANA.account, NOW_S, ANA.devices)


# --- cards (case 35: ids swapped)


CARD = ANA.card()


@pytest.mark.parametrize(
    "card",
    [
        replace(CARD, account=BO.account),
        replace(CARD, certificate=BO.certificate),
        replace(CARD, devices=BO.devices),
        replace(CARD, account=BO.account, devices=BO.devices),
        replace(CARD, certificate=ANA.certify(2)),
        BO.card(),
    ],
)
def test_case_35_a_card_that_does_not_belong_to_its_session_is_refused(card: identity.Card) -> None:
    with pytest.raises(PeerFault):
        identity.check_card(card, ANA.account, ANA.device, NOW_S)


@pytest.mark.parametrize(("account", "device"), [(ANA.device, ANA.account), (ANA.account, BO.device)])
def test_case_35_account_and_device_ids_are_not_taken_for_each_other(account: Any, device: Any) -> None:
    with pytest.raises(Forged):
        identity.check_card(CARD, account, device, NOW_S)


@pytest.mark.parametrize("name", ["", "x" * 65, "字" * 22, "A\nB", " A", "\x1b]0;owned\x07"])
def test_a_name_is_one_printable_line_of_64_bytes(name: str) -> None:
    with pytest.raises(OverLimit):
        ANA.card(name)
    ANA.card("x" * 64)
