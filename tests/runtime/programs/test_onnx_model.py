"""ONNX files may run some operators, and their weights may lie in some places."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bundle.errors import BundleError
from tests.examples import linear_onnx
from tests.runtime.programs.saved_models import inside


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


@pytest.mark.parametrize("domain", ["", "ai.onnx", "ai.onnx.ml", "com.microsoft"])
def test_known_domains_are_taken(folder, check, domain):
    write(folder, model_of([helper.make_node("Op", ["x"], ["y"], domain=domain)]))
    check()


@pytest.mark.parametrize("name", ["model.onnx", "model.int8.onnx"])
def test_an_operator_of_another_domain_is_refused_wherever_it_is(folder, check, name):
    foreign = helper.make_node("Open", ["x"], ["y"], domain="com.evil")
    inner = helper.make_graph([foreign], "inner", [], [])
    holding = helper.make_node("If", ["x"], ["y"], then_branch=inner)
    for nodes in ([foreign], [holding]):
        write(folder, model_of(nodes, domains=["com.evil"]), name)
        with pytest.raises(BundleError, match=rf"{name}.*'Open' is of 'com\.evil'"):
            check()
        check(trusted=True)


def test_a_function_of_the_models_own_is_looked_into(folder, check):
    call = helper.make_node("Mine", ["x"], ["y"], domain="own")

    def function(op, domain):
        body = [helper.make_node(op, ["a"], ["b"], domain=domain)]
        opsets = [helper.make_opsetid("", 18)]
        return helper.make_function("own", "Mine", ["a"], ["b"], body, opsets)

    write(folder, model_of([call], functions=[function("Relu", "")]))
    check()
    write(folder, model_of([call], functions=[function("Open", "com.evil")]))
    with pytest.raises(BundleError, match="'Open'"):
        check()


def calling(domain, name="Mine", overload="", *, of=("own", "Mine", "")):
    """Return a model that calls one operator, and has one function."""
    call = helper.make_node(name, ["x"], ["y"], domain=domain, overload=overload)
    body = [helper.make_node("Relu", ["a"], ["b"])]
    opsets = [helper.make_opsetid("", 18)]
    function = helper.make_function(
        of[0], of[1], ["a"], ["b"], body, opsets, overload=of[2]
    )
    return model_of([call], domains=[of[0]], functions=[function])


@pytest.mark.parametrize(
    ("call", "of"),
    [
        (("own", "Open"), ("own", "Mine", "")),
        (("own", "Mine", "other"), ("own", "Mine", "")),
        (("own", "Mine"), ("own", "Mine", "other")),
        (("com.evil", "Open"), ("com.evil", "Decoy", "")),
    ],
)
def test_a_function_lends_its_domain_to_no_other_operator(folder, check, call, of):
    write(folder, calling(*of, of=of))
    check()
    write(folder, calling(*call, of=of))
    with pytest.raises(BundleError, match=rf"'{call[1]}' is of '{call[0]}'"):
        check()
    check(trusted=True)


@pytest.mark.parametrize(
    "domain",
    [
        "ai.onnx.preview.training",
        "com.microsoft.nchwc",
        "com.ms.internal.nhwc",
        "com.xilinx",
        "org.pytorch.aten",
    ],
)
def test_a_function_is_not_in_the_engines_own_domains(folder, check, domain):
    """ONNX Runtime trusts operators there, because only it puts them into graphs."""
    name = "ReorderInput"
    write(folder, calling(domain, name, of=(domain, name, "")))
    with pytest.raises(BundleError, match="which is ONNX Runtime's own"):
        check()
    check(trusted=True)


@pytest.mark.parametrize("domain", ["", "com.microsoft"])
def test_a_function_in_an_operators_name_is_looked_into(folder, check, domain):
    model = calling(domain, "Gelu", of=(domain, "Gelu", ""))
    write(folder, model)
    check()
    model.functions[0].node[0].domain = "com.evil"
    write(folder, model)
    with pytest.raises(BundleError, match="'Relu' is of 'com.evil'"):
        check()


@pytest.mark.parametrize(
    "operator", ["ATen", "EPContext", "PythonOp", "PythonOpGrad", "Snpe", "TritonOp"]
)
def test_operators_that_stand_for_other_programs_are_refused(folder, check, operator):
    call = helper.make_node(operator, ["x"], ["y"], domain="com.microsoft")
    write(folder, model_of([call]))
    with pytest.raises(BundleError, match=f"'{operator}'.*is not ONNX"):
        check()
    check(trusted=True)


def test_what_a_newer_onnx_wrote_is_refused_by_its_name(folder, check):
    """The engine may understand it."""
    node = helper.make_node("Relu", ["x"], ["y"])
    node.MergeFromString(inside(99, b"of the future"))
    write(folder, model_of([node]))
    with pytest.raises(BundleError, match=r"model\.onnx: field 99 of NodeProto"):
        check()
    check(trusted=True)


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
def test_weights_outside_of_the_bundle_are_refused(folder, check, locations):
    (folder / "w.data").write_bytes(bytes(4))
    add = helper.make_node("Add", ["x", "w"], ["y"])
    write(folder, model_of([add], initializers=[weights(*locations)]))
    with pytest.raises(BundleError, match="must be in a file of the bundle"):
        check(trusted=True)
    constant = helper.make_node("Constant", [], ["y"], value=weights(*locations))
    write(folder, model_of([constant]))
    with pytest.raises(BundleError, match="must be in a file of the bundle"):
        check(trusted=True)


def sparse(location):
    made = onnx.SparseTensorProto(dims=[1])
    made.values.CopyFrom(weights(location))
    return made


def within(attribute):
    """Yield models whose one node has an attribute, itself or in an inner graph."""
    made = helper.make_node("Constant", [], ["y"])
    made.attribute.append(attribute)
    inner = helper.make_graph([made], "inner", [], [])
    yield model_of([made])
    yield model_of([helper.make_node("If", ["x"], ["y"], then_branch=inner)])
    function = onnx.FunctionProto(name="Mine", domain="own", node=[made])
    yield model_of([], functions=[function])
    # The attribute has this value if a caller does not give one.
    yield model_of([], functions=[onnx.FunctionProto(attribute_proto=[attribute])])
    trained = model_of([])
    trained.training_info.add().algorithm.node.append(made)
    yield trained


@pytest.mark.parametrize("location", ["/etc/passwd", "../x", "*/_ORT_MEM_ADDR_/*"])
def test_every_tensor_is_looked_at(folder, check, location):
    kinds = onnx.AttributeProto
    tensor = weights(location)
    attributes = [
        kinds(name="value", type=kinds.TENSOR, t=tensor),
        kinds(name="values", type=kinds.TENSORS, tensors=[tensor]),
        kinds(name="value", type=kinds.SPARSE_TENSOR, sparse_tensor=sparse(location)),
        kinds(
            name="value", type=kinds.SPARSE_TENSORS, sparse_tensors=[sparse(location)]
        ),
    ]
    models = [model for attribute in attributes for model in within(attribute)]
    models.append(model_of([]))
    models[-1].graph.sparse_initializer.append(sparse(location))
    for model in models:
        write(folder, model)
        with pytest.raises(BundleError, match="must be in a file of the bundle"):
            check(trusted=True)


def test_the_default_of_a_functions_attribute_is_in_the_bundle(folder, check):
    """onnxruntime 1.23 answers with the bytes of any file that the attribute names."""
    attribute = onnx.AttributeProto(name="val", type=onnx.AttributeProto.TENSOR)
    attribute.t.CopyFrom(weights("../../secret.bin"))
    model = calling("own")
    model.functions[0].attribute_proto.append(attribute)
    write(folder, model)
    with pytest.raises(BundleError, match="must be in a file of the bundle"):
        check()


def test_nothing_is_said_of_weights_but_where_they_lie(folder, check):
    (folder / "w.data").write_bytes(bytes(4))
    tensor = weights("w.data")
    for key in ("offset", "length", "checksum"):
        tensor.external_data.add(key=key, value="4")
    add = helper.make_node("Add", ["x", "w"], ["y"])
    write(folder, model_of([add], initializers=[tensor]))
    check()
    tensor.external_data.add(key="prepacked_0", value="x|0;4")
    write(folder, model_of([add], initializers=[tensor]))
    with pytest.raises(BundleError, match="has the key 'prepacked_0' for weights"):
        check()


def test_weights_beside_the_model_are_a_plain_file(folder, check, tmp_path):
    add = helper.make_node("Add", ["x", "w"], ["y"])
    write(folder, model_of([add], initializers=[weights("w.data")]))
    with pytest.raises(BundleError, match="is missing"):
        check()
    (folder / "w.data").write_bytes(bytes(4))
    check()
    outside = tmp_path / "outside"
    outside.write_bytes(bytes(4))
    (folder / "w.data").unlink()
    (folder / "w.data").hardlink_to(outside)
    with pytest.raises(BundleError, match="not a plain file"):
        check()
    (folder / "w.data").unlink()
    (folder / "w.data").symlink_to(outside)
    with pytest.raises(BundleError, match="not a plain file"):
        check()


@pytest.mark.parametrize(
    "content",
    [
        # The location, or the node's domain, is not UTF-8.
        inside(7, inside(5, inside(13, inside(1, b"location") + inside(2, b"\xff")))),
        inside(7, inside(1, inside(4, b"Open") + inside(7, b"\xff"))),
    ],
)
def test_texts_that_are_none_are_a_sentence(folder, check, content):
    (folder / "model.onnx").write_bytes(content)
    with pytest.raises(BundleError, match="xff"):
        check()


def test_damage_is_a_sentence(folder, check):
    (folder / "model.onnx").write_bytes(linear_onnx()[:-9])
    with pytest.raises(BundleError, match=r"model\.onnx is damaged"):
        check()


def test_graphs_in_graphs_without_end_are_a_sentence(folder, check):
    graph = b""
    for _ in range(200):
        # The first field of a graph is a node, the fifth of a node is an attribute, and
        # the sixth of an attribute is a graph; the seventh of a model is its graph.
        for number in (6, 5, 1):
            graph = inside(number, graph)
    (folder / "model.onnx").write_bytes(inside(7, graph))
    with pytest.raises(BundleError, match=r"model\.onnx is damaged"):
        check()
