"""This room asks its contacts, and is asked: by protocol/probe.py, of which the rules in ledger/finding.py speak."""

from protocol.probe import Found, Probe

CONTENTS: tuple[type, ...] = (Probe, Found)
