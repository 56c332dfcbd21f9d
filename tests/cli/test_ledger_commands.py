"""ledger: balances, limits, settling up, pages of the past; exports and statements to a terminal and into files."""

import time
from pathlib import Path

import pytest

from cli import show
from cli.faults import quoted
from ledger import units
from tests.cli import fake
from tests.cli.payments_room import AT_MS, UNTIL_MS, PaymentsRoom, answered, balance, payment, proposal
from tests.cli.test_escapes import EVIL, steering

IOU = f"  {units.IOU}\n"
AT, UNTIL = show.clock(AT_MS), show.clock(UNTIL_MS)
EAST_MIN = round((time.localtime().tm_gmtoff or 0) / 60)
BOOK = "; bücher\n"
COMMANDS = (
    ("ledger",),
    ("ledger", "list"),
    ("ledger", "limit", "bo", "5", "EUR"),
    ("ledger", "settle", "bo", "5", "EUR"),
    ("ledger", "reset", "bo", "--even"),
    ("ledger", "history"),
    ("ledger", "export", "--format", "hledger"),
    ("ledger", "statement"),
    ("ledger", "evidence", "MENT001", "FILE"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_without_a_node_each_says_so(tmp_path: Path, words: tuple[str, ...]) -> None:
    world = fake.stopped(tmp_path)
    fake.make_identity(world)
    ran = world.weft_now(*words)
    assert (ran.code, ran.out, ran.err) == (3, "", "Node is not running. Start it: weft up\n")
    assert world.weft_now(*words, "--json").json["error"]["code"] == "node.down"


# --- begun anew


async def test_what_is_proposed_is_said_with_how_to_agree(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        room = world.debts.payments
        room.standing["proposals"] = [
            proposal("Bo", reason="a copied disk"),
            proposal("Bo", mine=True, state="proposed", balances=[]),
            proposal("Chen", state="agreed"),
            proposal("Dee", state="confirming"),
            proposal("Dee", mine=True, state="confirming"),
        ]
        said = [
            "• Bo proposes to begin the ledger anew: you owe 12.50 EUR (a copied disk)."
            " Agree: weft ledger reset Bo --agree",
            "• You propose to Bo to begin the ledger anew: nobody owes anything",
            "! Chen agrees to begin the ledger anew, which has changed since: you owe 12.50 EUR."
            " Confirm: weft ledger reset Chen --agree",
            "• You agreed to begin the ledger anew, which Dee's node has to confirm: you owe 12.50 EUR",
        ]
        assert (await world.weft("ledger")).out.splitlines() == said
        evil = proposal(EVIL, reason=EVIL)
        room.standing["proposals"] = [evil, evil | {"state": "agreed"}, evil | {"mine": True}]
        assert not steering((await world.weft("ledger")).out)


async def test_a_ledger_is_begun_anew_by_what_both_say(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        room = world.debts.payments
        ran = await world.weft(
            "ledger", "reset", "Bo", "--i-owe", "12.50", "EUR", "--they-owe", "3", "h", "--reason", "x"
        )
        said = "• Proposed to Bo: you owe 12.50 EUR. Until it is agreed the old ledger stands as it is.\n"
        assert (ran.code, ran.out, ran.err) == (0, said, IOU)
        owed = [{"amount": "12.50", "unit": "EUR", "by": "me"}, {"amount": "3", "unit": "h", "by": "them"}]
        assert room.asked.pop() == ("reset", "Bo", owed, "x")
        assert (await world.weft("ledger", "reset", "Bo", "--even")).code == 0
        assert room.asked.pop() == ("reset", "Bo", [], "")
        ran = await world.weft("ledger", "reset", "Bo", "--agree")
        assert ran.out == "✔ Agreed: you owe 12.50 EUR. It is in force once Bo's node has confirmed it.\n"
        assert (await world.weft("ledger", "reset", "Bo", "--agree", "--json")).json == answered("Bo", state="agreed")
        for words in ((), ("--even", "--agree"), ("--even", "--i-owe", "1", "EUR")):
            ran = await world.weft("ledger", "reset", "Bo", *words)
            assert (ran.code, ran.out) == (2, "")


async def test_what_is_given_up_is_said(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        lost = payment("Bo", reason="waits for Bo to accept it")
        line = f"  • 12.50 EUR → Bo  waits for Bo to accept it  until {UNTIL}  …YMENT001"
        for state, head in (
            ("begun", "  Given up:"),
            ("agreed", "  Given up with the old one, unless it is over before:"),
        ):
            world.debts.payments.comes_to = answered("Bo", state=state, gives_up=[lost])
            ran = await world.weft("ledger", "reset", "Bo", "--agree")
            assert ran.out.splitlines()[1:] == [head, line]


# --- how it stands


async def test_where_nobody_owes_it_says_how_that_begins(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        for words in (("ledger",), ("ledger", "list")):
            ran = await world.weft("--profile", "default", *words)
            assert (ran.code, ran.out) == (0, "Nobody owes anybody anything.\n")
            assert ran.err == "  To let a contact owe you: weft --profile default ledger limit NAME 100 EUR\n"
            assert (await world.weft(*words, "-q")).err == ""


async def test_balances_are_sentences_with_the_limits_below(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        room = world.debts.payments
        room.standing = {
            "balances": [
                balance("Bo", owed="12.50", minor=1250),
                balance("Bo", owed="-3", minor=-3, unit="h", allowed="0", credit="5"),
                balance("Chen"),
            ],
            "reserved": [payment("Chen", reason="waits for Chen to accept it")],
            "paused": [{"contact": "Dee", "reason": "it waits for his half"}],
            "proposals": [],
        }
        ran = await world.weft("ledger")
        begin = "  To begin a ledger anew with what you both say is owed: weft ledger reset Dee --they-owe 12.50 EUR\n"
        assert (ran.code, ran.err) == (0, begin)
        assert ran.out.splitlines() == [
            "Bo owes you 12.50 EUR",
            "    he may owe you 100.00, you may owe him 0.00",
            "you owe Bo 3 h",
            "    he may owe you 0, you may owe him 5",
            "you and Chen are even in EUR",
            "    he may owe you 100.00, you may owe him 0.00",
            "",
            "On its way, each a part of somebody's limit:",
            f"• 12.50 EUR → Chen  waits for Chen to accept it  until {UNTIL}  …YMENT001",
            "! Dee: it waits for his half",
        ]
        assert (await world.weft("ledger", "--json")).json == room.standing
        assert (await world.weft("ledger", "--jsonl")).lines == [room.standing]


async def test_a_limit_is_said_with_how_it_stands(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("ledger", "limit", "Bo", "100.00", "EUR")
        assert ran.out == "✔ Bo may owe you at most 100.00 EUR; now you and Bo are even in EUR.\n"
        assert ran.err == IOU
        assert (await world.weft("ledger", "limit", "Bo", "0", "EUR", "--json")).json == balance("Bo", allowed="0")
        assert world.debts.payments.asked == [("limit", "Bo", "100.00", "EUR"), ("limit", "Bo", "0", "EUR")]


async def test_settling_up_is_noted_or_asked_for(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        ran = await world.weft("ledger", "settle", "Bo", "30", "EUR", "--how", "bank")
        assert (ran.out, ran.err) == ("• you say that you gave Bo 30 EUR  bank  waits for Bo  …QUEST001\n", IOU)
        world.debts.payments.becomes = payment("Bo", kind="settlement", note="cash", reason="waits for Bo's node")
        ran = await world.weft("ledger", "settle", "Bo", "30", "EUR")
        said = f"• 12.50 EUR → Bo  settled up  cash  waits for Bo's node  until {UNTIL}  …YMENT001\n"
        assert (ran.out, ran.err) == (said, IOU)
        assert world.debts.payments.asked == [
            ("settle", "Bo", "30", "EUR", "bank"),
            ("settle", "Bo", "30", "EUR", "cash"),
        ]


# --- pages


def remember(room: PaymentsRoom, count: int) -> None:
    room.past = [{"row": row, **payment("Bo", state="settled")} for row in range(count, 0, -1)]


async def test_the_past_is_read_page_by_page_as_it_is_printed(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        assert (await world.weft("ledger", "history")).out == "No payments yet.\n"
        remember(world.debts.payments, 5)
        ran = await world.weft("ledger", "history", "Bo Li", "--limit", "2")
        assert ran.out == f"{AT}  ✔ 12.50 EUR → Bo  paid  …YMENT001\n" * 2
        assert ran.err == "  More: weft ledger history 'Bo Li' --limit 2 --before 4\n"
        seen: list[int] = []
        line = ["ledger", "history", "--limit", "2", "--jsonl"]
        while line:
            ran = await world.weft(*line)
            seen += [row["row"] for row in ran.lines]
            line = [*ran.err.split()[2:], "--jsonl"] if ran.err else []
        assert seen == [5, 4, 3, 2, 1]
        assert (await world.weft("ledger", "history", "--json")).json == {"payments": world.debts.payments.past}
        remember(world.debts.payments, 50)
        ran = await world.weft("--profile", "default", "ledger", "history")
        assert ran.err == "  More: weft --profile default ledger history --before 1\n"
        assert (await world.weft("ledger", "history", "-q")).err == ""
        assert world.debts.payments.asked[:3] == [
            ("history", None, 50, None),
            ("history", "Bo Li", 2, None),
            ("history", None, 2, None),
        ]
        assert (await world.weft("ledger", "history", "--limit", "1001")).code == 2


async def test_amounts_of_the_past_stand_below_each_other(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.debts.payments.past = [
            {"row": 2, **payment("Bo", reason="waits for you", mine=False)},
            {"row": 1, **payment("Bo", state="settled", amount="5", unit="v:coffee", kind="voucher")},
        ]
        assert (await world.weft("ledger", "history")).out.splitlines() == [
            f"{AT}  •  12.50 EUR ← Bo  waits for you  …YMENT001",
            f"{AT}  ✔ 5 v:coffee → Bo  voucher  paid  …YMENT001",
        ]


# --- books and statements


async def test_books_go_to_stdout_in_parts(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.debts.books.pieces = 3
        ran = await world.weft("ledger", "export", "--format", "csv", "--with", "Bo")
        assert (ran.code, ran.out, ran.err) == (0, BOOK, "")
        assert world.debts.books.asked == [
            ("export", "csv", "Bo", EAST_MIN),
            ("part", "t0", 4),
            ("part", "t0", 8),
        ]
        assert (await world.weft("ledger", "export", "--format", "hledger", "--json")).json == {"text": BOOK}
        ran = await world.weft("ledger", "export")
        assert (ran.code, "Missing option '--format'" in ran.err) == (2, True)
        assert (await world.weft("ledger", "export", "--format", "gnucash")).code == 2


async def test_books_go_into_a_file_whole_or_not_at_all(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.debts.books.pieces = 3
        file = tmp_path / "my books"
        line = ("ledger", "export", "--format", "hledger")
        ran = await world.weft(*line, str(file))
        assert (ran.code, ran.out, ran.err) == (0, f"✔ Written: {file} (10 bytes)\n", "")
        assert (file.read_text(), file.stat().st_mode & 0o777) == (BOOK, 0o600)
        world.debts.books.made = b"other"
        ran = await world.weft("--profile", "default", *line, "--with", "Bo Li", str(file))
        said = f"There is a file {quoted(str(file))} already; it was left as it is."
        again = f"weft --profile default ledger export --format hledger --with 'Bo Li' '{file}' --force"
        assert (ran.code, ran.out, ran.err) == (1, "", f"{said} Write over it: {again}\n")
        assert file.read_text() == BOOK
        ran = await world.weft(*line, str(file), "--force", "--json")
        assert (ran.json, file.read_text()) == ({"file": str(file), "bytes": 5}, "other")
        ran = await world.weft(*line, str(tmp_path / "nowhere" / "file"))
        assert (ran.code, "cannot be written (No such file or directory); nothing was changed." in ran.err) == (1, True)
        assert ran.err.endswith(" Name another: weft ledger export --format hledger FILE\n")
        for words in ((str(tmp_path),), (str(tmp_path), "--force"), ("",)):
            ran = await world.weft(*line, *words)
            assert (ran.code, "cannot be written (" in ran.err) == (1, True)
        assert hidden(tmp_path) == []


def hidden(folder: Path) -> list[Path]:
    """What was begun and not ended."""
    return [*folder.glob(".*")]


async def test_a_part_that_is_gone_leaves_no_half_of_a_file(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.debts.books.pieces, world.debts.books.kept = 3, 2
        folder = tmp_path / "out"
        folder.mkdir()
        for form in ("--json", "-q"):
            world.debts.books.asked.clear()
            ran = await world.weft("ledger", "export", "--format", "csv", str(folder / "books"), form)
            assert (ran.code, [*folder.iterdir()]) == (1, [])
            assert "What was being read is not kept so long; begin again." in ran.out + ran.err
        world.debts.books.asked.clear()
        ran = await world.weft("ledger", "export", "--format", "csv")
        assert (ran.code, BOOK.startswith(ran.out)) == (1, True)


async def test_a_statement_is_of_this_month_or_of_another(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        months = {time.strftime("%Y-%m")}
        ran = await world.weft("ledger", "statement")
        months.add(time.strftime("%Y-%m"))
        assert (ran.code, ran.out, ran.err) == (0, BOOK, "")
        await world.weft("ledger", "statement", "--month", "2025", "--with", "Bo")
        file = tmp_path / "year.pdf"
        ran = await world.weft("ledger", "statement", "--month", "2025", "--pdf", str(file))
        assert (ran.out, file.read_text()) == (f"✔ Written: {file} (10 bytes)\n", BOOK)
        ran = await world.weft("ledger", "statement", "--month", "2025", "--pdf", str(file))
        assert (ran.code, ran.err.partition("Write over it: ")[2]) == (
            1,
            f"weft ledger statement --month 2025 --pdf {file} --force\n",
        )
        this, *others = world.debts.books.asked
        assert this in [("statement", month, "text", None, EAST_MIN) for month in months]
        assert others == [
            ("statement", "2025", "text", "Bo", EAST_MIN),
            *[("statement", "2025", "pdf", None, EAST_MIN)] * 2,
        ]


async def test_a_pdf_goes_to_stdout_as_it_is_and_into_no_json(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        assert (await world.weft("ledger", "statement", "--pdf", "-")).out == BOOK
        world.debts.books.asked.clear()
        for form in ("--json", "--jsonl"):
            ran = await world.weft("ledger", "statement", "--pdf", "-", form)
            assert (ran.code, ran.json["error"]["code"], world.debts.books.asked) == (2, "usage", [])


async def test_evidence_is_a_file_and_says_who_can_read_it(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.debts.books.made = b"\xd9\xf7"
        file = tmp_path / "a proof"
        ran = await world.weft("ledger", "evidence", "MENT001", str(file))
        assert (ran.code, ran.out, file.read_bytes()) == (0, f"✔ Written: {file} (2 bytes)\n", b"\xd9\xf7")
        assert ran.err == (
            "! Whoever gets the file can read this payment, and show it to others.\n"
            "  Anybody can examine it, with Python and two libraries (pip install pynacl cbor2):\n"
            f"  python3 docs/verify_payment.py < '{file}'\n"
        )
        ran = await world.weft("--profile", "default", "ledger", "evidence", "MENT001", str(file))
        again = f"weft --profile default ledger evidence MENT001 '{file}' --force"
        assert (ran.code, ran.err.partition("Write over it: ")[2]) == (1, f"{again}\n")
        ran = await world.weft("ledger", "evidence", "MENT001", "-", "--json")
        assert (ran.code, ran.json["error"]["code"]) == (2, "usage")
        assert world.debts.books.asked == [("evidence", "MENT001")] * 2


async def test_the_name_of_a_file_moves_no_cursor(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        name = str(tmp_path / EVIL.replace("\x00", "").replace("/", ""))
        for _ in range(2):  # written, and refused
            ran = await world.weft("ledger", "export", "--format", "csv", name)
            assert (steering(ran.out), steering(ran.err)) == ([], [])
        assert ran.code == 1


async def test_evidence_is_a_file_and_whoever_gets_it_is_told_how_to_check_it(tmp_path: Path) -> None:
    async with fake.node(tmp_path) as world:
        world.debts.books.made, file = b"\x88\x0a evidence", tmp_path / "lunch paid"
        ran = await world.weft("ledger", "evidence", "YMENT001", str(file))
        assert ran.out == f"✔ Written: {file} (11 bytes)\n"
        assert ran.err == (
            "! Whoever gets the file can read this payment, and show it to others.\n"
            "  Anybody can examine it, with Python and two libraries (pip install pynacl cbor2):\n"
            f"  python3 docs/verify_payment.py < '{file}'\n"
        )
        assert file.read_bytes() == world.debts.books.made
        assert world.debts.books.asked == [("evidence", "YMENT001")]
        assert (await world.weft("ledger", "evidence", "YMENT001", str(file))).code == 1  # it is there already
