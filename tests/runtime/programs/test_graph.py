"""Graphs of TensorFlow may run some operators, and no others."""

import pytest

from bundle.errors import BundleError
from bundle.folder import open_bundle
from runtime.programs import check_programs
from runtime.programs.tensorflow_pb2 import GraphDef, NodeDef, TensorProto
from tests.examples import write_bundle
from tests.runtime.programs.saved_models import node, saved_model

WRITES = [node("w", "WriteFile")]


@pytest.mark.parametrize(
    "operator",
    [
        *("WriteFile", "ReadFile", "MatchingFiles", "PyFunc", "EagerPyFunc", "PrintV2"),
        *("Save", "SaveSlices", "Restore", "InitializeTableFromTextFileV2"),
        *("ImmutableConst", "TFRecordDataset", "IteratorGetNext", "QueueDequeueV2"),
        *("RpcCall", "Send", "CollectiveReduce", "TPUPartitionedCall", "MyOwnOperator"),
        *("WholeFileReaderV2", "LoadAndRemapMatrix", "WriteSummary", "BatchFunction"),
        *("FixedUnigramCandidateSampler", "XlaCallModule", "XlaLaunch", "_XlaRun"),
    ],
)
def test_an_operator_that_does_more_than_compute_is_refused(check, operator):
    model = saved_model([node("bad", operator)])
    with pytest.raises(BundleError, match=f"'{operator}'.*'bad' in the graph") as found:
        check(model)
    assert "saved_model.pb" in str(found.value)
    check(trusted=True)


@pytest.mark.parametrize("operator", ["SaveV2", "RestoreV2", "MergeV2Checkpoints"])
def test_what_saves_and_loads_does_so_for_a_saver_alone(check, operator):
    with pytest.raises(BundleError):
        check(saved_model([node("bad", operator)]))


@pytest.mark.parametrize(
    "model",
    [
        # A signature calls a function.
        saved_model([node("call", "StatefulPartitionedCall", f="f")], {"f": WRITES}),
        # A branch of a branch runs it.
        saved_model(
            [node("if", "If", then_branch="a", else_branch="b")],
            {"a": [], "b": [node("c", "Case", branches=["a", "f"])], "f": WRITES},
        ),
        # A function is called as an operator; in the next model nobody seems to call
        # it.
        saved_model([node("call", "f")], {"f": WRITES}),
        saved_model([], {"f": WRITES}),
        # A function has the name of an operator.
        saved_model([node("w", "WriteFile")], {"WriteFile": []}),
        # A function saves, and another one loads.
        saved_model([node("w", "WriteFile")], save="w:0"),
        saved_model([node("s", "PartitionedCall", f="f")], {"f": WRITES}, save="s:0"),
        saved_model([node("r", "WriteFile")], restore="r"),
        saved_model([node("r", "PartitionedCall", f="f")], {"f": WRITES}, restore="r"),
        # An operator is called as if it were a function.
        saved_model([node("call", "PartitionedCall", f="WriteFile")]),
    ],
)
def test_it_is_found_wherever_it_may_be_run(check, model):
    with pytest.raises(BundleError, match="'WriteFile'"):
        check(model)


def passing_on(name):
    """Return a call that gives its function another one, in nested attributes."""
    made = node("call", "StatefulPartitionedCall", f="outer")
    made.attr["f"].func.attr["g"].func.attr["h"].list.func.add(name=name)
    return made


def test_functions_that_are_passed_on_are_looked_at(check):
    check(saved_model([passing_on("f")], {"outer": [], "f": [node("n", "Identity")]}))
    with pytest.raises(BundleError, match="'WriteFile'"):
        check(saved_model([passing_on("WriteFile")], {"outer": []}))


def test_functions_that_stand_for_one_another_are_all_looked_at(check):
    """Keras 2 writes such functions for an LSTM; TensorFlow runs one by its device."""

    def lstm(body):
        made = saved_model(
            [node("call", "PartitionedCall", f="standard")],
            {"standard": [node("n", "While")], "cudnn": body},
        )
        for function in made.meta_graphs[0].graph_def.library.function:
            function.attr["api_implements"].s = b"lstm_1"
            function.attr["api_preferred_device"].s = b"GPU"
        return made

    check(lstm([node("n", "CudnnRNNV3")]))
    with pytest.raises(BundleError, match="'WriteFile'.*function 'cudnn'"):
        check(lstm(WRITES))


def test_every_meta_graph_counts(check):
    model = saved_model([node("x", "Placeholder")])
    model.meta_graphs.extend(saved_model(WRITES).meta_graphs)
    with pytest.raises(BundleError, match="'WriteFile'"):
        check(model)


def constant(**tensor):
    made = NodeDef(name="c", op="Const")
    made.attr["value"].tensor.CopyFrom(TensorProto(**tensor))
    return made


@pytest.mark.parametrize(
    "tensor",
    [
        {"dtype": 20},
        {"dtype": 21},
        {"dtype": 1, "variant_val": [{}]},
        {"dtype": 1, "resource_handle_val": [{"name": "of another model"}]},
    ],
)
def test_constants_hold_neither_handles_nor_objects(check, tensor):
    check(saved_model([constant(dtype=1, float_val=[1])]))
    with pytest.raises(BundleError, match="a constant holds a handle"):
        check(saved_model([], {"f": [constant(**tensor)]}))


@pytest.mark.parametrize(
    ("operator", "attribute"),
    [
        ("ParseTensor", "out_type"),
        ("DeserializeSparse", "dtype"),
        ("DeserializeManySparse", "dtype"),
    ],
)
def test_neither_are_they_made_of_bytes(check, operator, attribute):
    made = node("p", operator)
    made.attr[attribute].type = 1
    check(saved_model([made]))
    made.attr[attribute].type = 21
    with pytest.raises(BundleError, match=f"'{operator}'.*of bytes"):
        check(saved_model([made]))
    # The function's caller gives the type.
    made.attr[attribute].placeholder = "T"
    with pytest.raises(BundleError, match=f"'{operator}'.*of bytes"):
        check(saved_model([], {"f": [made]}))


def test_a_frozen_graph_is_a_program_too(tmp_path):
    params = {"model": "graph.pb", "input_node": "x", "output_node": "y"}
    folder = write_bundle(tmp_path / "frozen", params=params)
    (folder / "model.onnx").unlink()
    graph = GraphDef(node=[node("x", "Placeholder"), node("y", "Identity", "x")])

    def check(*bad):
        written = GraphDef(node=[*graph.node, *bad])
        (folder / "graph.pb").write_bytes(written.SerializeToString())
        check_programs(open_bundle(folder), trusted=False)

    check()
    # A frozen graph has no saver.
    for operator in ("ReadFile", "SaveV2", "RestoreV2"):
        with pytest.raises(BundleError, match=rf"graph\.pb.*'{operator}'"):
            check(node("bad", operator, "x"))
