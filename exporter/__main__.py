"""``python -m exporter``: the same as ``exporter``."""

from exporter.cli import main

main(prog_name="exporter")
