"""What is sealed inside a record: presence, account, invitation, handle; and how each refuses another's."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto import sealing
from crypto.faults import Forged, Malformed
from protocol import account_record, handle_record, identity, invitation_record, invite, presence_record, record
from protocol import rendezvous as form
from protocol.handle_record import BadHandle, Claim
from protocol.ids import AccountId
from protocol.presence_record import Presence, Whereabouts
from tests.protocol import meetings
from tests.protocol.circle import DAY_S, NOW_S, someone
from tests.protocol.meetings import ADDRESSES, ANA, BUNDLE, CHEAP, EPOCH, EVE, PEER, PRESENCE, SECRET

GOLDEN = Path(__file__).parents[1] / "golden" / "protocol_rendezvous.json"
PAGE = Path(__file__).parents[2] / "docs" / "protocol" / "rendezvous.md"
MINE = meetings.whereabouts()

texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=192)
lines = st.builds(
    Whereabouts,
    st.sampled_from([someone(f"device {n}").device for n in range(10)]),
    st.just(PEER),
    st.lists(texts, max_size=8).map(tuple),
    st.integers(NOW_S - 2 * presence_record.FRESH_S, NOW_S + 2 * presence_record.FRESH_S),
)


# --- presence


@given(lines, st.lists(lines, min_size=1, max_size=8).map(tuple))
def test_a_merge_keeps_mine_and_what_the_others_said_lately_and_fits(
    mine: Whereabouts, before: tuple[Whereabouts, ...]
) -> None:
    merged = presence_record.merge(mine, Presence(before), NOW_S)
    assert form.fits(merged)
    first, *others = merged.devices
    assert (first.device, first.peer, first.said_s) == (mine.device, mine.peer, mine.said_s)
    assert first.addresses == mine.addresses[: len(first.addresses)]
    assert mine.device not in {one.device for one in others}
    newest: dict[bytes, int] = {}
    for one in before:
        if one.device != mine.device and abs(one.said_s - NOW_S) <= presence_record.FRESH_S:
            newest[one.device] = max(newest.get(one.device, 0), one.said_s)
    kept = sorted(newest.values(), reverse=True)[: identity.DEVICES_MAX - 1]
    assert [one.said_s for one in others] == kept


def test_a_ninth_device_takes_the_place_of_the_one_that_was_silent_longest() -> None:
    others = tuple(Whereabouts(someone(f"d{n}").device, PEER, (), NOW_S - n) for n in range(8))
    assert presence_record.merge(MINE, Presence(others), NOW_S).devices == (MINE, *others[:7])


def test_one_device_with_all_its_usual_addresses_fits_the_small_size() -> None:
    direct = tuple(f"/ip6/2001:db8:1111:2222:3333:4444:5555:{n}/tcp/47474" for n in range(8))
    assert len(record.encode(presence_record.merge(replace(MINE, addresses=direct), None, NOW_S))) < 760


def test_what_does_not_fit_is_left_out_from_the_far_end() -> None:
    far = tuple(f"{n}" + "x" * 191 for n in range(8))
    others = tuple(Whereabouts(someone(f"d{n}").device, PEER, far, NOW_S) for n in range(7))
    merged = presence_record.merge(replace(MINE, addresses=ADDRESSES), Presence(others), NOW_S)
    assert len(merged.devices) == 8
    assert merged.devices[0].addresses == ADDRESSES  # the short line pays nothing
    assert {len(one.addresses) for one in merged.devices[1:]} <= {2, 3}


def test_a_contact_opens_what_a_device_published() -> None:
    lying = meetings.presence()
    keys = presence_record.keys_of(PRESENCE, EPOCH)
    said, sequence = presence_record.open_sealed(keys, lying.raw, NOW_S)
    assert said == Presence((MINE,))
    assert sequence == meetings.SEQUENCE
    with pytest.raises(Forged):
        presence_record.open_sealed(presence_record.keys_of(b"q" * 32, EPOCH), lying.raw, NOW_S)
    with pytest.raises(Forged):
        presence_record.open_sealed(presence_record.keys_of(PRESENCE, EPOCH + 1), lying.raw, NOW_S)


# --- accounts


def test_a_stranger_finds_the_link_by_the_account_id_alone() -> None:
    lying = meetings.account()
    assert lying.key == form.dht_key(account_record.name_of(ANA.account, EPOCH))
    found = account_record.open_sealed(ANA.account, EPOCH, lying.raw, NOW_S)
    assert (found.link, found.peer, found.addresses) == (meetings.link(), PEER, ADDRESSES)


def test_days_are_certified_ahead_and_each_signer_serves_its_own_day() -> None:
    ahead = EPOCH + account_record.CERTIFIED_DAYS
    lying = meetings.account(ahead)
    found = account_record.open_sealed(ANA.account, ahead, lying.raw, NOW_S + account_record.CERTIFIED_DAYS * DAY_S)
    assert found.link.account == ANA.account
    with pytest.raises(Forged):
        account_record.open_sealed(ANA.account, EPOCH, lying.raw, NOW_S)


@pytest.mark.parametrize("link", [meetings.link(EVE), meetings.link(long_term=False)], ids=["another's", "one-time"])
def test_a_link_of_another_account_or_kind_is_forged(link: invite.Link) -> None:
    with pytest.raises(Forged):
        account_record.open_sealed(ANA.account, EPOCH, meetings.account(said=meetings.findable(link)).raw, NOW_S)


@pytest.mark.parametrize("at", [0, 1])
def test_what_is_no_link_is_malformed(at: int) -> None:
    raw = bytearray(meetings.findable().link)
    raw[at] = 14
    with pytest.raises(Malformed):
        account_record.open_sealed(
            ANA.account, EPOCH, meetings.account(said=replace(meetings.findable(), link=bytes(raw))).raw, NOW_S
        )


def test_a_record_of_another_account_is_forged() -> None:
    with pytest.raises(Forged):
        account_record.open_sealed(ANA.account, EPOCH, meetings.account(of=EVE).raw, NOW_S)


def test_a_key_that_the_account_did_not_certify_is_forged() -> None:
    lying, other = meetings.account(), meetings.account(of=EVE)
    theirs = record.decode(form.Record, other.raw, 4096)
    taken = meetings.resigned(other, name=lying.signer.name, certificate=theirs.certificate)
    with pytest.raises(Forged):
        form.check(lying.key, taken, NOW_S)


def test_an_id_that_is_no_key_is_forged() -> None:
    with pytest.raises(Forged):
        account_record.name_of(AccountId(bytes(32)), EPOCH)


# --- invitations


def test_the_bundle_is_the_same_and_checked_and_fits_with_its_one_time_set() -> None:
    keys = invitation_record.keys_of(invite.InviteKeys.of(SECRET), EPOCH)
    said = invitation_record.open_sealed(keys, meetings.invited().raw, ANA.account, NOW_S)
    assert record.encode(said.bundle) == record.encode(BUNDLE)
    assert (said.peer, said.addresses) == (PEER, ADDRESSES)
    far = tuple(f"{n}" + "x" * 191 for n in range(8))
    crowded = meetings.invited(addresses=far)
    assert len(crowded.raw) <= 4096
    fitting = invitation_record.open_sealed(keys, crowded.raw, ANA.account, NOW_S).addresses
    assert len(fitting) >= 3
    assert fitting == far[: len(fitting)]


def test_a_bundle_of_another_account_is_forged() -> None:
    keys = invitation_record.keys_of(invite.InviteKeys.of(SECRET), EPOCH)
    with pytest.raises(Forged):
        invitation_record.open_sealed(
            keys, meetings.invited(bundle=EVE.bundle(EVE.one_time()), of=EVE).raw, ANA.account, NOW_S
        )


@pytest.mark.parametrize(
    "changed",
    [{"peer": b"x" * 32}, {"addresses": ("/ip4/203.0.113.9/tcp/1",)}, {"addresses": ()}, {"signature": bytes(64)}],
)
def test_who_has_the_link_can_send_nobody_to_another_place(changed: dict[str, Any]) -> None:
    keys = invitation_record.keys_of(invite.InviteKeys.of(SECRET), EPOCH)
    said = invitation_record.open_sealed(keys, meetings.invited().raw, ANA.account, NOW_S)
    signer = form.appoint(keys.name, EPOCH, bytes(32))
    lying = invitation_record.seal(signer, keys, replace(said, **changed), meetings.SEQUENCE, bytes(24))
    with pytest.raises(Forged):
        invitation_record.open_sealed(keys, lying, ANA.account, NOW_S)


def test_where_the_maker_was_yesterday_is_signed_for_yesterday_alone() -> None:
    keys, before = (invitation_record.keys_of(invite.InviteKeys.of(SECRET), EPOCH - n) for n in (0, 1))
    said = invitation_record.answer(before, ANA.device_key, BUNDLE, PEER, ADDRESSES)
    raw = invitation_record.seal(form.appoint(keys.name, EPOCH, bytes(32)), keys, said, meetings.SEQUENCE, bytes(24))
    with pytest.raises(Forged):
        invitation_record.open_sealed(keys, raw, ANA.account, NOW_S)


def test_a_bundle_whose_time_is_over_is_refused() -> None:
    keys = invitation_record.keys_of(invite.InviteKeys.of(SECRET), EPOCH)
    over = meetings.invited(bundle=ANA.bundle(ANA.one_time(), NOW_S - 1))
    with pytest.raises(identity.BundleOver):
        invitation_record.open_sealed(keys, over.raw, ANA.account, NOW_S)


# --- handles


@pytest.mark.parametrize("typed", ["Ana@Example.org", " ana@example.org\t", "ＡＮＡ@example.ORG"])
def test_a_handle_is_found_however_it_is_typed(typed: str) -> None:
    assert handle_record.normalised(typed) == "ana@example.org"


@pytest.mark.parametrize("typed", ["", "  ", "ab", "x" * 65, "a\nb c", "a\u202eb", "ab\ud800"])
def test_what_is_no_handle_is_refused(typed: str) -> None:
    with pytest.raises(BadHandle):
        handle_record.normalised(typed)


@given(st.text(max_size=30))
def test_normalising_twice_changes_nothing(typed: str) -> None:
    try:
        once = handle_record.normalised(typed)
    except BadHandle:
        return
    assert handle_record.normalised(once) == once


def test_a_claim_is_found_in_its_slot_and_in_no_other() -> None:
    lying, month = meetings.claim(), handle_record.month_of(EPOCH)
    stretched = handle_record.stretch("ana@example.org", month, CHEAP)
    slot = handle_record.slot_of(ANA.account, month)
    assert handle_record.open_sealed(handle_record.keys_of(stretched, slot, EPOCH), lying.raw, NOW_S) == Claim(
        ANA.account, "Ana"
    )
    names = {handle_record.keys_of(stretched, n, EPOCH).name.public for n in range(handle_record.SLOTS)}
    assert len(names) == handle_record.SLOTS
    with pytest.raises(Forged):
        handle_record.open_sealed(handle_record.keys_of(stretched, (slot + 1) % 8, EPOCH), lying.raw, NOW_S)


def test_another_month_is_another_key() -> None:
    month = handle_record.month_of(EPOCH)
    assert handle_record.stretch("ana", month, CHEAP) != handle_record.stretch("ana", month + 1, CHEAP)


# --- who takes one kind for another


@pytest.mark.parametrize("cls", [account_record.Findable, invitation_record.Invited, handle_record.Claim])
def test_a_content_of_another_kind_is_malformed(cls: type) -> None:
    lying = meetings.presence()
    with pytest.raises(Malformed):
        form.open_sealed(form.check(lying.key, lying.raw, NOW_S), lying.seal, cls)


@pytest.mark.parametrize("padded", [bytes(760), b"\x80" + bytes(3831), b"\x01" * 760])
def test_a_padding_that_no_honest_weft_writes_is_malformed(padded: bytes) -> None:
    lying = meetings.presence()
    found = form.check(lying.key, lying.raw, NOW_S)
    ad = found.name + found.sequence.to_bytes(8, "big") + found.expiry_s.to_bytes(4, "big")
    raw = meetings.resigned(lying, sealed=sealing.seal(lying.seal, bytes(24), padded, ad))
    with pytest.raises(Malformed):
        form.open_sealed(form.check(lying.key, raw, NOW_S), lying.seal, Presence)


# --- vectors


def vectors() -> dict[str, Any]:
    stretched = handle_record.stretch("ana@example.org", handle_record.month_of(EPOCH), CHEAP)
    return {
        "epoch": EPOCH,
        "presence key": PRESENCE.hex(),
        "presence name": presence_record.keys_of(PRESENCE, EPOCH).name.public.hex(),
        "presence seal": presence_record.keys_of(PRESENCE, EPOCH).seal.hex(),
        "account": ANA.account.hex(),
        "account name": account_record.name_of(ANA.account, EPOCH).hex(),
        "link secret": SECRET.hex(),
        "invitation name": invitation_record.keys_of(invite.InviteKeys.of(SECRET), EPOCH).name.public.hex(),
        "handle, 8 MiB, 1 pass": stretched.hex(),
        "handle slot": handle_record.slot_of(ANA.account, handle_record.month_of(EPOCH)),
        "handle name, slot 0": handle_record.keys_of(stretched, 0, EPOCH).name.public.hex(),
        **{f"record of {kind}": make().raw.hex() for kind, make in meetings.KINDS.items()},
    }


def test_vectors_are_what_they_were_and_stand_in_the_page() -> None:
    assert vectors() == json.loads(GOLDEN.read_text())
    page = PAGE.read_text()
    for name, value in vectors().items():
        assert name.startswith("record of") or f"| {name} | {value} |" in page


if __name__ == "__main__":  # writes the vectors; run only when the law has changed
    GOLDEN.write_text(json.dumps(vectors(), indent=1) + "\n")
    print("\n".join(f"| {n} | {v} |" for n, v in vectors().items() if not n.startswith("record of")))
