"""What is wrong with a keeper, as a person reads it. Not here: who notices it (node/keep/), the rows (keepers.py)."""

from protocol.keep import Status

NO_ROOM = 1  # in place of the space that a keeper gives: nothing, since 0 means that it has not said yet
FULL_PERCENT = 95
ANOTHER = "somebody else answers in its place"

REFUSED = "it does not keep for you any more"


def says(status: Status) -> str:
    """The fault of a keeper that answers a claim so."""
    return REFUSED if status is Status.REFUSED else f"it says {status.name}"


def opens_nothing(status: Status) -> str:
    """The fault of a keeper that answers so when it is asked for queues."""
    return "it has no room for more queues" if status is Status.QUOTA else f"it opens no queue: {status.name}"


# What is kept as a fault, and what is said of it.
_SAID = {
    says(Status.FULL): "its disk is full: until there is room it takes nothing and gives nothing out; nothing is lost",
    says(Status.BUSY): "it has too much to do; it is asked again",
    opens_nothing(Status.FULL): "its disk is full: who became your contact since cannot leave anything there",
}
_OF_CONTACT = {ANOTHER: "it knows another permit of yours than this device: it is asked for its offer again"}
_OF_OWN = {
    REFUSED: "its code was used by somebody else, or it was made anew: a code is for one"
    " account; to take it back, weft keeper use CODE",
}
LOST = (
    "it had lost what lay there for you, which is sent again: somebody else has used its code, which is for one"
    " account, or it was put back to an older state"
)


def wrong(fault: str, is_own: bool) -> str:
    """What is said of a fault; "" for none. is_own: whether it is a node of our own."""
    return (_OF_OWN if is_own else _OF_CONTACT).get(fault) or _SAID.get(fault, fault)


def full(size: int, space: int) -> str:
    """That a keeper takes no more; "" where it does. size, space: what it has for us, and may have, 0 while unknown."""
    if space == NO_ROOM or size > space > 0:
        return "its disk has no room: it takes nothing new, and gives out what it has"
    if space and 100 * size >= FULL_PERCENT * space:
        return "it is full: it takes no more until you collect what it has"
    return ""
