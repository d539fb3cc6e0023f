"""``python -m trainer``: the same as ``trainer``."""

from trainer.cli import main

main(prog_name="trainer")
