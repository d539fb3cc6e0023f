"""A release: its files, the bill of what is in them, and the look for known faults."""
