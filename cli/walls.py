"""How moments are drawn in a terminal: as text, from what the node says of them.

What others wrote stands deeper than what weft says below it, so no text can look like a like, a place or the moment of
somebody else. Not here: the commands (commands/moments.py), pictures (cli/pictures.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from cli import show

LIKES_SHOWN = 20  # by name, then their number
_INDENT = "  "  # of what weft says below a head
_DEEPER = _INDENT * 2  # of what somebody wrote
_BELOW = _INDENT * 2  # of a comment, below its moment
_SAID = {
    "like": "likes your moment",
    "comment": "commented on your moment",
    "reply": "answered you below",
    "also": "commented too below",
}

Moment = Mapping[str, Any]


def moment(one: Moment) -> str:
    """A moment: whose, when, its short id, and below it what is in it and who likes it."""
    rest = marks(one)
    return "\n".join([head(one), *body(one), *([f"{_INDENT}{rest}"] if rest else [])])


def comments(said: Sequence[Mapping[str, Any]]) -> str:
    """What is said below a moment."""
    return "\n".join(line for one in said for line in _comment(one))


def news(before: Moment | None, now: Moment) -> str:
    """What somebody who has seen a moment is told when it changes: only what is new; "" where nothing is."""
    if before is None:
        return moment(now)
    if _written(before) != _written(now):
        return f"↻ {moment(now)}"
    if (before["waits_for"], marks(before)) == (now["waits_for"], marks(now)):
        return ""
    rest = marks(now) or ("no likes and no comments any more" if marks(before) else "")
    return "\n".join([f"↻ {head(now)}", *([f"{_INDENT}{rest}"] if rest else [])])


def head(one: Moment) -> str:
    """The line by which a moment is known: who, when, the id to type, and of ours for whom it is."""
    parts = [who(one["author"], one["mine"]), show.clock(one["at_ms"]), one["short"]]
    parts += [for_whom(one)] if one["audience"] else []
    parts += ["(edited)"] if one["edited_ms"] else []
    return "  ".join(parts) + waits(one)


def for_whom(one: Moment) -> str:
    """For whom a moment of ours is."""
    return f"for {'you alone' if one['audience'] == 'private' else show.clean(one['audience'])}"


def waits(one: Moment) -> str:
    """Behind a moment of ours: who has to have it first."""
    return f"; others see it once {show.clean(one['waits_for'])} has it" if one["waits_for"] else ""


def body(one: Moment) -> list[str]:
    """What is in a moment, line by line."""
    lines = _text(one["text"], _DEEPER)
    lines += [f"{_INDENT}{picture(seen, one['mine'])}" for seen in one["pictures"]]
    lines += [f"{_INDENT}{show.clean(one['link'])}"] if one["link"] else []
    said = show.preview_lines({**one, "contact": one["author"]})
    lines += [f"{_INDENT}| {line}" for line in said]
    lines += [f"{_INDENT}@ {place(one['place'])}"] if one["place"] else []
    return lines


def picture(seen: Mapping[str, Any], mine: bool) -> str:
    """A picture or film by its number, and how much of it is here."""
    line = f"{seen['number']}. {show.file_text({**seen, 'mine': mine, 'wave': ()})}"
    if seen["state"] == "fetching" and seen["here"]:
        line += f" {seen['here'] * 100 // max(1, seen['pieces'])} %"
    return f"{line}: {show.clean(seen['reason'])}" if seen["reason"] else line


def place(where: Mapping[str, Any]) -> str:
    """A place by its name, with an address for a map where it says where it is."""
    label = show.clean(where["label"])
    if where["latitude"] is None or where["longitude"] is None:
        return label
    return f"{label}  geo:{_degrees(where['latitude'])},{_degrees(where['longitude'])}".strip()


def marks(one: Moment) -> str:
    """Who likes a moment, and how many comments are below it; "" for none."""
    names = [who(name, not name) for name in one["likes"][:LIKES_SHOWN]]
    more = len(one["likes"]) - len(names)
    parts = [f"♥ {', '.join(names)}{f' and {more:,} more' if more else ''}"] if names else []
    count = one["comments"]
    parts += [f"{count:,} comment{'' if count == 1 else 's'}"] if count else []
    return "   ".join(parts)


def notice(one: Mapping[str, Any]) -> str:
    """Who liked or answered, on a line; the words of a comment below it."""
    of = f" “{show.clean(one['of'])}”" if one["of"] else ""
    mark = " ●" if one["is_new"] else ""
    said = _SAID.get(one["kind"], "did something with")
    answer = f"  (comment {show.clean(one['answer'])[:8]})" if one["answer"] else ""
    line = (
        f"{show.clock(one['at_ms'])}{mark}  {show.clean(one['who'])} {said} {show.clean(one['moment'])[:8]}{of}{answer}"
    )
    return "\n".join([line, *_text(one["text"], _DEEPER)])


def rule(one: Mapping[str, Any]) -> str:
    """What holds between us and a contact, in words."""
    name = show.clean(one["name"])
    if one["chats_only"]:
        return f"{name}: chats only, so neither of you sees the other's moments."
    match one["hide_mine"], one["hide_theirs"]:
        case True, True:
            return f"{name}: is not shown yours, and you are not shown theirs."
        case True, False:
            return f"{name}: is not shown your moments."
        case False, True:
            return f"{name}: you are not shown their moments."
        case _:
            return f"{name}: no rule of yours, so they see what you post for them, and you what they show you."


def who(name: str, mine: bool) -> str:
    """A person in a line."""
    return "You" if mine else show.clean(name)


def answered(one: Mapping[str, Any]) -> str:
    """Whose comment a comment answers."""
    whom = one["answers_whom"]
    return "what is gone" if whom is None else who(whom, not whom)


def _comment(one: Mapping[str, Any]) -> list[str]:
    parts = [f"{_BELOW}{who(one['author'], one['mine'])}", show.clock(one["at_ms"]), one["short"]]
    if one["answers"]:
        parts.append(f"answers {answered(one)} ({show.clean(one['answers'])[:8]})")
    parts += ["(hidden by you)"] if one["hidden"] else []
    return ["  ".join(parts), *_text(one["text"], _BELOW + _DEEPER)]


def _text(text: str, indent: str) -> list[str]:
    """The lines of what somebody wrote, each as deep."""
    return [f"{indent}{line}".rstrip() for line in show.clean(text, keep_lines=True).split("\n")] if text else []


def _written(one: Moment) -> tuple[object, ...]:
    """What its author decides of a moment."""
    names: Sequence[str] = [seen["name"] for seen in one["pictures"]]
    return (one["text"], one["edited_ms"], names, one["link"], one["place"], one["audience"])


def _degrees(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
