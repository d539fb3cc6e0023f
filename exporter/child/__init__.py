"""Run work in a child process behind walls and within limits, and read its answer."""
