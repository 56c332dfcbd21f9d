"""When a silent talk is asked whether its other end still lives, and when it is given up. Pure: told what time it is.

    mail moved, or somebody looks: asked after 8 s of silence, given up after 18
    neither for three minutes:     asked after 150 s, given up 7 s later   (decision 0019)

Not here: the questions themselves, and mail that nobody acknowledges (talk.py).
"""

from dataclasses import dataclass

PING_S = 8.0  # a silent stream is asked after this time by its dialler,
PING_LATER_S = 3.0  # and so much later by its listener, who by then has heard the dialler ask: one asks for both
SILENCE_S = 18.0  # and given up after this: a half-open link is noticed within 20 s
QUIET_PING_S = 150.0  # instead of PING_S where nobody would notice; a home router forgets a link after five minutes
ANSWER_S = 7.0  # what a question leaves for its answer
AWAKE_S = 180.0  # after mail, and after somebody has looked


@dataclass
class Attention:
    """Whether somebody looks at who is there, so that the truth matters to him. Shared by all talks of a node."""

    looked_at: float = float("-inf")

    def is_paid(self, now: float) -> bool:
        """Whether anybody has looked lately."""
        return now < self.looked_at + AWAKE_S


@dataclass
class Silence:
    """What has been heard of the other end of one talk. All times are trio's."""

    attention: Attention
    dialled: bool
    heard_at: float = 0.0
    moved_at: float = 0.0  # mail, in either direction
    asked_at: float = float("-inf")

    def begin(self, now: float) -> None:
        """The other end has said hello."""
        self.heard_at = self.moved_at = now

    def ask(self, now: float) -> None:
        """The other end is asked. Of several questions the first counts, so that asking again defers nothing."""
        if self.asked_at < self.heard_at:
            self.asked_at = now

    def asks_at(self, now: float, is_waiting: bool) -> float:
        """When the other end is to be asked; where it has been asked since it was heard, never."""
        if self.asked_at >= self.heard_at:
            return float("inf")
        is_awake = is_waiting or now < self.moved_at + AWAKE_S or self.attention.is_paid(now)
        return self.heard_at + (PING_S if is_awake else QUIET_PING_S) + (0.0 if self.dialled else PING_LATER_S)

    def ends_at(self) -> float:
        """When the talk is given up unless something is heard; never before the other end was asked."""
        if self.asked_at < self.heard_at:
            return float("inf")
        return max(self.heard_at + SILENCE_S, self.asked_at + ANSWER_S)

    def is_old(self, now: float) -> bool:
        """Whether so long nothing was heard that nobody can say that the other end is there."""
        return now >= self.heard_at + SILENCE_S
