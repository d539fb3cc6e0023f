"""``make bench``: this project's servers and their peers, measured side by side."""
