"""The page for a browser, and the files beside it."""
