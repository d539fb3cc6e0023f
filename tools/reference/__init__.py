"""``make docs``: the parts of docs/reference/ that the code says itself."""
