"""``trainer compare``: two bundles side by side, by the metrics of their trainings."""
