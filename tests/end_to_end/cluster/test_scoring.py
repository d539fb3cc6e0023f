"""``runtime score --ray``: each row is there once, whatever is killed meanwhile."""

from __future__ import annotations

import io
import os
import re
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bundle.objects.bucket import open_bucket
from tests.cluster import until
from tests.end_to_end.conftest import ENVIRONMENT, PATIENCE, run
from tests.end_to_end.objects.servers import BUCKET, moto
from tests.examples import slow_onnx, write_bundle

pytestmark = pytest.mark.cluster

IS_LONG = os.environ.get("CLUSTER", "short") != "short"
long_form = pytest.mark.skipif(not IS_LONG, reason="make cluster-test runs it")

COUNT = 60
# Each part has one picture, and takes some 30 ms.
SCORE = "runtime score pictures --model linear --batch 1"
# The title of a process that holds a model.
SCORER = "MapBatches"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a folder of pictures with a slow model, and what it answers to them."""
    folder = tmp_path_factory.mktemp("scoring")
    write_bundle(folder / "models" / "linear" / "1", onnx_bytes=slow_onnx(20))
    (folder / "config.json").write_text('{"provider": "cpu"}')
    (folder / "pictures").mkdir()
    for number, pixels in enumerate(
        np.random.default_rng(7).integers(0, 256, (COUNT, 2, 2), np.uint8)
    ):
        Image.fromarray(pixels).save(folder / "pictures" / f"{number:03}.png")
    (folder / "pictures" / "005.png").write_bytes(b"no picture")
    run(f"{SCORE} --out local.parquet --workers 1", folder)
    return folder


@pytest.fixture
def environment(cluster, monkeypatch):
    """Let the commands of a test join the cluster."""
    for name, value in cluster.environment.items():
        monkeypatch.setitem(ENVIRONMENT, name, value)
    return cluster.environment


def rows_of(folder: Path, out: str):
    """Return all rows of an output, in the order of its files."""
    return pyarrow.dataset.dataset(folder / out, format="parquet").to_table()


def assert_whole(folder: Path, out: str) -> None:
    """Check that an output has the rows of the command that scored alone."""
    expected = pq.read_table(folder / "local.parquet")
    assert len(expected) == COUNT - 1
    assert rows_of(folder, out).equals(expected)
    rejects = (folder / f"{out}.rejects.csv").read_bytes()
    assert rejects == (folder / "local.rejects.csv").read_bytes()
    names = sorted(path.name for path in (folder / out).iterdir())
    assert names[0] == "_SUCCESS"
    assert all(name.startswith("part-") for name in names[1:])


@contextmanager
def started(command: str, folder: Path):
    """Run a command for the length of a block; kill it if it has not ended by then."""
    with (folder / "score.log").open("a") as log:
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=folder,
            env=ENVIRONMENT,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait(PATIENCE)


def when_done(folder: Path, out: str, count: int, process: subprocess.Popen) -> None:
    """Wait until so many parts are done and the command still runs."""

    def is_so() -> bool:
        assert process.poll() is None, (folder / "score.log").read_text()
        return len(list((folder / out).glob("_parts/*.json"))) >= count

    until(is_so, f"{count} parts are done", PATIENCE)


def assert_quiet(folder: Path) -> None:
    """Check that no command has repeated what Ray says of lost processes."""
    assert "(raylet)" not in (folder / "score.log").read_text()


def test_killed_processes_and_a_killed_command_lose_and_double_no_row(
    folder, cluster, environment
):
    score = f"{SCORE} --ray --out killed --workers 2 --cpus 2"
    with started(score, folder) as command:
        for count in (3, 8):
            when_done(folder, "killed", count, command)
            victim = cluster.processes(SCORER)[0]
            victim.kill()
            victim.wait(PATIENCE)
        when_done(folder, "killed", 15, command)
        command.kill()
    assert_quiet(folder)
    done = list((folder / "killed" / "_parts").glob("*.json"))
    assert 15 <= len(done) < COUNT
    told = run(f"{score} --resume", folder)
    assert f"killed: {COUNT - 1} items, 1 rejected (killed.rejects.csv), " in told
    assert_whole(folder, "killed")


@long_form
@pytest.mark.parametrize(
    ("title", "most"),
    [
        # Ray counts 11 starts, but not each that ended before it had its work: 13 were
        # seen on a busy machine. The test would never end if nothing were counted.
        pytest.param(SCORER, 22, id="during its start"),
        pytest.param(f"{SCORER}(_Actor)).submit", 6, id="with a part"),
    ],
)
def test_a_process_that_is_killed_again_and_again_ends_the_run(
    folder, cluster, environment, title, most
):
    # One part has all pictures, and takes a second.
    score = f"runtime score pictures --model linear --ray --out lost{most} --workers 1"
    killed = set()
    with started(score, folder) as command:

        def has_ended() -> bool:
            for process in cluster.processes(title):
                process.kill()
                killed.add(process.pid)
            return command.poll() is not None

        until(has_ended, "the end of the command", PATIENCE)
        assert command.wait() == 1
    assert 6 <= len(killed) <= most
    assert_quiet(folder)
    last = (folder / "score.log").read_text().splitlines()[-1]
    assert last.startswith("Error: a process of the cluster was lost several times")
    assert not list((folder / f"lost{most}").glob("part-*"))


@long_form
def test_ctrl_c_ends_the_command_and_its_processes(folder, cluster, environment):
    score = f"{SCORE} --ray --out stopped --workers 2 --cpus 2"
    with started(score, folder) as command:
        when_done(folder, "stopped", 5, command)
        command.send_signal(signal.SIGINT)
        assert command.wait(PATIENCE) == 130
    *_, kept, last = (folder / "score.log").read_text().splitlines()
    assert re.fullmatch(r"\d+ items are done: go on with --resume", kept)
    assert last == "interrupted"
    until(lambda: not cluster.processes(SCORER), "the end of the processes", PATIENCE)
    run(f"{score} --resume", folder)
    assert_whole(folder, "stopped")


@long_form
def test_a_killed_node_loses_and_doubles_no_row(folder, cluster, environment):
    node = cluster.add_node(cpus=2)
    score = f"{SCORE} --ray --out nodes --workers 3 --cpus 2"
    with started(score, folder) as command:
        when_done(folder, "nodes", 10, command)
        assert len(cluster.processes(SCORER)) == 3  # one on each node
        cluster.kill_node(node)
        assert command.wait(PATIENCE) == 0, (folder / "score.log").read_text()
    assert_quiet(folder)
    assert_whole(folder, "nodes")


@long_form
def test_rows_of_a_table_need_not_be_on_the_other_nodes(folder, environment):
    numbers = np.random.default_rng(8).random((200, 4)).round(3)
    lines = [",".join(map(str, row)) for row in numbers.tolist()]
    lines = [f"{number},{line}" for number, line in enumerate(lines)]
    lines[7] = "7,1,,2,3"
    (folder / "rows.csv").write_text("\n".join(["id,p,q,r,s", *lines, ""]))
    score = "runtime score rows.csv --model ./models/linear/1 --batch 16 --keep id"
    run(f"{score} --out rows.parquet", folder)
    told = run(f"{score} --ray --out rows --rejects bad.csv --workers 2", folder)
    assert "rows: 199 items, 1 rejected (bad.csv), " in told
    assert rows_of(folder, "rows").equals(pq.read_table(folder / "rows.parquet"))
    assert (
        folder / "bad.csv"
    ).read_text() == "item,reason\n7,the value 'q' is missing\n"


@long_form
def test_pictures_model_and_rows_in_an_object_store(folder, environment, monkeypatch):
    with moto() as server:
        # The nodes were started without these variables.
        for name, value in {
            "AWS_ENDPOINT_URL": server.url,
            "AWS_ACCESS_KEY_ID": "reader",
            "AWS_SECRET_ACCESS_KEY": "a-secret-key-of-this-test",
            "AWS_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(name, value)
            monkeypatch.setitem(ENVIRONMENT, name, value)
        bucket = open_bucket(f"s3://{BUCKET}")
        for path in (folder / "pictures").iterdir():
            bucket.put(f"pictures/{path.name}", path)
        store = f"s3://{BUCKET}/store"
        run(f"runtime models push models/linear/1 --models-dir {store}", folder)
        score = (
            f"runtime score s3://{BUCKET}/pictures --model linear --batch 1"
            f" --models-dir {store} --ray --workers 2 --cpus 2"
            f" --out s3://{BUCKET}/scores --rejects there.rejects.csv"
        )
        with started(score, folder) as command:

            def is_begun() -> bool:
                assert command.poll() is None, (folder / "score.log").read_text()
                return len(bucket.list("scores/_parts/")) >= 10

            until(is_begun, "10 parts are done", PATIENCE)
            command.send_signal(signal.SIGKILL)
        run(f"{score} --resume", folder)
        names = sorted(bucket.list("scores/"))
        assert names.pop(0) == "scores/_SUCCESS"
        tables = [pq.read_table(io.BytesIO(bucket.read(name)[0])) for name in names]
    assert pyarrow.concat_tables(tables).equals(pq.read_table(folder / "local.parquet"))
    rejects = (folder / "there.rejects.csv").read_bytes()
    assert rejects == (folder / "local.rejects.csv").read_bytes()
