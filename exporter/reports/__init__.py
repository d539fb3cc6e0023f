"""Show people steps, tables and pictures, and tell programs an outcome."""
