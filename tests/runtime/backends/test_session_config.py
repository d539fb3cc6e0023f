import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.backends.session_config import read_session_config
from runtime.config import ConfigError

ROOT = Path(__file__).resolve().parents[3]

# A process can configure TensorFlow only once, so each case has its own process. They
# are forked from one that has imported TensorFlow, which takes seconds.
SCRIPT = """
import json, logging, os, pathlib, sys
from runtime.backends.saved_model import load_tensorflow
from runtime.backends.session_config import (
    apply_session_config, keep_session_config, read_session_config
)
from runtime.errors import BackendError
logging.basicConfig(stream=sys.stdout, format="%(levelname)s %(message)s")
tf = load_tensorflow()

def apply(file, write, threads):
    path = pathlib.Path(file)
    exec(write)
    name = str(path) if path.exists() else ""
    keep_session_config(read_session_config(name, threads=threads))
    try:
        for _ in range(2):  # the second model finds it applied
            apply_session_config(tf)
            tf.constant(1)
    except BackendError as ex:
        print("refused:", ex)
    threads = tf.config.threading
    print(threads.get_intra_op_parallelism_threads(),
          threads.get_inter_op_parallelism_threads(),
          len(tf.config.list_logical_devices("CPU")), flush=True)

for line in sys.stdin:
    pid = os.fork()
    if not pid:
        code = 1
        try:
            apply(*json.loads(line))
            code = 0
        finally:
            os._exit(code)
    print("exit", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""
WRITE = """
proto = tf.compat.v1.ConfigProto({fields})
path.write_bytes(proto.SerializeToString())
"""


@pytest.fixture(scope="module")
def server():
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        env={
            # make coverage has put its own folder there.
            "PYTHONPATH": os.pathsep.join(
                [str(ROOT), os.environ.get("PYTHONPATH", str(ROOT))]
            ),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "HOME": "/",
        },
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process


@pytest.fixture
def applied(server, tmp_path):
    """Return a function that configures TensorFlow by a file, and gives the output."""

    def apply(write, threads=0):
        order = json.dumps([str(tmp_path / "proto"), write, threads])
        print(order, file=server.stdin, flush=True)
        lines = []
        while not (line := server.stdout.readline()).startswith("exit"):
            assert line, "the process has ended"
            lines.append(line.rstrip())
        assert line == "exit 0\n"
        return lines

    return apply


@pytest.mark.tensorflow
def test_threads_and_devices_are_set_and_the_rest_is_named_once(applied):
    fields = (
        "intra_op_parallelism_threads=3, inter_op_parallelism_threads=2,"
        "allow_soft_placement=True, device_count={'CPU': 2, 'GPU': 0},"
        "gpu_options=dict(allow_growth=True, per_process_gpu_memory_fraction=0.5),"
        "operation_timeout_in_ms=7"
    )
    warning, threads = applied(WRITE.format(fields=fields))
    assert warning == (
        "WARNING configProto: TensorFlow 2 has no such options, and these have no"
        " effect: gpu_options.per_process_gpu_memory_fraction, operation_timeout_in_ms"
    )
    assert threads == "3 2 2"


@pytest.mark.tensorflow
def test_a_run_takes_as_many_threads_as_the_service_says(applied):
    assert applied("", threads=1) == ["1 1 1"]


@pytest.mark.tensorflow
def test_the_file_s_threads_are_stronger(applied):
    fields = "intra_op_parallelism_threads=3"
    assert applied(WRITE.format(fields=fields), threads=1) == ["3 1 1"]


@pytest.mark.tensorflow
def test_a_gpu_that_is_not_there_is_a_sentence(applied):
    fields = "gpu_options=dict(visible_device_list='7')"
    assert applied(WRITE.format(fields=fields))[0] == (
        "refused: TensorFlow refuses config.json's 'configProto': visible_device_list"
        " names GPU 7, and there are 0 GPUs"
    )


@pytest.mark.tensorflow
def test_a_file_that_tensorflow_cannot_read_is_a_sentence(applied):
    # gpu_options holds experimental, which holds half a field: two messages deep.
    write = "path.write_bytes(bytes([0x32, 4, 0x4A, 2, 0xFF, 0xFF]))"
    assert applied(write)[0] == (
        "refused: the file of config.json's 'configProto' holds no serialized"
        " tensorflow.ConfigProto"
    )


@pytest.mark.tensorflow
def test_any_config_proto_is_known_without_tensorflow(tmp_path):
    """The file sets all that this TensorFlow knows; a new one may have new fields."""
    from tensorflow.core.protobuf.config_pb2 import ConfigProto

    proto = ConfigProto(
        device_count={"CPU": 2},
        device_filters=["/job:ps"],
        session_inter_op_thread_pool=[{"num_threads": 2}],
        gpu_options={"allow_growth": True},
        pluggable_device_options={"allow_growth": True},
        graph_options={"place_pruned_graph": True},
        rpc_options={"use_rpc_for_inprocess_master": True},
        cluster_def={"job": [{"name": "ps"}]},
        experimental={"collective_group_leader": "a"},
    )
    for field in proto.DESCRIPTOR.fields:
        if field.message_type is None and field.name != "device_filters":
            setattr(proto, field.name, 1)
    assert {field.number for field, _ in proto.ListFields()} == {
        field.number for field in proto.DESCRIPTOR.fields
    }
    path = tmp_path / "proto"
    path.write_bytes(proto.SerializeToString())
    read_session_config(str(path))
    path.write_bytes(b"")  # sets nothing
    read_session_config(str(path))
    read_session_config("")


@pytest.mark.parametrize(
    "content",
    [
        b'{"port": 1}',
        b"intra_op_parallelism_threads: 3\n",  # protobuf's text form
        Path("/etc/passwd").read_bytes(),
        b"\x08\x01",  # a number where a message belongs
        b"\x10",  # cut short
        b"\x98\x06\x01",  # field 99
        b"\x32\x02\xff\xff",  # gpu_options with half a field
        b"\x7fELF\x02\x01",
    ],
)
def test_a_file_that_is_no_config_proto_is_told_at_the_start(tmp_path, content):
    path = tmp_path / "proto"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="proto, which is no serialized tensorflow"):
        read_session_config(str(path))
    read_session_config("")


def test_a_missing_file_is_told_at_the_start(tmp_path):
    with pytest.raises(ConfigError, match="'configProto' is .*: No such file"):
        read_session_config(str(tmp_path / "nothing"))
