"""Reckons what a service of a given load takes, for docs/capacity.md."""
