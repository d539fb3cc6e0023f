"""The way of a bundle into the store: checked, tried, and installed."""
