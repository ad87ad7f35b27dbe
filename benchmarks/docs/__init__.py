"""The tables of README and docs."""
