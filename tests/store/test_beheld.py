"""A witness's word: whose question gets which time, whose answer is kept, and what floods, liars and strangers get."""

from dataclasses import replace

import pytest

from crypto.faults import Forged
from crypto.keys import SigningKey
from protocol import spine
from protocol.attestation import Beheld, Behold
from protocol.grant import Role
from protocol.spine import Cosignature
from store import beheld, people
from store.beheld import ANSWERS_MAX, KEPT_MS, TooManyAsked
from store.people import STOPS, ContactState
from tests.store.space_kit import Sharers, open_sharers

HIDDEN, ELSE = b"s" * 32, b"o" * 32
SUBJECT, OTHER = spine.hidden_subject(HIDDEN), spine.hidden_subject(ELSE)
STRANGER = SigningKey(bytes(31) + b"s")
DAY_MS = 86_400_000


def ask(two: Sharers, hidden: bytes = HIDDEN) -> Cosignature | None:
    """Ana asks Bo for his word."""
    key = two.bo.mine.device_key
    said = two.hear(lambda tx, arrival: beheld.answer(tx, arrival, key), Behold(hidden))
    assert said is None or isinstance(said, Beheld)
    return None if said is None else said.cosignature


def given(two: Sharers, word: Cosignature) -> None:
    """Ana hears a word from Bo's device."""
    two.hear(beheld.heard, Beheld(word), two.ana)


def words(two: Sharers, time_ms: int = 7, subject: bytes = SUBJECT) -> Cosignature:
    key = two.bo.mine.device_key
    return spine.cosign(key.public, time_ms, subject, key)


# --- a witness


async def test_a_word_is_of_the_device_that_gives_it_at_the_time_of_the_first_question() -> None:
    async with open_sharers() as two:
        device, first_ms = two.bo.mine.device, two.now_ms
        word = ask(two)
        assert word is not None
        assert (word.witness, word.time_ms, word.subject) == (device, first_ms, SUBJECT)
        spine.check_cosignature(word, SUBJECT, (device,))
        for passed_s in (3600, -7200):  # his clock may also be put back
            two.ana.clock.pass_s(passed_s)
            two.bo.clock.ms = two.ana.clock.ms
            assert ask(two) == word
        other = ask(two, ELSE)
        assert other is not None
        assert other.time_ms == first_ms - 3_600_000


async def test_nobody_gets_a_witness_to_sign_an_id_that_he_chose() -> None:
    async with open_sharers() as two:
        own, _ = two.begin("spine", Role.SPINE)
        (one,) = two.write(own, "an entry")
        word = ask(two, one.id)
        assert word is not None
        assert word.subject == spine.hidden_subject(one.id)
        with pytest.raises(Forged):
            spine.check_cosignature(word, one.id, (two.bo.mine.device,))


async def test_a_subject_is_known_for_30_days() -> None:
    async with open_sharers() as two:
        first = ask(two)
        two.ana.clock.ms += KEPT_MS
        assert ask(two) == first
        two.ana.clock.ms += 1
        later = ask(two)
        assert later is not None
        assert later.time_ms == two.now_ms


async def test_200_answers_a_day_and_no_more_be_they_about_the_same_or_not() -> None:
    async with open_sharers() as two:
        two.ana.clock.ms += DAY_MS - two.now_ms % DAY_MS
        for number in range(ANSWERS_MAX):
            ask(two, HIDDEN if number % 2 else number.to_bytes(32, "big"))
        for hidden in (HIDDEN, ELSE):
            with pytest.raises(TooManyAsked):
                ask(two, hidden)
        two.ana.clock.ms += DAY_MS - 1
        with pytest.raises(TooManyAsked):
            ask(two)
        two.ana.clock.ms += 1
        assert ask(two) is not None
        assert two.theirs.all("SELECT count FROM beheld_day") == [(1,)]


@pytest.mark.parametrize("state", [one for one in ContactState if one is not ContactState.ACTIVE])
async def test_who_is_no_contact_gets_no_word(state: ContactState) -> None:
    async with open_sharers() as two:
        people.set_state(two.theirs, two.bo.contact, state, "")
        assert ask(two) is None


async def test_whose_account_is_in_doubt_gets_no_word() -> None:
    async with open_sharers() as two:
        people.set_alarm(two.theirs, two.bo.contact, "recovered")
        assert ask(two) is not None
        people.set_alarm(two.theirs, two.bo.contact, STOPS)
        assert ask(two) is None


# --- who asks


async def test_a_word_that_was_asked_for_is_kept_and_told_and_forgotten() -> None:
    async with open_sharers() as two:
        beheld.asked(two.mine, HIDDEN, two.bo.mine.device)
        assert beheld.word(two.mine, SUBJECT) is None
        word = words(two)
        given(two, word)
        assert beheld.word(two.mine, SUBJECT) == word
        assert beheld.subject_of(two.mine, 1) == SUBJECT
        beheld.asked(two.mine, HIDDEN, two.bo.mine.device)  # once more: what came stays
        given(two, words(two, 6))
        assert beheld.word(two.mine, SUBJECT) == word
        beheld.forget(two.mine, SUBJECT)
        assert (beheld.word(two.mine, SUBJECT), beheld.subject_of(two.mine, 1)) == (None, None)
        given(two, word)
        assert beheld.word(two.mine, SUBJECT) is None


async def test_a_change_is_told_once() -> None:
    async with open_sharers() as two:
        await two.ana.database.transact(beheld.asked, HIDDEN, two.bo.mine.device)
        with two.ana.database.watch(frozenset({beheld.TOPIC})) as changes:
            for _ in range(2):
                await two.ana.database.transact(lambda tx: given(replace(two, mine=tx), words(two)))
            assert changes.receive_nowait() > 0
        assert two.mine.all("SELECT key FROM change WHERE topic = ?", (beheld.TOPIC,)) == [(1,)]


async def test_of_several_witnesses_the_earliest_word_counts() -> None:
    async with open_sharers() as two:
        late = words(two, 9)
        early = spine.cosign(STRANGER.public, 5, SUBJECT, STRANGER)
        for device in (STRANGER.public, two.bo.mine.device):
            beheld.asked(two.mine, HIDDEN, device)
        given(two, late)
        assert beheld.word(two.mine, SUBJECT) == late
        two.mine.execute("UPDATE device SET device = ? WHERE id = ?", (STRANGER.public, two.ana.device))
        given(two, early)
        assert beheld.word(two.mine, SUBJECT) == early


async def test_a_word_that_nobody_asked_this_device_for_is_passed_over() -> None:
    async with open_sharers() as two:
        given(two, words(two))
        beheld.asked(two.mine, HIDDEN, STRANGER.public)  # another than the one that answers
        beheld.asked(two.mine, ELSE, two.bo.mine.device)  # about another thing
        given(two, words(two))
        assert (beheld.word(two.mine, SUBJECT), beheld.word(two.mine, OTHER)) == (None, None)


async def test_a_false_word_is_refused() -> None:
    async with open_sharers() as two:
        good, device, key = words(two), two.bo.mine.device, two.bo.mine.device_key
        for hidden in (HIDDEN, ELSE):
            for asked in (device, STRANGER.public, two.bo.mine.account):
                beheld.asked(two.mine, hidden, asked)
        false = {
            "of his account": spine.cosign(two.bo.mine.account, 7, SUBJECT, key),
            "of another, and good": spine.cosign(STRANGER.public, 7, SUBJECT, STRANGER),
            "signed by another": spine.cosign(device, 7, SUBJECT, STRANGER),
            "another time": Cosignature(device, 6, SUBJECT, good.signature),
            "another subject": Cosignature(device, 7, OTHER, good.signature),
        }
        for name, word in false.items():
            with pytest.raises(Forged):
                given(two, word)
            assert (beheld.word(two.mine, SUBJECT), beheld.word(two.mine, OTHER)) == (None, None), name
        given(two, good)
        assert beheld.word(two.mine, SUBJECT) == good
