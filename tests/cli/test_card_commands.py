"""card, cards, contacts export and import: what is asked of the node, what is said, and what is refused."""

from pathlib import Path

import pytest

from cli import address_book, vcard
from protocol import ids
from tests.cli import fake
from tests.cli.profile_room import introduced, presented
from tests.cli.test_escapes import EVIL, steering
from tests.features.photos import photo

BO = ids.account_text(ids.AccountId(bytes([1]) * 32))
DEE = ids.account_text(ids.AccountId(bytes([2]) * 32))
COMMANDS = (
    ("card", "bo", "--to", "chen"),
    ("cards",),
    ("contacts", "export"),
    ("contacts", "import", "FILE"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*words)
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")


async def test_an_introduction_is_sent_listed_and_forgotten(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "bo", "chen") as world:
        ran = await world.weft("card", "bo", "--to", "chen")
        assert (ran.code, ran.out) == (0, "✔ chen gets the card of bo.\n")
        assert world.profile.asked == [("introduce", "bo", "chen")]
        assert (await world.weft("card", "bo")).code == 2
        assert (await world.weft("cards")).out == "No cards yet. To send one: weft card NAME --to NAME\n"
        dee = introduced(7, "bo", "Dee")
        world.profile.received += [dee, introduced(3, "bo", "Chen", known="chen")]
        ran = await world.weft("cards")
        assert [line.split("  ")[-1].strip() for line in ran.out.splitlines()[1:]] == [
            f"weft add {dee['account']}",
            "your contact chen",
        ]
        assert "the word of who sent it" in ran.err
        assert (await world.weft("cards", "--json")).json == {"cards": world.profile.received}
        assert (await world.weft("cards", "--forget", "7")).out == "✔ The card of Dee is gone.\n"
        ran = await world.weft("cards", "--forget", "7")
        assert (ran.code, "no such card" in ran.err) == (5, True)


async def test_contacts_are_written_for_other_programs(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "bo", "chen") as world:
        world.contacts.rows[0]["account"] = BO
        world.contacts.rows[1]["state"] = "blocked"
        world.profile.rows["bo"] = presented("bo", remark="Bo from work", about="I row.", photo=9, tags=["a", "b"])
        world.profile.picture = photo()
        text = vcard.written("bo", BO, "Bo from work", "I row.", ("a", "b"), photo())
        place = tmp_path / "all.vcf"
        ran = await world.weft("contacts", "export", "--vcard", str(place))
        assert (ran.code, ran.out[:14], place.read_bytes()) == (0, "✔ 1 contacts a", text.encode())
        ran = await world.weft("contacts", "export", str(place))
        assert (ran.code, "weft contacts export --vcard FILE --force" in ran.err) == (1, True)
        ran = await world.weft("contacts", "export", str(place), "--force", "--no-photos", "--json")
        bare = vcard.written("bo", BO, "Bo from work", "I row.", ("a", "b"))
        assert ran.json == {"file": str(place), "contacts": 1, "bytes": len(bare)}
        assert (await world.weft("contacts", "export", "--json")).json == {"vcard": text}
        assert (await world.weft("contacts", "export", "--vcard")).out == text.replace("\r\n", "\n")
        found = await world.weft("contacts", "import", str(place), "--json")
        assert found.json == {"cards": [{"name": "bo", "account": BO, "state": "contact", "contact": "bo"}]}


async def test_who_of_an_address_book_is_on_weft_is_listed_and_nobody_is_added(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "bo", "chen") as world:
        world.contacts.rows[0]["account"] = BO
        place = tmp_path / "book.vcf"
        book = vcard.written("Robert", BO) + vcard.written("Dee", DEE) + "BEGIN:VCARD\nFN:Eve\nEND:VCARD\njunk\n"
        place.write_text(book)
        ran = await world.weft("contacts", "import", str(place))
        assert (ran.code, ran.err) == (0, "! 1 lines or cards make no sense, and were left out.\n")
        assert [line.split("  ")[0] for line in ran.out.splitlines()] == ["Name", "Robert", "Dee", "Eve"]
        assert "you call it bo" in ran.out
        assert f"weft add {DEE}" in ran.out
        assert world.contacts.asked == []
        ran = await world.weft("contacts", "import", "-", "--json", stdin=book)
        assert [row["state"] for row in ran.json["cards"]] == ["contact", "on weft", "not on weft"]
        place.write_text("")
        assert (await world.weft("contacts", "import", str(place))).out == "No cards are in this file.\n"


@pytest.mark.parametrize("name", ["none", ".", "/dev/null", "x" * 300, "nul\x00"])
async def test_what_cannot_be_read_is_said(tmp_path: Path, name: str) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("contacts", "import", str(tmp_path / name), "--json")
        assert (ran.code, ran.json["error"]["code"]) == (5, "vcard.unreadable")


async def test_a_file_of_another_kind_or_without_an_end_is_refused_and_little_of_it_is_kept(tmp_path: Path) -> None:
    place = tmp_path / "x.vcf"
    for raw in (b"\x00\n" * 2000, b"BEGIN:VCARD\nEND:VCARD\n" * (vcard.CARDS_MAX + 1)):
        place.write_bytes(raw)
        async with fake.node(tmp_path) as world:
            ran = await world.weft("contacts", "import", str(place), "--json")
            assert (ran.code, ran.json["error"]["code"]) == (1, "vcard.foreign")
    with place.open("wb") as file:  # a sparse file: no line ends
        file.truncate(address_book.FILE_BYTES_MAX + 1)
    async with fake.node(tmp_path) as world:
        ran = await world.weft("contacts", "import", str(place), "--json")
        assert (ran.code, ran.json["error"]["code"]) == (1, "vcard.foreign")


@pytest.mark.parametrize("form", ["", "--json", "--jsonl"])
@pytest.mark.parametrize("words", [("cards",), ("contacts", "import", "-"), ("card", "bo", "--to", "bo")])
async def test_names_on_cards_steer_no_terminal(tmp_path: Path, words: tuple[str, ...], form: str) -> None:
    async with fake.node(tmp_path, "bo") as world:
        world.profile.received.append(introduced(1, EVIL, EVIL, account=DEE))
        book = f"BEGIN:VCARD\nFN:{EVIL}\nIMPP:weft:{DEE}\nEND:VCARD\n"
        ran = await world.weft(*([form] if form else []), *words, stdin=book)
        assert (ran.code, bool(ran.out)) == (0, True)
        assert steering(ran.out + ran.err) == []
