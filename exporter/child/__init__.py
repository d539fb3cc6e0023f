"""Work in a child process: behind walls, within limits, its answer read as data."""
