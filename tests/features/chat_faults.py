"""The faults of what is kept of conversations: met together with all others of the room, in test_chat.py."""

from features.chat.content import TEXT_BYTES_MAX
from tests.features.kit import Faults

OF_A_CHAT = ("pin", "unpin", "mute", "unmute", "archive", "unarchive", "draft", "starred", "timer", "typing", "pins")


async def met_when_keeping(faults: Faults) -> None:
    """Of one who has two contacts that begin with `bo`, one of them bobby, and two messages that end with 0000."""
    for method in OF_A_CHAT:
        named = "contact" if method == "starred" else "to"
        assert await faults.code(f"chat.{method}", **{named: "nobody"}) == "contact.unknown"
        assert await faults.code(f"chat.{method}", **{named: "bo"}) == "contact.ambiguous"
    for for_s in (0, -1, 366 * 86_400 + 1):
        assert await faults.code("chat.mute", to="bobby", for_s=for_s) == "limit"
    for seconds in (-1, 1, 4, 366 * 86_400 + 1):
        assert await faults.code("chat.timer", to="bobby", seconds=seconds) == "limit"
    assert await faults.code("chat.timer", to="bob", seconds=60) == "contact.account_changed"
    await faults.person.call("contacts.block", name="bobby")
    assert await faults.code("chat.timer", to="bobby", seconds=60) == "contact.blocked"
    await faults.person.call("contacts.unblock", name="bobby")
    assert await faults.code("chat.draft", to="bobby", text="ü" * (TEXT_BYTES_MAX // 2 + 1)) == "limit"
    for method in ("star", "unstar"):
        assert await faults.code(f"chat.{method}", id="ZZZZZZ") == "message.unknown"
        assert await faults.code(f"chat.{method}", id="!") == "id.malformed"
        assert await faults.code(f"chat.{method}", id="0000") == "message.ambiguous"
