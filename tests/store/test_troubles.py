"""What happened to our own logs is kept for a person: the newest first, the same one once, the newest 64."""

from protocol.publishing import Trouble
from store import logs, troubles
from store.troubles import KEPT, Noted
from tests.store import log_kit


def test_each_trouble_comes_out_as_it_was_noted() -> None:
    with log_kit.open_tx() as tx:
        for at_ms, what in enumerate(Trouble):
            troubles.note(tx, 7, what, at_ms)
        found = troubles.every(tx)
        assert found == tuple(Noted(7, what, at_ms) for at_ms, what in reversed([*enumerate(Trouble)]))
        assert tx.write_changes() == [(logs.TOPIC, 7)]  # a change is told once


def test_the_same_as_the_last_is_kept_once_with_the_newer_time() -> None:
    with log_kit.open_tx() as tx:
        for at_ms, (log, what) in enumerate(
            ((1, Trouble.OLD_COPY), (1, Trouble.OLD_COPY), (2, Trouble.OLD_COPY), (1, Trouble.OLD_COPY))
        ):
            troubles.note(tx, log, what, at_ms)
        assert troubles.every(tx) == (
            Noted(1, Trouble.OLD_COPY, 3),
            Noted(2, Trouble.OLD_COPY, 2),
            Noted(1, Trouble.OLD_COPY, 1),
        )


def test_the_newest_are_kept() -> None:
    with log_kit.open_tx() as tx:
        for number in range(KEPT + 10):
            troubles.note(tx, number, Trouble.FORKED, number)
        assert [one.log for one in troubles.every(tx)] == [*range(KEPT + 9, 9, -1)]


def test_the_numbers_on_the_disk_keep_their_meaning() -> None:
    with log_kit.open_tx() as tx:
        for log, what in enumerate((Trouble.OLD_COPY, Trouble.TWO_MACHINES, Trouble.FORKED), 1):
            troubles.note(tx, log, what, 0)
        assert tx.all("SELECT log, what FROM log_trouble ORDER BY number") == [(1, 1), (2, 2), (3, 3)]
