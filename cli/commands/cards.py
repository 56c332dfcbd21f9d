"""card, cards: introducing contacts to each other."""

import click

from cli import options, show
from cli.options import Door


@options.command()
@options.contact_argument
@click.option(
    "--to",
    "reader",
    metavar="NAME",
    required=True,
    shell_complete=options.contact_names,
    help="The contact who gets the card.",
)
@click.pass_obj
def card(door: Door, name: str, reader: str) -> None:
    """Sends the card of a contact to another one, who can then ask to become its contact.

    The card names the account, and what it calls itself; your remarks and tags are not in it.
    """
    with door.connect() as client:
        row = client.call("profile.introduce", name=name, to=reader)
    who = show.clean(row["contact"])
    show.outcome(door, row, f"✔ {who} gets the card of {show.clean(row['claims'])}.")
    show.talk(door, "  Whoever has an account id can ask to become a contact, unless find.account is off there.")


@options.command()
@click.option("--forget", metavar="ID", type=click.IntRange(1, 2**53 - 1), help="Take a card off the list.")
@click.pass_obj
def cards(door: Door, forget: int | None) -> None:
    """Lists the cards that contacts sent you, and how to ask each account to become a contact."""
    with door.connect() as client:
        if forget is not None:
            row = client.call("profile.forget", id=forget)
            show.outcome(door, row, f"✔ The card of {show.clean(row['claims'])} is gone.")
            return
        rows = client.call("profile.cards")
    lines = [
        (
            str(row["id"]),
            show.clean(row["contact"]),
            show.clean(row["claims"]),
            f"your contact {show.clean(row['known'])}" if row["known"] else door.typed(f"weft add {row['account']}"),
        )
        for row in rows
    ]
    none = f"No cards yet. To send one: {door.typed('weft card NAME --to NAME')}"
    show.rows(door, "cards", rows, show.table(door, ("Id", "From", "Calls itself", ""), lines) if lines else none)
    if any(not row["known"] for row in rows):
        show.talk(door, "! A name on a card is the word of who sent it: compare with who answers.")
