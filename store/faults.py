"""What a person is told when the database cannot be opened or a contact cannot be written to."""

from typing import ClassVar

from protocol.faults import Unavailable, UserFault


class StoreFault(UserFault, Unavailable):
    """The database cannot be read or written now. Nothing of this was kept or sent; what was kept before is safe."""

    # A UserFault to whoever asked for it, Unavailable to a talk: what came is not acknowledged, and comes again.
    code = "store.failed"
    next = "weft status"
    lasting: ClassVar[str] = "The database cannot be read or written now."  # shown for as long as it is so


class StoreFull(StoreFault):
    """The disk is full, so nothing of this was kept or sent; what was kept before is safe. Make room and try again."""

    code = "store.full"
    next = "df -h"
    lasting = "The disk is full: nothing is sent or taken in until there is room."


class StoreUnwritable(StoreFault):
    """The disk takes no writing (it is read-only, fails, or a quota is used up), so nothing of this was kept or sent;
    what was kept before is safe."""

    code = "store.unwritable"
    next = "df -h"
    lasting = "The disk takes no writing: nothing is sent or taken in until it does."


class StoreDamaged(StoreFault):
    """A part of the database is damaged on the disk, so nothing of this was done and nothing overwritten. Stop the
    node, and put a copy of the profile's directory back, if there is one."""

    code = "store.damaged"
    next = "weft down"
    lasting = "A part of the database is damaged: nothing is sent or taken in; put a copy of the profile back, if any."


class LogDamaged(UserFault):
    """The file weft.db-wal of this profile is damaged; nothing was changed. Put a copy of the profile's directory
    back; without one, move that file away: the node starts without what was written last."""

    code = "store.damaged"
    next = "weft --profile NEW init"


class StoreLocked(UserFault):
    """Another weft node has this profile open; nothing was changed. Stop it first, or use another profile."""

    code = "store.locked"
    next = "weft status"
    exit = 3


class NoSqlCipher(UserFault):
    """This Python has no SQLCipher, so nothing can be kept encrypted, and weft keeps nothing any other way.
    Install the package sqlcipher3 from its own wheel."""

    code = "store.no_sqlcipher"
    next = "pip install --force-reinstall sqlcipher3"


class WrongKey(UserFault):
    """The database does not open with this key: it is damaged, or belongs to another profile. Nothing was changed."""

    code = "store.wrong_key"
    next = "weft --profile NEW init"


class StoreNewer(UserFault):
    """This profile was used by a newer weft. Update weft; nothing was changed."""

    code = "store.newer"
    next = "weft version"


class StoreUnreadable(UserFault):
    """The database cannot be read. Nothing was changed."""

    code = "store.unreadable"
    next = "weft doctor"


class UnknownContact(UserFault):
    """No contact has this name."""

    code = "contact.unknown"
    next = "weft contacts"
    exit = 5


class AmbiguousContact(UserFault):
    """Several contacts begin like this; type more of the name."""

    code = "contact.ambiguous"
    next = "weft contacts"
    exit = 5


class NameTaken(UserFault):
    """Another contact has this name already; nothing was changed."""

    code = "contact.name_taken"
    next = "weft contacts"


class BadName(UserFault):
    """A name is one line of at most 64 bytes without control characters; nothing was changed."""

    code = "limit"
    next = "weft contacts"
    exit = 2


class BadRemark(UserFault):
    """A remark is one line of at most 128 bytes without control characters; nothing was changed."""

    code = "contact.remark"
    next = 'weft remark NAME "from work"'
    exit = 2


class BadTag(UserFault):
    """A tag has 1 to 32 bytes, no commas or control characters, and no # before it; nothing was changed."""

    code = "contact.tag"
    next = "weft tag NAME friends"
    exit = 2


class Blocked(UserFault):
    """This contact is blocked or refused, so nothing is sent."""

    code = "contact.blocked"
    next = "weft contacts"


class AccountChanged(UserFault):
    """This contact has another account than before. Nothing is sent until you have compared or trusted it."""

    code = "contact.account_changed"
    next = "weft contacts"
    exit = 7


class NotYet(UserFault):
    """This account is no contact of yours yet; nothing was done."""

    code = "contact.not_yet"
    next = "weft contacts"
    exit = 2


class UnknownInvitation(UserFault):
    """No living invitation has this id."""

    code = "invitation.unknown"
    next = "weft invite --list"
    exit = 5


class TooManyInvitations(UserFault):
    """There are 256 open invitations already, so none was made; revoke one or wait until one expires."""

    code = "limit"
    next = "weft invite --list"
    exit = 2


class LogFrozen(UserFault):
    """This log has two histories, signed by the same device, so nothing is added to it. It has to be begun anew."""

    code = "log.frozen"
    next = "weft log proofs"


class TabPaused(UserFault):
    """Nothing can be written into this ledger now; nothing was written."""

    code = "ledger.paused"
    next = "weft ledger"
    exit = 1


class BadNote(UserFault):
    """A note has at most 500 bytes of UTF-8; nothing was written."""

    code = "limit"
    next = "weft pay requests"
    exit = 2


class UnknownPayment(UserFault):
    """There is no such payment or request here."""

    code = "payment.unknown"
    next = "weft ledger history"
    exit = 5


class AmbiguousPayment(UserFault):
    """Several payments or requests end so; give more of the id."""

    code = "payment.ambiguous"
    next = "weft ledger history"
    exit = 5
