"""Models in memory: found, opened, warmed, batched, and dropped again."""
