"""``python -m exporter`` runs the same command as ``exporter``."""

from exporter.cli import main

main(prog_name="exporter")
