"""The version of weft: the one place that says it, for the wheel, the node and the doors."""

VERSION = "0.1.0"
