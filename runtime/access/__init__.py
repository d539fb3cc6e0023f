"""The checks of a caller: its token, its machine, and the number of its requests."""
