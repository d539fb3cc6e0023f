"""``make zoo``: every model of tests/zoo, converted, proved, and put into docs/."""
