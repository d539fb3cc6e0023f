"""logrotate renames a log while the service writes it, and no line is lost."""

import gzip
import logging
import os
from contextlib import ExitStack, closing
from datetime import date, timedelta

import pytest

from runtime.telemetry.logs import DailyFileHandler
from tests.deploy.tools import DEPLOY, run_tool

RULES = DEPLOY / "logrotate" / "tfaas-onnx"


@pytest.mark.slow
def test_no_line_is_lost_and_old_pieces_go(tmp_path):
    (tmp_path / "private").mkdir(mode=0o750)
    folder = tmp_path / "log"
    # DynamicUser makes the folder of LogsDirectory a link to one below private.
    folder.symlink_to("private")
    text = RULES.read_text()
    assert "/var/log/tfaas-onnx/" in text and "size 100M" in text
    rules = tmp_path / "rules"
    # Pieces of 100 bytes are enough here.
    rules.write_text(
        text.replace("/var/log/tfaas-onnx", str(folder)).replace(
            "size 100M", "size 100"
        )
    )
    rules.chmod(0o644)
    lines = []
    with ExitStack() as stack:
        # Two processes write one file.
        handlers = [
            stack.enter_context(closing(DailyFileHandler(f"{folder}/tfaas-onnx")))
            for _ in range(2)
        ]

        def write():
            for handler in handlers:
                lines.append(f"line {len(lines)} of a log that is cut into pieces")
                handler.emit(logging.makeLogRecord({"msg": lines[-1]}))

        (log,) = folder.iterdir()
        old = log.with_name(
            f"{log.name[:-8]}{date.today() - timedelta(days=9):%Y%m%d}.1.gz"
        )
        old.write_bytes(b"")
        week_ago = old.stat().st_mtime - 9 * 86400
        os.utime(old, (week_ago, week_ago))
        for _ in range(4):
            write()
            write()
            run_tool(
                "logrotate", "--state", tmp_path / "state", rules, package="logrotate"
            )
        write()
    assert not old.exists()
    pieces = sorted(folder.iterdir())
    assert len(pieces) == 5
    assert sum(piece.suffix == ".gz" for piece in pieces) == 3
    kept = []
    for piece in pieces:
        opened = gzip.open if piece.suffix == ".gz" else open
        with opened(piece, "rt") as file:
            kept += file.read().splitlines()
    assert sorted(kept) == sorted(lines)
