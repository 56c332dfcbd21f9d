"""An author, his anchor and a reader exchange sessions and mail in any order; the author's disk is set back at will.

Mail is lost, comes twice, late, and in another order. In the end all hold the same entries, and nobody was accused.
"""

from contextlib import ExitStack

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from store import carrying, entries, logs
from tests import depth
from tests.store import mail_kit
from tests.store.mail_kit import Letter, Person

ALL = 1 << 30


class Lives(RuleBasedStateMachine):
    """What may happen to three people and one log."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.ana, self.bo, self.cy = self.people = self.stack.enter_context(mail_kit.open_people("ana", "bo", "cy"))
        self.own = self.ana.begin(self.bo, self.cy)
        self.mail: list[Letter] = []
        self.count = 0
        self.ana.tx.execute("SAVEPOINT kept")

    @rule(count=st.integers(1, 3))
    def write(self, count: int) -> None:
        self.count += count
        self.ana.write(self.own, *(f"{self.count} {at}" for at in range(count)))

    @rule()
    def look(self) -> None:
        """The author's carrier looks what is due, and everybody answers."""
        self.ana.regain()
        self.mail += self.ana.carry()
        for one in self.people:
            self.mail += one.answer()

    @precondition(lambda self: self.mail)
    @rule(place=st.integers(0, 7), is_kept=st.booleans())
    def deliver(self, place: int, is_kept: bool) -> None:
        """Any of the oldest letters comes, and perhaps once more later."""
        place %= len(self.mail)
        letter = self.mail[place] if is_kept else self.mail.pop(place)
        mail_kit.post([letter], *self.people)

    @precondition(lambda self: self.mail)
    @rule(place=st.integers(0, 7))
    def lose(self, place: int) -> None:
        self.mail.pop(place % len(self.mail))

    @rule()
    def post_all(self) -> None:
        """A good day for mail."""
        self.look()
        mail_kit.post(self.mail, *self.people)
        self.mail.clear()

    @rule()
    def keep_disk(self) -> None:
        self.ana.tx.execute("RELEASE kept")
        self.ana.tx.execute("SAVEPOINT kept")

    @rule()
    def set_back(self) -> None:
        self.ana.tx.execute("ROLLBACK TO kept")

    @rule()
    def meet_anchor(self) -> None:
        """A stream: the anchor says what he holds, the author takes it in, and shows him all."""
        self.ana.take(self.own, self._held(self.bo))
        self.bo.take(self.own, self._held(self.ana))
        if self.bo.log(self.own) is not None:
            head = entries.head(self.ana.tx, self.own.log.number)
            count = 0 if head is None else head.seq + 1
            logs.publish(self.ana.tx, self.own.log.number, count - 1)
            carrying.known(self.ana.tx, self.own.log.number, self.ana.known["bo"][0], count)

    @rule()
    def meet_reader(self) -> None:
        """A stream to the reader: each gives the other what he has of what is published."""
        self.ana.take(self.own, self._held(self.cy))
        published = logs.log(self.ana.tx, self.own.log.number).published
        self.cy.take(self.own, self._held(self.ana)[: published + 1])

    @rule()
    def readers_meet(self) -> None:
        self.cy.take(self.own, self._held(self.bo))
        self.bo.take(self.own, self._held(self.cy))

    @rule(days=st.sampled_from((0.1, 1.0, 31.0)))
    def wait(self, days: float) -> None:
        self.ana.clock.ms += int(days * 86_400_000)

    @invariant()
    def nobody_is_accused(self) -> None:
        assert [one.accused() for one in self.people] == [False] * 3

    def teardown(self) -> None:
        try:
            mail_kit.settle(*self.people)
            self.ana.write(self.own, "the last")  # who was set back learns it when he has something to say
            mail_kit.settle(*self.people)
            assert self.bo.raws(self.own) == self.cy.raws(self.own) == self.ana.raws(self.own) != ()
            self.nobody_is_accused()
            assert logs.log(self.ana.tx, self.own.log.number).state is logs.State.OK
        finally:
            self.stack.close()

    def _held(self, person: Person) -> tuple[entries.Held, ...]:
        one = person.log(self.own)
        return () if one is None else entries.read(person.tx, one.log.number, 0, ALL, ALL)


Lives.TestCase.settings = settings(max_examples=2 * depth.EXAMPLES, stateful_step_count=30, deadline=None)
TestLives = Lives.TestCase
