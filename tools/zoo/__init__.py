"""``make zoo`` converts and proves every model of tests/zoo, and writes docs/zoo.md."""
