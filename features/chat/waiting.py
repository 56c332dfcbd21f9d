"""Why a line of ours waits, for a person. Not here: when it is on its way, which is asked of the talks (service.py)."""

from collections.abc import Sequence

from features.chat.view import CLOCK_AHEAD_MS_MAX, span
from store.people import Contact, ContactState


def why_queued(contact: Contact, keepers: Sequence[str], now_ms: int) -> str:
    """Why a line for a contact who is not connected waits, and what frees it, in one sentence.

    keepers: the names of those with whom it can be left.
    """
    meets = "it goes when either of you meets"
    if keepers:
        meets += f", or is left with {' or '.join(dict.fromkeys(keepers))}"
    match contact.state:
        case ContactState.ASKED:
            return f"{contact.name} has not answered your invitation yet; it goes when you are contacts"
        case ContactState.WAITING:
            return f"{contact.name} has not accepted your request yet; it goes when you are contacts"
        case _ if contact.seen_ms == 0:
            return f"{contact.name} was never here; {meets}"
        case _ if contact.seen_ms > now_ms + CLOCK_AHEAD_MS_MAX:
            return f"{contact.name} was seen some time ago; {meets}"
        case _:
            ago = span((now_ms - contact.seen_ms) // 1000)
            return f"{contact.name} was last seen {ago} ago; {meets}"
