"""What a moment says beside text and pictures: its link, in one form, and its place, within limits."""

import pytest

from features.moments import composing
from features.moments.content import Where
from features.moments.faults import BadLink, BadWhere
from lab import world
from lab.world import World
from protocol.preview import Preview
from store import settings

LINK = "https://example.org/films?film=7"


def test_a_link_has_one_form_and_a_preview_only_where_one_is_wanted() -> None:
    async def story(w: World) -> None:
        ana = await w.person("ana")
        assert ana.node is not None
        core = ana.node.core
        w.sites.put(LINK, "text/html", b"<title>Cinema</title>")
        typed = " HTTPS://Example.ORG:443/films?film=7#now "
        assert await composing.link(core, typed, None) == (LINK, None, "")
        assert w.sites.asked == []
        whole, preview, why = await composing.link(core, typed, True)
        assert (whole, preview, why) == (LINK, Preview(LINK, "Cinema", None, b""), "")
        await core.database.transact(settings.put, "links.preview", "yes")
        assert (await composing.link(core, LINK, None))[1] == preview
        assert (await composing.link(core, LINK, False))[1:] == (None, "")
        assert len(w.sites.asked) == 2
        _, none, why = await composing.link(core, "https://example.org/none", True)
        assert (none, why) == (None, "No preview: example.org answers 404.")
        for wrong in (
            "",
            "example.org",
            "ftp://example.org/",
            "https://a@example.org/",
            "https://x/\x1b[2J",
            "x" * 3000,
        ):
            with pytest.raises(BadLink, match=r"nothing was posted\.$"):
                await composing.link(core, wrong, True)
        assert preview is not None
        assert composing.seen(LINK, preview) == preview.shown
        assert composing.seen("https://example.org/", preview) is composing.seen(None, preview) is None

    world.run(story, seed=7809)


def test_a_place_has_limits() -> None:
    assert composing.where(None, None, None) is composing.where("  ", None, None) is None
    assert composing.where(" Bo's \n bar ", None, None) == Where("Bo's bar")
    assert composing.where(None, -89.1234567, 180.0) == Where("", -89_123_457, 180_000_000)
    shown = composing.place_line(composing.where("bar", 48.2082, 16.3738))
    assert shown is not None
    assert (shown.label, shown.latitude, shown.longitude) == ("bar", 48.2082, 16.3738)
    half = composing.place_line(Where("x", 5, None))
    assert half is not None
    assert (half.latitude, half.longitude) == (None, None)
    assert composing.place_line(None) is None
    for wrong in (
        ("p" * 201, None, None),
        ("\x1b[2J", None, None),
        ("\ud800", None, None),
        (None, 1.0, None),
        (None, None, 1.0),
        (None, 90.1, 0.0),
        (None, 0.0, -180.1),
        (None, float("nan"), 0.0),
        (None, 0.0, float("inf")),
    ):
        with pytest.raises(BadWhere):
            composing.where(*wrong)
