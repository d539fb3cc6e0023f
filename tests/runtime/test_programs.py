"""What uploaded models may run; TensorFlow's messages are made by hand here."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from bundle.errors import BundleError
from bundle.folder import open_bundle
from runtime.programs import check_programs
from runtime.proto.programs_pb2 import GraphDef, NodeDef, SavedModel
from tests.examples import linear_onnx, write_bundle


@pytest.fixture
def folder(tmp_path):
    folder = write_bundle(tmp_path / "linear")
    (folder / "variables").mkdir()
    for name in ("variables.index", "variables.data-00000-of-00001"):
        (folder / "variables" / name).write_bytes(b"weights")
    return folder


def check(folder, *, trusted=False):
    check_programs(open_bundle(folder), trusted=trusted)


def node(name, op, *inputs, **functions):
    made = NodeDef(name=name, op=op, input=inputs)
    for attribute, function in functions.items():
        if isinstance(function, list):
            for one in function:
                made.attr[attribute].list.func.add(name=one)
        else:
            made.attr[attribute].func.name = function
    return made


def saved_model(
    nodes=(), functions=(), *, save="", restore="", named=(), asked=(), run=(), bare=()
):
    model = SavedModel()
    meta = model.meta_graphs.add()
    meta.graph_def.node.extend(nodes)
    for name, body in dict(functions).items():
        function = meta.graph_def.library.function.add()
        function.signature.name = name
        function.node_def.extend(body)
    meta.saver_def.save_tensor_name = save
    meta.saver_def.restore_op_name = restore
    for name in asked:
        meta.signature_def["serving_default"].outputs[name].name = f"{name}:0"
    meta.collection_def["saved_model_main_op"].node_list.value.extend(run)
    for name in bare:
        objects = meta.object_graph_def.nodes
        objects.add().bare_concrete_function.concrete_function_name = name
    for name in named:
        meta.object_graph_def.concrete_functions[name].SetInParent()
    return model.SerializeToString()


WRITES = [node("w", "WriteFile")]


@pytest.mark.parametrize(
    "operator",
    [
        *("WriteFile", "ReadFile", "MatchingFiles", "PyFunc", "EagerPyFunc", "PrintV2"),
        *("SaveV2", "RestoreV2", "MergeV2Checkpoints", "InitializeTableFromTextFileV2"),
        *("ImmutableConst", "TFRecordDataset", "IteratorGetNext", "QueueDequeueV2"),
        *("RpcCall", "Send", "CollectiveReduce", "TPUPartitionedCall", "MyOwnOperator"),
        *("WholeFileReaderV2", "LoadAndRemapMatrix", "WriteSummary", "BatchFunction"),
        "FixedUnigramCandidateSampler",
    ],
)
def test_an_operator_that_does_more_than_compute_is_refused(folder, operator):
    (folder / "saved_model.pb").write_bytes(saved_model([node("bad", operator)]))
    with pytest.raises(BundleError, match=f"'{operator}'.*'bad' in the graph") as found:
        check(folder)
    assert "saved_model.pb" in str(found.value)
    check(folder, trusted=True)


@pytest.mark.parametrize(
    "model",
    [
        # What a signature calls.
        saved_model([node("call", "StatefulPartitionedCall", f="f")], {"f": WRITES}),
        # A branch of a branch.
        saved_model(
            [node("if", "If", then_branch="a", else_branch="b")],
            {"a": [], "b": [node("c", "Case", branches=["a", "f"])], "f": WRITES},
        ),
        # A function as an operator; and one that nobody seems to call.
        saved_model([node("call", "f")], {"f": WRITES}),
        saved_model([], {"f": WRITES}),
        # In the name of an operator.
        saved_model([node("w", "WriteFile")], {"WriteFile": []}),
        # What only saving uses may save, and no more.
        saved_model([node("w", "WriteFile")], save="w:0"),
        saved_model([node("s", "PartitionedCall", f="f")], {"f": WRITES}, save="s:0"),
        # What loading restores runs; and what saving shares with it.
        saved_model([node("r", "WriteFile")], restore="r"),
        saved_model(
            [node("r", "NoOp", "^w"), node("w", "WriteFile"), node("s", "NoOp", "w")],
            save="s:0",
            restore="r",
        ),
        saved_model([node("r", "PartitionedCall", f="f")], {"f": WRITES}, restore="r"),
        # A signature's output, or an initializer, that calls itself saving.
        saved_model(
            [node("w", "WriteFile"), node("y", "Identity", "^w")],
            save="y:0",
            asked=["y"],
        ),
        saved_model(
            [node("w", "WriteFile"), node("i", "NoOp", "^w")], save="i:0", run=["i"]
        ),
        saved_model(
            [node("s", "PartitionedCall", f="f")], {"f": WRITES}, save="s", bare=["f"]
        ),
        # A resource's initializer that is named as the function that saves.
        saved_model(
            [node("s", "PartitionedCall", f="f")],
            {"f": WRITES},
            save="s:0",
            named=["f"],
        ),
    ],
)
def test_it_is_found_wherever_it_may_be_run(folder, model):
    (folder / "saved_model.pb").write_bytes(model)
    with pytest.raises(BundleError, match="'WriteFile'"):
        check(folder)


def test_what_only_saving_uses_is_let_be(folder):
    model = saved_model(
        [
            node("x", "Placeholder"),
            node("prefix", "ShardedFilename"),
            node("s", "SaveV2", "prefix", "^call"),
            node("call", "StatefulPartitionedCall", f="save"),
            node("r", "StatefulPartitionedCall", f="restore"),
        ],
        {
            "save": [node("a", "SaveV2"), node("b", "MergeV2Checkpoints")],
            "restore": [node("a", "RestoreV2"), node("b", "AssignVariableOp")],
        },
        save="s:0",
        restore="r",
    )
    (folder / "saved_model.pb").write_bytes(model)
    check(folder)


def test_every_meta_graph_counts(folder):
    first = saved_model([node("x", "Placeholder")])
    (folder / "saved_model.pb").write_bytes(first + saved_model(WRITES))
    with pytest.raises(BundleError, match="'WriteFile'"):
        check(folder)


def test_a_frozen_graph_is_a_program_too(tmp_path):
    params = {"model": "graph.pb", "input_node": "x", "output_node": "y"}
    folder = write_bundle(tmp_path / "frozen", params=params)
    (folder / "model.onnx").unlink()
    graph = GraphDef(node=[node("x", "Placeholder"), node("y", "Identity", "x")])
    (folder / "graph.pb").write_bytes(graph.SerializeToString())
    check(folder)
    graph.node.append(node("bad", "ReadFile", "x"))
    (folder / "graph.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(BundleError, match=r"graph\.pb.*'ReadFile'"):
        check(folder)


# -- ONNX -----------------------------------------------------------------------------


def model_of(nodes, *, domains=(), functions=(), initializers=()):
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])],
        initializers,
    )
    opsets = [helper.make_opsetid(domain, 1) for domain in ("", *domains)]
    return helper.make_model(graph, opset_imports=opsets, functions=functions)


def write(folder, model, name="model.onnx"):
    (folder / name).write_bytes(model.SerializeToString())


@pytest.mark.parametrize("domain", ["", "ai.onnx.ml", "com.microsoft"])
def test_known_domains_are_taken(folder, domain):
    write(folder, model_of([helper.make_node("Op", ["x"], ["y"], domain=domain)]))
    check(folder)


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.onnx"])
def test_an_operator_of_another_domain_is_refused_wherever_it_is(folder, name):
    foreign = helper.make_node("Open", ["x"], ["y"], domain="com.evil")
    inner = helper.make_graph([foreign], "inner", [], [])
    holding = helper.make_node("If", ["x"], ["y"], then_branch=inner)
    for nodes in ([foreign], [holding]):
        write(folder, model_of(nodes, domains=["com.evil"]), name)
        with pytest.raises(BundleError, match=rf"{name}.*'Open' is of 'com\.evil'"):
            check(folder)
        check(folder, trusted=True)


def test_a_function_of_the_models_own_is_looked_into(folder):
    call = helper.make_node("Mine", ["x"], ["y"], domain="own")

    def function(op, domain):
        body = [helper.make_node(op, ["a"], ["b"], domain=domain)]
        opsets = [helper.make_opsetid("", 18)]
        return helper.make_function("own", "Mine", ["a"], ["b"], body, opsets)

    write(folder, model_of([call], functions=[function("Relu", "")]))
    check(folder)
    write(folder, model_of([call], functions=[function("Open", "com.evil")]))
    with pytest.raises(BundleError, match="'Open'"):
        check(folder)


def weights(*locations):
    tensor = numpy_helper.from_array(np.zeros(1, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for location in locations:
        tensor.external_data.add(key="location", value=location)
    return tensor


@pytest.mark.parametrize(
    "locations",
    [
        ["/etc/passwd"],
        ["../other/1/model.onnx.data"],
        ["variables/x"],
        ["..\\x"],
        [".hidden"],
        [""],
        [],
        ["w.data", "/etc/passwd"],
    ],
)
def test_weights_outside_of_the_bundle_are_refused(folder, locations):
    (folder / "w.data").write_bytes(bytes(4))
    add = helper.make_node("Add", ["x", "w"], ["y"])
    write(folder, model_of([add], initializers=[weights(*locations)]))
    with pytest.raises(BundleError, match="must be in a file of the bundle"):
        check(folder, trusted=True)
    constant = helper.make_node("Constant", [], ["y"], value=weights(*locations))
    write(folder, model_of([constant]))
    with pytest.raises(BundleError, match="must be in a file of the bundle"):
        check(folder, trusted=True)


def test_weights_beside_the_model_are_a_plain_file(folder, tmp_path):
    add = helper.make_node("Add", ["x", "w"], ["y"])
    write(folder, model_of([add], initializers=[weights("w.data")]))
    with pytest.raises(BundleError, match="is missing"):
        check(folder)
    (folder / "w.data").write_bytes(bytes(4))
    check(folder)
    outside = tmp_path / "outside"
    outside.write_bytes(bytes(4))
    (folder / "w.data").unlink()
    (folder / "w.data").hardlink_to(outside)
    with pytest.raises(BundleError, match="not a plain file"):
        check(folder)
    (folder / "w.data").unlink()
    (folder / "w.data").symlink_to(outside)
    with pytest.raises(BundleError, match="not a plain file"):
        check(folder)


def test_damage_is_a_sentence(folder):
    (folder / "model.onnx").write_bytes(linear_onnx()[:-9])
    with pytest.raises(BundleError, match=r"model\.onnx is damaged"):
        check(folder)


def inside(number, content):
    """A message's field of this number, in protobuf's wire format."""
    size, length = len(content), b""
    while size > 127:
        length += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + content


def test_graphs_in_graphs_without_end_are_a_sentence(folder):
    graph = b""
    for _ in range(200):
        # A graph's first field is a node, whose fifth is an attribute, whose sixth is
        # a graph; the seventh of a model is its graph.
        for number in (6, 5, 1):
            graph = inside(number, graph)
    (folder / "model.onnx").write_bytes(inside(7, graph))
    with pytest.raises(BundleError, match=r"model\.onnx is damaged"):
        check(folder)


@pytest.mark.tensorflow
def test_the_numbers_are_tensorflows():
    pytest.importorskip("tensorflow")
    from tensorflow.core.framework import graph_pb2
    from tensorflow.core.protobuf import saved_model_pb2

    model = saved_model_pb2.SavedModel()
    meta = model.meta_graphs.add()
    meta.saver_def.save_tensor_name = "save"
    meta.saver_def.restore_op_name = "restore"
    meta.object_graph_def.concrete_functions["named"].SetInParent()
    made = meta.graph_def.node.add(name="n", op="o", input=["i"])
    made.attr["f"].func.name = "one"
    made.attr["l"].list.func.add(name="two")
    function = meta.graph_def.library.function.add()
    function.signature.name = "s"
    function.node_def.add(name="inner", op="p")
    (read,) = SavedModel.FromString(model.SerializeToString()).meta_graphs
    assert read.saver_def.save_tensor_name == "save"
    assert read.saver_def.restore_op_name == "restore"
    assert list(read.object_graph_def.concrete_functions) == ["named"]
    (one,) = read.graph_def.node
    assert (one.name, one.op, list(one.input)) == ("n", "o", ["i"])
    assert one.attr["f"].func.name == "one"
    assert one.attr["l"].list.func[0].name == "two"
    (two,) = read.graph_def.library.function
    assert (two.signature.name, two.node_def[0].op) == ("s", "p")
    graph = graph_pb2.GraphDef()
    graph.node.add(name="n")
    assert GraphDef.FromString(graph.SerializeToString()).node[0].name == "n"
