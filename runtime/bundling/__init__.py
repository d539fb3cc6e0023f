"""Bundles of people's own models: from one file to a folder that can be served."""
