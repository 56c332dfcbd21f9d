"""What this room says in entries of ledgers: the terms of ledger/terms.py. It says nothing in messages."""

from typing import get_args

from ledger.terms import Term

TERMS: tuple[type, ...] = get_args(Term)
