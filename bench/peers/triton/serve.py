"""Start the tritonserver that nvidia-pytriton ships, with model.py beside this file.

The arguments are the ports for HTTP and gRPC, and a folder for the model repository.
"""

import os
import shutil
import sys
from pathlib import Path

import classifier
from pytriton.utils.distribution import (
    get_libs_path,
    get_root_module_path,
    get_stub_path,
)

CONFIG = """
backend: "python"
max_batch_size: 32
dynamic_batching {{ }}
instance_group [ {{ count: {cores}, kind: KIND_CPU }} ]
input [
  {{ name: "image", data_type: TYPE_STRING, dims: [1], optional: true }},
  {{ name: "pixels", data_type: TYPE_FP32, dims: [{dims}], optional: true }}
]
output [ {{ name: "scores", data_type: TYPE_FP32, dims: [-1] }} ]
"""


def main():
    """Write the repository, and become the server."""
    port, grpc_port, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    shutil.rmtree(folder, ignore_errors=True)
    version = folder / "repository" / "model" / "1"
    version.mkdir(parents=True)
    # The backend's Python ignores PYTHONPATH, but it sees the model's folder.
    for source in (Path(__file__).with_name("model.py"), Path(classifier.__file__)):
        shutil.copy(source, version)
    config = CONFIG.format(
        cores=os.environ["BENCH_CORES"],
        dims=", ".join(map(str, classifier.Classifier().shape)),
    )
    version.with_name("config.pbtxt").write_text(config)

    # The backend's program for this Python has to lie in the backend's folder.
    shipped = get_root_module_path() / "tritonserver"
    backends = folder / "backends"
    shutil.copytree(shipped / "backends", backends)
    shutil.copy(
        get_stub_path(f"{sys.version_info.major}.{sys.version_info.minor}"),
        backends / "python",
    )
    # It finds the environment's packages by the first python of the PATH.
    os.environ["LD_LIBRARY_PATH"] = str(get_libs_path())
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    program = str(shipped / "bin" / "tritonserver")
    os.execv(
        program,
        [
            program,
            f"--model-repository={folder / 'repository'}",
            f"--backend-directory={backends}",
            "--http-address=127.0.0.1",
            f"--http-port={port}",
            f"--http-thread-count={os.environ['BENCH_CORES']}",
            "--grpc-address=127.0.0.1",
            f"--grpc-port={grpc_port}",
            "--allow-metrics=false",
            "--log-info=false",
        ],
    )


if __name__ == "__main__":
    main()
