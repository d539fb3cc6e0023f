"""``make bench`` measures this project's servers and their peers side by side."""
