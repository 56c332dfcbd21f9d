"""moments: what is asked of the node, what is said, what is refused before it is asked, and what others cannot do."""

import os
from pathlib import Path
from typing import Any

import pytest

from cli import show, walls
from tests.cli import fake, moments_room
from tests.cli.moments_room import comment, ident, moment, notice, picture, place, rule
from tests.cli.test_escapes import EVIL, steering

WHEN = show.clock(moments_room.AT_MS)
LINK = "https://example.org/lake"
HERE = {name[0]: os.path.abspath(name) for name in ("a.jpg", "v.mp4", "f.jpg")}
SEEN = {"url": LINK, "host": "example.org", "title": "Lake", "about": "Cold.", "has_picture": True}
COMMANDS = (
    ("moments",),
    ("moments", "list", "--follow"),
    ("moments", "show", "a000"),
    ("moments", "post", "hi"),
    ("moments", "like", "a000"),
    ("moments", "unlike", "a000"),
    ("moments", "comment", "a000", "hi"),
    ("moments", "hide", "c000"),
    ("moments", "edit", "a000", "hi"),
    ("moments", "delete", "a000"),
    ("moments", "notify"),
    ("moments", "get", "a000"),
    ("moments", "rule"),
    ("moments", "window"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*words)
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")


async def test_a_moment_is_posted_with_all_that_was_typed(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("moments", "post", "hi")
        assert (ran.code, ran.out) == (0, f"✔ Posted for all.   (id {ident(1)[:8]})\n")
        assert world.moments.posted == {"text": "hi"}
        words = ("--image", "a.jpg", "--image", "/b.jpg", "--place", "The lake", "--at", "-33.9,−70.6")
        ran = await world.weft("moments", "post", "Look", *words, "--to", "family, #work", "--to", "Bo", "--link", LINK)
        assert ran.out == f"✔ Posted for family, #work, Bo.   (id {ident(2)[:8]})\n"
        assert world.moments.posted == {
            "text": "Look",
            "images": [HERE["a"], "/b.jpg"],
            "place": "The lake",
            "latitude": -33.9,
            "longitude": -70.6,
            "to": ["family", "#work", "Bo"],
            "link": LINK,
        }
        await world.weft("moments", "post", "--video", "v.mp4", "--frame", "f.jpg", "--except", "Bo", "--at", "geo:1,2")
        assert world.moments.posted == {
            "text": "",
            "video": HERE["v"],
            "frame": HERE["f"],
            "latitude": 1.0,
            "longitude": 2.0,
            "excepted": ["Bo"],
        }
        ran = await world.weft("moments", "post", "--link", LINK, "--no-preview", "--json", "--to", "private")
        assert (ran.json["audience"], world.moments.posted["preview"]) == ("private", False)
        ran = await world.weft("moments", "post", "--link", LINK, "--preview")
        assert "! The site said nothing of itself" in ran.err


async def test_a_text_comes_from_stdin(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        for words in ((), ("-",), ("-", "--image", "a.jpg")):
            assert (await world.weft("moments", "post", *words, stdin="two\nlines\n")).code == 0
            assert world.moments.posted["text"] == "two\nlines"
        world.moments.rows.append(moment("old", 9))
        assert (await world.weft("moments", "comment", ident(9), "-", stdin="Lovely\n")).code == 0
        assert world.moments.asked[-1] == ("comment", ident(9), "Lovely", None)
        await world.weft("moments", "edit", ident(9), "-", stdin="new\n")
        assert world.moments.rows[-1]["text"] == "new"


async def test_what_makes_no_sense_is_said_before_the_node_is_asked(tmp_path: Path) -> None:
    wrong: dict[tuple[str, ...], str] = {
        ("--image", "a", "--video", "b"): "A moment has pictures or one film",
        ("--image", "a") * 10: "A moment has at most 9 pictures, not 10",
        ("--frame", "a"): "A --frame is a picture of a film",
        ("--preview",): "A preview is of a link",
        ("--to", "bo", "--except", "chen"): "Either --to says who sees it, or --except",
        ("--to", "all,bo"): "--to all stands alone",
        ("--to", "bo", "--to", "Private"): "--to Private stands alone",
        ("--except", "all"): "Behind --except stand tags and names",
        ("--to", " , "): "Behind --to stand tags and names",
        ("--except", ""): "Behind --except stand tags and names",
        **{("--at", text): "A place is LAT,LON" for text in ("91,0", "0,181", "1", "1,2,3", "x,y", "nan,1", "1e3,1")},
    }
    async with fake.node(tmp_path) as world:
        for words, said in wrong.items():
            ran = await world.weft("moments", "post", "hi", *words)
            assert (ran.code, ran.out) == (2, ""), words
            assert ran.err.startswith(said), words
        for words, said in (
            (("post", ""), "There is nothing in it"),
            (("post", "-"), "There is nothing in it"),
            (("comment", "a000", " "), "There is no text, so nothing was said."),
            (("list", "--follow", "--before", "a000"), "--before goes back page by page"),
            (("rule", "--hide-mine"), "A rule is for one contact"),
            (("get", "a000", "--to", str(tmp_path / "none")), "There is no folder "),
            (("window", "2d"), "Invalid value for"),
        ):
            ran = await world.weft("moments", *words)
            assert (ran.code, ran.out) == (2, ""), words
            assert ran.err.startswith(said), words
        assert world.moments.asked == []


async def test_ours_says_for_whom_it_is_and_for_whom_it_waits(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ours = {"author": "", "mine": True}
        world.moments.rows += [
            moment("one", 1, **ours, audience="private"),
            moment("two", 2, **ours, audience="all but Bo", waits_for="Chen", edited_ms=1),
        ]
        assert (await world.weft("moments", "--by", "me")).out.splitlines() == [
            f"You  {WHEN}  a0000001  for you alone",
            "    one",
            "",
            f"You  {WHEN}  a0000002  for all but Bo  (edited); others see it once Chen has it",
            "    two",
        ]
        assert world.moments.asked == [("list", "me", 20, None)]


def full() -> dict[str, Any]:
    """A moment with all that one can have."""
    pictures = [
        picture(1, "a.jpg"),
        picture(2, "b.jpg", state="fetching", here=2, reason="nobody is there"),
        picture(3, "c.jpg", state="here", here=5),
    ]
    return moment(
        "At the lake.\n\n♥ You",
        pictures=pictures,
        link=LINK,
        preview=SEEN,
        place=place("The lake", latitude=-33.9, longitude=151.2),
        likes=["", "Chen"],
        comments=2,
    )


async def test_the_list_shows_all_that_is_in_a_moment(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.moments.rows.append(full())
        lines = [
            f"Bo  {WHEN}  a0000001",
            "    At the lake.",
            "",
            "    ♥ You",
            "  1. [picture] a.jpg (1.2 MB, 1600×1200, not fetched)",
            "  2. [picture] b.jpg (1.2 MB, 1600×1200, on its way) 40 %: nobody is there",
            "  3. [picture] c.jpg (1.2 MB, 1600×1200, here)",
            f"  {LINK}",
            "  | example.org, as Bo shows it, with a picture:",
            "  |   Lake",
            "  |   Cold.",
            "  @ The lake  geo:-33.9,151.2",
            "  ♥ You, Chen   2 comments",
        ]
        for words in ((), ("list",), ("--by", "bo"), ("list", "--limit", "3")):
            assert (await world.weft("moments", *words)).out.splitlines() == lines
        assert world.moments.looked == []  # nobody sees pictures here
        ran = await world.weft("moments", "--json")
        assert ran.json == {"moments": world.moments.rows}
        assert (await world.weft("moments", "list", "--jsonl")).lines == world.moments.rows


async def test_a_page_before_a_moment_is_shown(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.moments.rows += [moment(f"m{number}", number) for number in range(1, 6)]
        ran = await world.weft("moments", "list", "--before", "a0000004", "--limit", "2", "--json")
        assert [row["text"] for row in ran.json["moments"]] == ["m2", "m3"]
        assert (await world.weft("moments", "list", "--before", "a0000001")).out == "Nothing is older.\n"


async def test_where_nothing_is_it_says_what_to_do(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        assert (await world.weft("moments")).out == 'No moments yet. Post one: weft moments post "…"\n'
        said = "Nothing of Bo is shown to you. What holds between you: weft moments rule Bo\n"
        assert (await world.weft("moments", "--by", "Bo")).out == said
        said = 'Nobody has liked or answered yet. Post something: weft moments post "…"\n'
        assert (await world.weft("moments", "notify")).out == said
        said = (
            "No rule: you and your contacts show each other moments. To make one: weft moments rule NAME --hide-mine\n"
        )
        assert (await world.weft("moments", "rule")).out == said
        ran = await world.weft("moments", "show", "ffff", "--json")
        assert (ran.code, ran.json["error"]["code"]) == (5, "moment.unknown")


async def test_a_moment_is_shown_with_its_comments(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.moments.rows.append(moment("Hi", comments=4))
        world.moments.comments += [
            comment(1, "Lovely!\nBo  12:00  a0000002"),
            comment(2, "Thanks", author="", mine=True, answers="c0000001", answers_whom="Chen"),
            comment(3, "Pfff", hidden=True, answers="c0000002"),
            comment(4, "Yes", answers="c0000009", answers_whom=None),
        ]
        ran = await world.weft("moments", "show", "a000")
        assert ran.out.splitlines() == [
            f"Bo  {WHEN}  a0000001",
            "    Hi",
            "  4 comments",
            f"    Chen  {WHEN}  c0000001",
            "        Lovely!",
            "        Bo  12:00  a0000002",
            f"    You  {WHEN}  c0000002  answers Chen (c0000001)",
            "        Thanks",
            f"    Chen  {WHEN}  c0000003  answers You (c0000002)  (hidden by you)",
            "        Pfff",
            f"    Chen  {WHEN}  c0000004  answers what is gone (c0000009)",
            "        Yes",
        ]
        ran = await world.weft("moments", "show", "a000", "--json")
        assert (ran.json["moment"]["text"], len(ran.json["comments"])) == ("Hi", 4)


async def test_liking_saying_hiding_editing_and_deleting(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.moments.rows.append(moment("Hi", likes=["Chen"]))
        head = f"Bo  {WHEN}  a0000001"
        assert (await world.weft("moments", "like", "a000")).out == f"✔ {head}\n  ♥ You, Chen\n"
        assert (await world.weft("moments", "unlike", "a000")).out == f"✔ You do not like it any more: {head}\n"
        ran = await world.weft("moments", "unlike", "a000", "--json")
        assert (ran.code, ran.json["error"]["code"]) == (1, "moment.not_liked")
        assert (await world.weft("moments", "comment", "a000", "Yes")).out == "✔ Said.   (id c0000001)\n"
        ran = await world.weft("moments", "comment", "a000", "No", "--reply", "c0000001")
        assert ran.out == "✔ Said to Bo.   (id c0000002)\n"
        assert world.moments.asked == [("comment", "a000", "Yes", None), ("comment", "a000", "No", "c0000001")]
        ran = await world.weft("moments", "hide", "c0000002")
        assert ran.out == "✔ Hidden: what you said is shown to nobody but you.   (id c0000002)\n"
        ran = await world.weft("moments", "edit", "a000", "Ho")
        assert ran.out == f"✔ {head}  (edited)\n    Ho\n  ♥ Chen\n"
        ran = await world.weft("moments", "delete", "a000", "--yes")
        assert ran.out == "✔ The moment is deleted; the nodes of others drop it once they hear of it.\n"
        assert world.moments.rows == []


async def test_who_liked_and_answered_is_told_and_what_is_new_is_marked(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.moments.told += [
            notice(1, "like"),
            notice(2, "comment", text="Lovely!\nreally", answer="c0000001"),
            notice(3, "reply", of=""),
            notice(4, "also"),
        ]
        lines = [
            f"{WHEN} ●  Chen likes your moment a0000001 “At the lake”",
            f"{WHEN} ●  Chen commented on your moment a0000001 “At the lake”  (comment c0000001)",
            "    Lovely!",
            "    really",
            f"{WHEN} ●  Chen answered you below a0000001",
            f"{WHEN} ●  Chen commented too below a0000001 “At the lake”",
        ]
        assert (await world.weft("moments", "notify")).out.splitlines() == lines
        seen = [line.replace(" ●", "") for line in lines]
        assert (await world.weft("moments", "notify")).out.splitlines() == seen
        ran = await world.weft("moments", "notify", "--limit", "1", "--json")
        assert [row["number"] for row in ran.json["notices"]] == [4]


async def test_pictures_are_fetched_with_a_word_of_why_they_wait_and_saved(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.moments.rows.append(moment("", pictures=[picture(1, "a.jpg"), picture(2, "b.jpg")]))

        async def comes(row: dict[str, Any]) -> None:
            for one in row["pictures"]:
                one.update(state="here", here=5)
            await world.changed("moments.changed", 1)

        world.moments.then = comes
        ran = await world.weft("moments", "get", "a000", "--to", str(tmp_path))
        assert (ran.code, ran.out) == (0, f"✔ {tmp_path}/a.jpg (1.2 MB)\n✔ {tmp_path}/b.jpg (1.2 MB)\n")
        assert world.moments.asked == [
            ("get", "a000", None),
            ("save", "a000", str(tmp_path), 1),
            ("save", "a000", str(tmp_path), 2),
        ]
        ran = await world.weft("moments", "get", "a000", "2", "--to", str(tmp_path), "--json")
        assert ran.json == {"files": [{"file": f"{tmp_path}/b.jpg", "bytes": 1_200_000}]}
        ran = await world.weft("moments", "get", "a000", "2", "--no-save")
        assert ran.out == "✔ b.jpg is here, sealed.\n"
        ran = await world.weft("moments", "get", "a000", "3", "--json")
        assert (ran.code, ran.json["error"]["code"]) == (5, "moment.no_picture")


async def test_who_does_not_wait_is_told_what_is_on_its_way(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.moments.rows.append(moment("", pictures=[picture(1, "a.jpg")]))
        ran = await world.weft("moments", "get", "a000", "--no-wait")
        assert ran.out == "• 1. [picture] a.jpg (1.2 MB, 1600×1200, on its way)\n"
        assert world.moments.asked == [("get", "a000", None)]


@pytest.mark.parametrize(
    ("becomes", "code", "said"),
    [
        ({"state": "false"}, 7, "This file is not what its sender said it is"),
        ({"state": "paused", "reason": "it waits for room on the disk"}, 6, "It does not go on now: it waits for room"),
    ],
)
async def test_of_those_that_end_what_is_here_is_saved(
    tmp_path: Path, becomes: dict[str, Any], code: int, said: str
) -> None:
    async with fake.node(tmp_path) as world:
        world.moments.rows.append(moment("", pictures=[picture(1, "a.jpg"), picture(2, "b.jpg")]))

        async def ends(row: dict[str, Any]) -> None:
            row["pictures"][0].update(becomes)
            row["pictures"][1].update(state="here", here=5)
            await world.changed("moments.changed", 1)

        world.moments.then = ends
        ran = await world.weft("moments", "get", "a000", "--to", str(tmp_path))
        assert (ran.code, ran.out) == (code, f"✔ {tmp_path}/b.jpg (1.2 MB)\n")
        assert ran.err.startswith(said)
        ran = await world.weft("moments", "get", "a000", "--to", str(tmp_path), "--json")
        assert (ran.code, len(ran.json["error"]["data"]["files"])) == (code, 1)


async def test_rules_and_the_window_are_shown_and_changed(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "bo") as world:
        said = "bo: no rule of yours, so they see what you post for them, and you what they show you.\n"
        assert (await world.weft("moments", "rule", "bo")).out == said
        ran = await world.weft("moments", "rule", "bo", "--hide-mine")
        assert ran.out == "✔ bo: is not shown your moments.\n"
        assert "a copy of theirs stays" in ran.err
        ran = await world.weft("moments", "rule", "bo", "--hide-theirs")
        assert ran.out == "✔ bo: is not shown yours, and you are not shown theirs.\n"
        ran = await world.weft("moments", "rule", "bo", "--no-hide-mine")
        assert ran.out == "✔ bo: you are not shown their moments.\n"
        ran = await world.weft("moments", "rule", "bo", "--chats-only")
        assert ran.out == "✔ bo: chats only, so neither of you sees the other's moments.\n"
        assert (await world.weft("moments", "rule", "--json")).json["rules"] == world.moments.laws
        assert world.moments.laws == [rule("bo", chats_only=True, hide_theirs=True)]
        assert (await world.weft("moments", "window")).out == "Others see your moments of any age.\n"
        assert (await world.weft("moments", "window", "3D")).out == "✔ Others see your moments of the last 3 days.\n"
        assert (await world.weft("moments", "window", "--json")).json == {"window": "3d"}


async def test_contacts_are_put_under_a_tag_together(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "ana", "bo", "chen") as world:
        ran = await world.weft("contacts", "tag", "family", "ana", "bo", "ana")
        assert (ran.code, ran.out) == (0, "✔ #family: ana, bo\n")
        ran = await world.weft("contacts", "tag", "family", "chen", "nobody")
        assert (ran.code, ran.err.startswith("No contact is called")) == (5, True)
        assert (await world.weft("tags")).out.splitlines()[1] == "#family  ana, bo"
        ran = await world.weft("contacts", "untag", "Family", "chen", "bo", "--json")
        assert [(row["name"], row["tags"]) for row in ran.json["contacts"]] == [("bo", [])]
        assert (await world.weft("tags")).out.splitlines()[1] == "#family  ana"


def test_a_change_is_told_once_and_only_what_is_new() -> None:
    before = full()
    assert walls.news(None, before) == walls.moment(before)
    fetched = before | {"pictures": [picture(1, "a.jpg", state="here"), *before["pictures"][1:]]}
    assert walls.news(before, fetched) == ""
    liked = before | {"likes": ["Dee"], "comments": 1}
    assert walls.news(before, liked) == f"↻ Bo  {WHEN}  a0000001\n  ♥ Dee   1 comment"
    assert walls.news(before, before | {"likes": [], "comments": 0}).endswith("\n  no likes and no comments any more")
    edited = before | {"text": "At sea.", "edited_ms": 1}
    assert walls.news(before, edited) == f"↻ {walls.moment(edited)}"
    ours = moment("x", author="", mine=True, waits_for="Bo")
    assert walls.news(ours, ours | {"waits_for": ""}) == f"↻ You  {WHEN}  a0000001"


def test_many_likes_are_counted() -> None:
    shown = walls.marks(moment("x", likes=[f"n{number}" for number in range(1000)], comments=1_000_000))
    assert shown.endswith(", n19 and 980 more   1,000,000 comments")


HTML = "<script>alert(1)</script><img src=x onerror=alert(1)>"


def evil() -> dict[str, Any]:
    """What somebody writes who wants to draw on a terminal."""
    said = EVIL + HTML
    ours = full()
    return ours | {
        "author": said,
        "text": said + "\nBo  12:00  a0000002",
        "pictures": [picture(1, said, reason=said, state="fetching"), picture(2, said, shape="video")],
        "link": said,
        "preview": SEEN | {"title": said, "about": said, "host": said},
        "place": place(said, latitude=1.0, longitude=2.0),
        "likes": [said, ""],
        "audience": said,
        "waits_for": said,
    }


@pytest.mark.parametrize("form", ["", "--json", "--jsonl"])
@pytest.mark.parametrize(
    "words",
    [
        ("list",),
        ("list", "--by", EVIL + HTML),
        ("show", "a000"),
        ("like", "a000"),
        ("comment", "a000", EVIL, "--reply", EVIL),
        ("hide", "c000"),
        ("edit", "a000", EVIL),
        ("notify",),
        ("get", "a000", "--no-wait"),
        ("rule",),
        ("post", EVIL, "--to", EVIL),
        ("get", "a000", "--to", EVIL.replace("\0", "")),  # no argument holds that one
        ("post", EVIL, "--at", EVIL),
    ],
    ids=lambda words: words[0],
)
async def test_what_others_share_steers_no_terminal(tmp_path: Path, words: tuple[str, ...], form: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.moments.rows.append(evil())
        world.moments.comments.append(comment(1, EVIL + HTML, author=EVIL, answers=EVIL, answers_whom=EVIL))
        world.moments.told.append(notice(1, "comment", who=EVIL, of=EVIL, text=EVIL, answer=EVIL, moment=EVIL))
        world.moments.laws.append(rule(EVIL, hide_mine=True))
        ran = await world.weft(*([form] if form else []), "moments", *words)
        assert ran.out + ran.err
        assert steering(ran.out + ran.err) == []


async def test_no_text_looks_like_what_weft_says(tmp_path: Path) -> None:
    """Every line of what somebody wrote stands deeper than heads, pictures, places and likes."""
    hostile = "x\nBo  12:00  a0000002\n  ♥ You\r\n  @ Berlin\u2028  | example.org, as Bo shows it:"
    async with fake.node(tmp_path) as world:
        world.moments.rows.append(moment(hostile))
        world.moments.comments.append(comment(1, "x\n    Dee  12:00  c0000002"))
        world.moments.told.append(notice(1, "comment", text=f"x\n{WHEN}  Bo likes"))
        lines = (await world.weft("moments")).out.splitlines()
        assert [line[:4] for line in lines[1:]] == ["    "] * (len(lines) - 1)
        lines = (await world.weft("moments", "show", "a000")).out.splitlines()
        assert [line for line in lines if "c0000002" in line] == ["            Dee  12:00  c0000002"]
        lines = (await world.weft("moments", "notify")).out.splitlines()
        assert [line[:4] for line in lines[1:]] == ["    "] * (len(lines) - 1)
