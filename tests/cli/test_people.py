"""invite, add, requests, contacts: what they write and how they end."""

import re
from pathlib import Path

import pytest
import trio

from features.contacts import knocking
from store import intake, people
from tests.cli import contacts_room, fake


async def test_an_invitation_is_a_link_on_stdout(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("invite")
        assert (ran.code, ran.out) == (0, contacts_room.LINK + "\n")
        assert "one use, ends in" in ran.err
        ran = await world.weft("invite", "--long-term", "--expires", "7d", "--json")
        assert ran.json["link"] == contacts_room.LINK
        assert set(ran.json) == {"id", "link", "kind", "expires_ms", "addresses"}
        assert world.contacts.asked == [("invite", "once", 86_400), ("invite", "long-term", 604_800)]
        ran = await world.weft("invite", "--qr", "-q")
        assert ran.out.endswith(contacts_room.LINK + "\n")
        assert len(ran.out.splitlines()) > 20
        assert ran.err == ""


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("30m", 1800), ("24h", 86_400), ("7d", 604_800), ("2w", 1_209_600), ("45", 45)]
)
async def test_times_are_read(tmp_path: Path, text: str, seconds: int) -> None:
    async with fake.node(tmp_path) as world:
        assert (await world.weft("invite", "--expires", text)).code == 0
        assert world.contacts.asked == [("invite", "once", seconds)]


@pytest.mark.parametrize("text", ["", "h", "-1h", "1y", "1 h 2", "1e3", "9999999s"])
async def test_times_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("invite", "--expires", text)
        assert (ran.code, "A time is written" in ran.err, world.contacts.asked) == (2, True, [])


async def test_who_joins_is_shown(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Chen") as world:
        found: list[fake.Ran] = []

        async def invite() -> None:
            found.append(await world.weft("invite", "--wait"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(invite)
            await world.contacts.invited.wait()
            world.contacts.rows.append(contacts_room.contact("Bo"))
            await world.changed("contacts.changed", 1, 2)
        assert found[0].code == 0
        assert found[0].out.splitlines()[1] == ("✔ Bo joined.   Check that it is Bo: weft contacts verify Bo")
        assert "Waiting…" in found[0].err


async def test_who_claims_a_handle_is_listed_as_a_claim(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Ana") as world:
        ran = await world.weft("contacts", "find", "ana@example.org")
        account = world.contacts.rows[0]["account"]
        assert (ran.code, account in ran.out, "Ana" in ran.out) == (0, True, True)
        assert "Nobody has verified these" in ran.err
        assert f"weft add {account}" in ran.err
        world.contacts.rows.append(contacts_room.contact("Ana 2"))
        ran = await world.weft("contacts", "find", "ana@example.org")
        assert "weft add wf1…" in ran.err
        ran = await world.weft("contacts", "find", "ana@example.org", "--json")
        assert [row["claims"] for row in ran.json["claims"]] == ["Ana", "Ana 2"]
        world.contacts.rows.clear()
        ran = await world.weft("contacts", "find", "ana@example.org")
        assert (ran.code, "Nobody claims this handle now" in ran.out) == (0, True)


async def test_open_invitations_are_listed_and_revoked(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("invite", "--list", "--json")
        assert [row["kind"] for row in ran.json["invitations"]] == ["once"]
        assert "once" in (await world.weft("invite", "--list")).out
        assert (await world.weft("invite", "--revoke", "0001", "--json")).json == {"id": "0001"}


async def test_adding_tells_how_far_it_is(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("add", contacts_room.LINK, "--as", "Bo B", "--greeting", "hello", "--no-input")
        assert (ran.code, ran.out) == (0, "• asked: Bo was not reached yet\n")
        ran = await world.weft("add", "-", "--json", stdin=f" {contacts_room.LINK}\n")
        assert (ran.code, ran.json["state"]) == (0, "asked")
        assert world.contacts.asked == [
            ("add", contacts_room.LINK, "Bo B", "hello", False),
            ("add", contacts_room.LINK, None, "", False),
        ]


@pytest.mark.parametrize(("state", "code"), [("active", 0), ("refused", 7), ("asked", 6), ("waiting", 6)])
async def test_adding_waits_for_an_answer(tmp_path: Path, state: str, code: int) -> None:
    async with fake.node(tmp_path) as world:
        found: list[fake.Ran] = []

        async def add() -> None:
            found.append(await world.weft("add", contacts_room.LINK, "--wait", "1s"))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(add)
            await world.contacts.added.wait()
            world.contacts.rows[0].update(state=state, reason="the invitation was used" if state == "refused" else "")
            await world.changed("contacts.changed", 1)
        assert found[0].code == code
        match state:
            case "active":
                assert found[0].out.startswith("✔ Bo is your contact.   Check that it is Bo:")
            case "refused":
                assert "Not added: the invitation was used." in found[0].err
            case _:
                assert "Not contacts yet after 1.0 s" in found[0].err


@pytest.mark.parametrize(("online", "code"), [(True, 0), (False, 6)])
async def test_adding_a_contact_again_waits_until_he_is_met(tmp_path: Path, online: bool, code: int) -> None:
    async with fake.node(tmp_path) as world:
        world.contacts.rows.append(contacts_room.contact("Bo", online=False, reason="his node did not recognise us"))
        ran = await world.weft("add", contacts_room.LINK, "--as", "Bo", "--no-input")
        said = "• Bo stays your contact, and is asked to agree anew: his node did not recognise us\n"
        assert (ran.code, ran.out) == (0, said)
        found: list[fake.Ran] = []

        async def add() -> None:
            found.append(await world.weft("add", contacts_room.LINK, "--as", "Bo", "--wait", "1s"))

        world.contacts.added = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(add)
            await world.contacts.added.wait()
            world.contacts.rows[0].update(online=online)
            await world.changed("contacts.changed", 1)
        assert found[0].code == code
        if online:
            assert found[0].out == "✔ Bo and you are connected again; what you know of each other stays.\n"
        else:
            assert "Not connected after 1.0 s. Bo stays your contact, and is asked to agree anew" in found[0].err


async def test_a_script_is_told_why_somebody_is_not_reached_as_soon_as_it_is_known(tmp_path: Path) -> None:
    why = "its 2 addresses: nobody answers there, and no peer of the DHT is known yet; weft tries again by itself"
    for form in ((), ("--json",)):
        async with fake.node(tmp_path) as world:
            world.contacts.why = ""
            found: list[fake.Ran] = []

            async def add(ran: list[fake.Ran], world: fake.World, form: tuple[str, ...]) -> None:
                ran.append(await world.weft("add", contacts_room.LINK, *form))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(add, found, world, form)
                await world.contacts.added.wait()
                world.contacts.rows[0]["reason"] = why  # of which no watcher is told
            assert found[0].code == 0
            if form:
                assert (found[0].json["state"], found[0].json["reason"]) == ("asked", why)
            else:
                assert found[0].out == f"• asked: {why}\n"


async def test_what_comes_of_the_work_for_a_keeper_is_waited_for_visibly(tmp_path: Path) -> None:
    left = "left at a keeper of his until 22 Dec; weft tries again by itself"
    async with fake.node(tmp_path) as world:
        world.contacts.why, world.contacts.more = knocking.WORKS, {"busy": True}
        found: list[fake.Ran] = []

        async def add() -> None:
            found.append(await world.weft("add", contacts_room.LINK))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(add)
            await world.contacts.added.wait()
            world.contacts.rows[0].update(reason=left, busy=False)
        assert (found[0].code, found[0].out) == (0, f"• asked: {left}\n")
        assert "Working on the puzzle that a keeper sets" in found[0].err
        world.contacts.rows.clear()
        ran = await world.weft("add", contacts_room.LINK, "--wait", "1s")
        assert ran.code == 6
        assert f"Not contacts yet after 1.0 s: {knocking.WORKS}" in ran.err


async def test_who_gives_no_word_in_time_is_told_to_be_tried_again(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.contacts.why = ""
        ran = await world.weft("add", contacts_room.LINK, "--wait", "1s", "--json")
        assert (ran.code, ran.json["error"]["code"]) == (6, "contact.waiting")
        silent = "no answer within 1.0 s; weft tries again by itself"
        assert ran.json["error"]["data"]["contact"]["reason"] == silent
        assert silent in ran.json["error"]["message"]


async def test_requests_are_listed_accepted_and_rejected(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Chen") as world:
        assert (await world.weft("requests")).out == "Nobody is waiting.\n"
        world.contacts.rows.append(contacts_room.contact("Bo", state="request", greeting="it is\x1b[31m me"))
        world.contacts.rows.append(contacts_room.contact("Eve", state="request"))
        ran = await world.weft("requests")
        assert "it is [31m me" in ran.out
        assert "weft requests accept NAME" in ran.err
        assert [row["name"] for row in (await world.weft("requests", "--json")).json["requests"]] == ["Bo", "Eve"]
        assert (await world.weft("requests", "accept", "bo", "--as", "Bob", "--json")).json["name"] == "Bob"
        assert (await world.weft("requests", "reject", "eve", "--json")).json["state"] == "refused"


async def test_contacts_are_listed_and_shown(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo", "Chen") as world:
        world.contacts.rows[1].update(alarm="link_twice")
        ran = await world.weft("contacts")
        assert ran.out == (await world.weft("contacts", "list")).out
        assert ran.out.splitlines()[0].split() == ["Name", "State", "Verified", "Seen"]
        assert "! link_twice" in ran.out
        assert (await world.weft("contacts", "--json")).json == {
            "contacts": [{**row, "remark": "", "tags": []} for row in world.contacts.rows]
        }
        shown = [{**row, "remark": "", "tags": []} for row in world.contacts.rows]
        assert (await world.weft("contacts", "list", "--jsonl")).lines == shown
        ran = await world.weft("contacts", "show", "chen")
        assert "12345 12345 12345 12345" in ran.out
        assert "! Chen came by a one-time link that somebody else used too" in ran.out
        assert (await world.weft("contacts", "show", "bo", "--json")).json["safety_number"] == contacts_room.DIGITS
        assert (await world.weft("contacts", "show", "eve")).code == 5


@pytest.mark.parametrize("alarm", re.findall(r'"(\w+)"', str(people.Contact.__doc__)))
async def test_every_alarm_is_told_in_a_sentence(tmp_path: Path, alarm: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        world.contacts.rows[0].update(alarm=alarm)
        (told,) = [line for line in (await world.weft("contacts", "show", "bo")).out.splitlines() if line[:1] == "!"]
        assert told.startswith("! Bo ")
        assert len(told.split()) > 8
        assert alarm != intake.ALARM or "has signed two histories of a log: weft log proofs" in told


async def test_a_first_contact_is_invited(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        assert (await world.weft("contacts")).out == "No contacts yet. Invite somebody: weft invite --qr\n"


@pytest.mark.parametrize(
    ("words", "field", "value"),
    [
        (("rename", "bo", "Bob"), "name", "Bob"),
        (("block", "bo"), "state", "blocked"),
        (("unblock", "bo"), "state", "active"),
        (("trust", "bo"), "alarm", ""),
        (("unverify", "bo"), "verified", "no"),
    ],
)
async def test_a_contact_is_changed(tmp_path: Path, words: tuple[str, ...], field: str, value: str) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("contacts", *words, "--json")
        assert (ran.code, ran.json[field]) == (0, value)
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("contacts", *words)
        assert (ran.code, ran.out[:4]) == (0, "✔ Bo")


async def test_verifying_by_digits(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        ran = await world.weft("contacts", "verify", "bo", "--digits", contacts_room.DIGITS.replace(" ", "\n"))
        assert (ran.code, ran.out) == (0, "✔ Bo is verified (digits compared).\n")
    async with fake.node(tmp_path, "Bo") as world:
        for digits in (contacts_room.DIGITS[:-1] + "6", "", contacts_room.DIGITS[:-1]):
            ran = await world.weft("contacts", "verify", "bo", "--digits", digits, "--json")
            assert (ran.code, ran.json["error"]["code"]) == (7, "contact.unverified")
        assert world.contacts.rows[0]["verified"] == "no"


async def test_verifying_without_a_person_shows_the_number_and_verifies_nothing(tmp_path: Path) -> None:
    async with fake.node(tmp_path, "Bo") as world:
        for more in ((), ("--qr",), ("--words",)):
            ran = await world.weft("contacts", "verify", "bo", *more)
            assert ran.code == 7
        assert "12345 12345" in (await world.weft("contacts", "verify", "bo")).err
        assert world.contacts.rows[0]["verified"] == "no"
