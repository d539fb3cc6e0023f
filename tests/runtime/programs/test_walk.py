"""Messages of any type are searched for a text."""

from pathlib import Path

import pytest

from runtime.programs import prepare
from runtime.programs.graph import check_graph
from runtime.programs.onnx_model import check_model
from runtime.programs.onnx_pb2 import ModelProto, NodeProto, TensorProto
from runtime.programs.saved_model import check_meta_graph
from runtime.programs.tensorflow_pb2 import GraphDef, MetaGraphDef
from runtime.programs.walk import TooDeep, _ways, named, unknown_field, walk
from tests.runtime.programs.saved_models import inside


def model():
    made = ModelProto()
    outer = made.graph.node.add(name="outer")
    inner = outer.attribute.add().g
    inner.node.add(name="inner").attribute.add().tensors.add(name="weights")
    made.functions.add().attribute_proto.add().t.name = "default"
    return made


def test_messages_are_found_at_any_depth():
    found = [*walk(model(), NodeProto, TensorProto)]
    names = {"outer", "inner", "weights", "default"}
    assert {message.name for message in found} == names
    assert len(found) == len(names)


def test_a_field_that_nobody_knows_is_told_with_its_type():
    made = model()
    assert unknown_field(made) == ""
    made.graph.node[0].attribute[0].g.node[0].MergeFromString(inside(200, b"x"))
    assert unknown_field(made) == "field 200 of NodeProto"


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (inside(1, b"save"), b"save"),
        (inside(1, b"^save"), b"save"),
        (inside(1, b"save:0"), b"save"),
        (inside(9, inside(4, inside(2, b"other") + inside(7, b"save"))), b"save"),
        # The text is inside a group, which protobuf still reads.
        (b"\x0b" + inside(1, b"save") + b"\x0c", b"save"),
        (inside(1, b"saved"), b""),
        (inside(1, b"a/save"), b""),
        (inside(1, b"save") + b"\x0a\x7f", b""),
        (b"", b""),
    ],
)
@pytest.mark.parametrize("others", [[], [b"other%d" % n for n in range(99)]])
def test_names_are_found_in_messages_of_any_type(content, found, others):
    assert named(content, [b"save", *others]) == found


def test_what_is_the_same_for_all_models_is_made_before_trials_are_forked():
    prepare()
    made = _ways.cache_info().misses
    check_graph(GraphDef(), "")
    check_meta_graph(MetaGraphDef(), "")
    check_model(ModelProto(), Path(), trusted=False)
    assert _ways.cache_info().misses == made


def test_the_depth_has_an_end():
    content = b"save!"
    for _ in range(101):
        content = inside(1, content)
    with pytest.raises(TooDeep):
        named(content, [b"save"])
