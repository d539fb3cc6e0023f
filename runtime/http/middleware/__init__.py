"""The steps that every request takes, on any route."""
