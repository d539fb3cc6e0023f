"""Without this package, pytest would take tests/bundle for the package bundle."""
