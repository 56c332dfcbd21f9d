"""This room says nothing to anybody: it reads what the ledgers have come to."""
