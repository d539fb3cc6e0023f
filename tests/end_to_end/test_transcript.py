"""The commands of README.md and docs/ are typed as they stand there."""

import json
import re
import socket
from contextlib import ExitStack

import numpy as np

from tests.documents import PAGES, ROOT, transcripts
from tests.end_to_end.conftest import ask_as_readme, run, serving


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def replies(output):
    bodies = re.findall(r"^(?:\[|\{\").*[\]}]", output, re.M)
    return [json.loads(body) for body in bodies]


def test_every_transcript_of_the_readme_is_typed():
    names = [block.word for block in transcripts("README.md")]
    assert names == ["train", "serve", "ask", "others"]  # test_other_clients.py


def test_training_says_what_tfaas_example_shows(trained):
    log = (trained / "train.log").read_text()
    for line in (
        "x_train shape: (60000, 28, 28, 1)",
        "60000 train samples",
        "10000 test samples",
        "34,826",
        "### input ['serving_default_input_1:0']",
    ):
        assert line in log
    accuracy = float(re.search(r"Test accuracy: ([0-9.]+)", log).group(1))
    assert accuracy >= 0.97


# This is `ls mnist` of TFaaS's example, without keras_metadata.pb, which Keras 3 does
# not write.
SEED = """
assets            model.graph       saved_model.pb    variables
fingerprint.pb    labels.txt        params.json       saved_model.pbtxt
"""
OURS = "manifest.json model.keras model.onnx parity.json report sample.npz"


def test_the_bundle_holds_all_that_tfaas_reads_and_more(trained):
    expected = {*SEED.split(), *OURS.split()}
    assert expected <= set((trained / "train.log").read_text().splitlines())
    assert {path.name for path in (trained / "mnist").iterdir()} == expected


def test_readme_lists_the_bundles_files(trained):
    listing = re.search(
        r"```text\n(assets.*?)```", (ROOT / "README.md").read_text(), re.S
    )
    there = {path.name for path in (trained / "mnist").iterdir()}
    assert set(listing.group(1).split()) == there
    reference = (ROOT / "docs" / "reference" / "bundle.md").read_text()
    rows = {name.partition("/")[0] for name in re.findall(r"`([^`]+)`", reference)}
    assert there <= rows


def test_the_transcript_answers_alike_from_both_engines(trained, work):
    from_onnx = (trained / "ask.log").read_text()
    (work / "mnist" / "model.onnx").unlink()
    from_tensorflow = ask_as_readme(work)

    assert from_onnx.count("X-Model-Backend: onnxruntime/CPUExecutionProvider") == 2
    assert from_tensorflow.count("X-Model-Backend: tensorflow/cpu") == 2
    upload, models, one, four = replies(from_onnx)
    assert (upload["name"], upload["version"]) == ("mnist", 1)
    assert [model["name"] for model in models] == ["mnist"]
    assert (int(np.argmax(one)), int(np.argmax(four))) == (1, 4)
    assert abs(sum(one) - 1) < 1e-5
    assert min(one) > 0, "probabilities, not the saturated 0s and 1s of the original"

    upload, _models, other_one, other_four = replies(from_tensorflow)
    assert "no model.onnx" in upload["fallback_reason"]
    np.testing.assert_allclose(one, other_one, atol=1e-4)
    np.testing.assert_allclose(four, other_four, atol=1e-4)


def typed(folder):
    """Type the blocks of all pages, one after the other; return the output of each.

    A block "serve" starts a server, and all blocks up to the next such ask it.
    """
    outputs = {}
    with ExitStack() as server:
        port = "8083"
        for name in PAGES:
            for block in transcripts(name):
                if block.word == "serve":
                    server.close()
                    port = str(free_port())
                    settings = f"env TFAAS_PORT={port} TFAAS_WORKERS=1"
                    command = f"{settings} {block.text.strip()}"
                    server.enter_context(serving(command, folder))
                    continue
                # An error reply ends the block.
                text = block.text.replace("8083", port)
                text = re.sub(r"\bcurl ", "curl -sS --fail-with-body ", text)
                outputs[block.word] = run(text, folder)
    return outputs


def test_the_commands_of_every_page_work(work):
    outputs = typed(work)
    upload = json.loads(outputs["upload"])
    assert upload["version"] == 6
    assert upload["backend"] == "onnxruntime/CPUExecutionProvider"
    best, _ = json.loads(outputs["ask-labels"])["labels"]
    assert best["label"] == "1"
    explained = json.loads(outputs["explain"])
    names = [step["name"] for step in explained["steps"]]
    assert names == ["decoded", "polarity", "fit", "size"]
    assert explained["labels"][0]["label"] == "1"
    assert len(json.loads(outputs["ask-rows"])) == 10
    assert "img_channels is 1, from the shape of" in outputs["own-push"]
    assert int(np.argmax(json.loads(outputs["own-ask"]))) == 1
    assert "digits:2 onnxruntime/CPUExecutionProvider" in outputs["own-bundle"]
    assert re.search(r"^img1\.png +1 +0\.9", outputs["terminal"], re.M)
    assert re.search(r"^img1\.png,1,.*\nimg4\.png,4,", outputs["score"], re.M)
    assert "asked.csv: 2 items, " in outputs["score"]
    assert outputs["rollback"].rstrip().endswith('{"stable":1}')
    assert "mnist serves version 4" in outputs["models"]
    assert (work / "pulled" / "model.onnx").is_file()
    assert outputs["look"].startswith('{"status":"ready"}')
    assert "tfaas_requests_total" in outputs["look"]
    assert "(batch, 28, 28, 1)" in outputs["inspect"]
