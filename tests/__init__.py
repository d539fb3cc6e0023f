"""A package, or pytest would take tests/bundle for the package bundle."""
