"""Models in memory: they are found, opened, warmed, batched, and dropped again."""
