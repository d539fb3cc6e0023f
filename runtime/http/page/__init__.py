"""The page that a browser shows, and the files beside it."""
