"""Makes an identity where there is none: by one program at a time, and whole or not at all.

The file `unfinished` stands meanwhile and names the command, so that after a kill the next one knows what to do again.
Not here: the files (profile.py), what is put into the database (store/identity.py, backup.py).
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from node import keeper_files, profile
from node.profile import Profile
from protocol.faults import UserFault


class KeeperLivesHere(UserFault):
    """This profile is that of a keeper node; nothing was changed. An identity goes into another profile."""

    code = "keeper.profile"
    next = "weft --profile NAME init"
    exit = 1


class BeingMade(UserFault):
    """Another program makes the identity of this profile just now; nothing was changed. Wait until it has ended."""

    code = "profile.making"
    next = "weft status"
    exit = 1


def interrupted(place: Profile) -> str:
    """The command that began to make an identity and did not end, "" for none."""
    if not place.unfinished.exists():
        return ""
    with suppress(OSError):
        if place.unfinished.read_bytes() == profile.RESTORE.encode():
            return profile.RESTORE
    return profile.INIT


def require_none(place: Profile) -> None:
    """Returns when an identity may be made there. Raises: IdentityExists, KeeperLivesHere."""
    if profile.exists(place):
        raise profile.IdentityExists
    if keeper_files.key(place).exists() or keeper_files.database(place).exists():
        raise KeeperLivesHere


@contextmanager
def making(place: Profile) -> Iterator[None]:
    """Around profile.create and all that is to be in the database of a new identity, which is finished at the end.

    Where that fails, nothing of it is left. Raises: IdentityExists, KeeperLivesHere, BeingMade, ProfileUnwritable.
    """
    require_none(place)
    with profile.writing(place):
        place.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ExitStack() as stack:
        try:
            stack.enter_context(profile.locked(place))
        except profile.NodeRuns:
            raise BeingMade from None
        require_none(place)  # somebody may have finished it between the two
        try:
            yield
        except BaseException:
            with suppress(OSError):  # what a failing disk keeps, the next `create` removes
                profile.discard(place)
            raise
        with profile.writing(place):
            profile.finish(place)
