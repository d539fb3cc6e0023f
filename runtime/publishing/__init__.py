"""The way of a bundle into the store: it is checked, tried, and installed."""
