"""Everything forbidden is found in any field, at any depth, of random models.

Each message is checked twice. It must be taken as it is, and it must be refused with
one thing changed in one place.
"""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle.errors import BundleError
from runtime.programs import check_frozen_graph, check_onnx, check_saved_model
from runtime.programs import onnx_pb2 as onnx
from runtime.programs import tensorflow_pb2 as tensorflow
from tests.runtime.programs.saved_models import (
    RESTORE,
    SAVE,
    inside,
    of_tensorflow_1,
    of_tensorflow_2,
)

LOOK_AT = {
    "SavedModel": check_saved_model,
    "GraphDef": check_frozen_graph,
    "ModelProto": check_onnx,
}
# After so many steps from message to message, the shortest way is taken.
DEEPEST = 14
# These fields are refused by themselves, whatever they hold; a saver is not made at
# random.
CLOSED = frozenset({"variant_val", "resource_handle_val", "external_data", "saver_def"})
# Texts in nodes and functions are no names that a loader follows.
APART = frozenset({"node", "function", "stripped_op_list"})
OUTSIDE = st.sampled_from(
    ["../x", "/etc/passwd", "a/../../x", "..", "", ".hidden", "a\\..\\x", "a//b"]
)
BOUNDED = settings(max_examples=60, deadline=None)


def held(field):
    """Return the type of a field's messages, and how the field holds them."""
    kind = field.message_type
    if kind is None:
        return None, "scalar"
    if field.is_repeated and kind.GetOptions().map_entry:
        value = kind.fields_by_name["value"].message_type
        return value, "map" if value else "map of scalars"
    return kind, "list" if field.is_repeated else "one"


@cache
def steps(name, root, closed):
    """Return each type's distance from one type, if it leads to that type at all."""
    types, waiting = {}, [root]
    while waiting:
        kind = waiting.pop()
        if kind.full_name not in types:
            types[kind.full_name] = kind
            waiting += [h for f in kind.fields if (h := held(f)[0])]
    found = {name: 0}
    while True:
        known = dict(found)
        for kind in types.values():
            for field in kind.fields:
                inner = held(field)[0]
                if inner and inner.full_name in known and field.name not in closed:
                    far = known[inner.full_name] + 1
                    found[kind.full_name] = min(found.get(kind.full_name, far), far)
        if found == known:
            return found


def put(draw, root, target, closed=CLOSED):
    """Put a new message of a type somewhere below a message, and return it."""
    message, name = root, target.DESCRIPTOR.full_name
    far = steps(name, root.DESCRIPTOR, closed)
    for step in range(10 * DEEPEST):
        fields = [
            field
            for field in message.DESCRIPTOR.fields
            if (inner := held(field)[0])
            and inner.full_name in far
            and field.name not in closed
        ]
        is_there = message.DESCRIPTOR.full_name == name and message is not root
        if is_there and (not fields or step > DEEPEST or draw(st.booleans())):
            break
        if step > DEEPEST:
            least = min(far[held(field)[0].full_name] for field in fields)
            fields = [f for f in fields if far[held(f)[0].full_name] == least]
        message = enter(draw, message, draw(st.sampled_from(fields)))
    return message


def enter(draw, message, field):
    how = held(field)[1]
    inside_it = getattr(message, field.name)
    if how == "list":
        return inside_it.add()
    if how == "map":
        key = field.message_type.fields_by_name["key"]
        keys = st.text("abc", max_size=2) if key.type == key.TYPE_STRING else st.just(1)
        return inside_it[draw(keys)]
    inside_it.SetInParent()
    return inside_it


def settle(message):
    """Set the fields that every honest message has, without the code under test."""
    name = message.DESCRIPTOR.name
    if name == "NodeDef" and not message.op:
        message.op = "Identity"
    if name == "AssetFileDef" and not message.filename:
        message.filename = "vocabulary.txt"
    for field, value in message.ListFields():
        inner, how = held(field)
        if inner:
            several = value.values() if how == "map" else value
            for one in [value] if how == "one" else several:
                settle(one)


@pytest.fixture(scope="module")
def verdict(tmp_path_factory):
    """Return a function that tells why a message is refused, or None if it is taken."""
    folder = tmp_path_factory.mktemp("anywhere")

    def look_at(message):
        path = folder / "model"
        path.write_bytes(message.SerializeToString())
        try:
            LOOK_AT[message.DESCRIPTOR.name](path)
        except BundleError as ex:
            return str(ex)
        return None

    return look_at


def put_more(draw, root, kinds):
    """Put other messages elsewhere, so that no message is bare."""
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=4)):
        put(draw, root, kind)


TENSORFLOWS = (
    *(tensorflow.NodeDef, tensorflow.FunctionDef, tensorflow.NameAttrList),
    *(tensorflow.TensorProto, tensorflow.OpDef),
)


@pytest.mark.parametrize("root", [tensorflow.SavedModel, tensorflow.GraphDef])
@BOUNDED
@given(data=st.data())
def test_an_operator_anywhere(verdict, root, data):
    model = root()
    put_more(data.draw, model, TENSORFLOWS)
    kind = data.draw(st.sampled_from([tensorflow.NodeDef, tensorflow.NameAttrList]))
    found = put(data.draw, model, kind)
    settle(model)
    assert verdict(model) is None
    bad = data.draw(st.sampled_from(["WriteFile", "ReadFile", "PyFunc", "SaveV2"]))
    setattr(found, "op" if kind is tensorflow.NodeDef else "name", bad)
    assert verdict(model)


@pytest.mark.parametrize("root", [tensorflow.SavedModel, tensorflow.GraphDef])
@BOUNDED
@given(data=st.data())
def test_a_constant_anywhere_that_is_a_handle(verdict, root, data):
    model = root()
    put_more(data.draw, model, TENSORFLOWS)
    found = put(data.draw, model, tensorflow.TensorProto)
    settle(model)
    assert verdict(model) is None
    getattr(
        found, data.draw(st.sampled_from(["variant_val", "resource_handle_val"]))
    ).add()
    assert "holds a handle" in verdict(model)


@BOUNDED
@given(data=st.data())
def test_an_asset_anywhere_that_lies_outside(verdict, data):
    model = tensorflow.SavedModel()
    put_more(data.draw, model, (*TENSORFLOWS, tensorflow.AssetFileDef))
    if data.draw(st.booleans()):
        found = put(data.draw, model, tensorflow.AssetFileDef)
        settle(model)
        assert verdict(model) is None
        found.filename = data.draw(OUTSIDE)
    else:
        meta = model.meta_graphs.add()
        asset = tensorflow.AssetFileDef(filename="vocabulary.txt")
        packed = meta.collection_def["saved_model_assets"].any_list.value.add()
        packed.value = asset.SerializeToString()
        settle(model)
        assert verdict(model) is None
        packed.value = inside(2, data.draw(OUTSIDE).encode())
    assert "is not a file of the SavedModel's" in verdict(model)


def texts(kind):
    """Return the fields of a type that hold names, or bytes with names in them."""
    return [f for f in kind.fields if f.type in (f.TYPE_STRING, f.TYPE_BYTES)] + [
        field for field in kind.fields if held(field)[1] == "map of scalars"
    ]


@cache
def speaking():
    """Return the types with texts below a meta graph, except nodes and functions."""
    types, waiting = {}, [tensorflow.MetaGraphDef.DESCRIPTOR]
    while waiting:
        kind = waiting.pop()
        if kind.full_name not in types:
            types[kind.full_name] = kind
            fields = [f for f in kind.fields if f.name not in CLOSED | APART]
            waiting += [inner for f in fields if (inner := held(f)[0])]
    return [kind._concrete_class for kind in types.values() if texts(kind)]


def write(draw, message, field, name):
    """Write a name into a field; bytes get messages within messages around it."""
    if held(field)[1] == "map of scalars":
        getattr(message, field.name)[name]
        return
    value = name
    if field.type == field.TYPE_BYTES:
        value = name.encode()
        for number in draw(st.lists(st.integers(1, 15), max_size=5)):
            value = inside(number, value) + inside(2, b"more")
    if field.is_repeated:
        getattr(message, field.name).append(value)
    else:
        setattr(message, field.name, value)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_what_saves_or_loads_named_anywhere(verdict, data):
    make, names = data.draw(
        st.sampled_from(
            [
                (of_tensorflow_1, ["save/SaveV2", "^save/done", "save/RestoreV2:0"]),
                (of_tensorflow_2, [SAVE, RESTORE, "call_1:0", "call_2"]),
            ]
        )
    )
    kind = data.draw(st.sampled_from(speaking()))
    field = data.draw(st.sampled_from(texts(kind.DESCRIPTOR)))
    model = make()
    found = put(data.draw, model.meta_graphs[0], kind, CLOSED | APART)
    settle(model)
    write(data.draw, found, field, "Identity")
    assert verdict(model) is None
    write(data.draw, found, field, data.draw(st.sampled_from(names)))
    assert verdict(model)


ONNXES = (onnx.NodeProto, onnx.TensorProto, onnx.FunctionProto, onnx.GraphProto)


@BOUNDED
@given(data=st.data())
def test_an_operator_of_another_domain_anywhere(verdict, data):
    model = onnx.ModelProto()
    put_more(data.draw, model, ONNXES)
    found = put(data.draw, model, onnx.NodeProto)
    assert verdict(model) is None
    found.domain = data.draw(
        st.sampled_from(["com.evil", "own", "com.microsoft.nchwc"])
    )
    # The function has another name, or belongs to another domain.
    model.functions.add(domain="own", name="Decoy")
    found.op_type = "Open"
    assert "'Open' is of" in verdict(model)


@BOUNDED
@given(data=st.data())
def test_weights_anywhere_that_lie_outside(verdict, data):
    model = onnx.ModelProto()
    put_more(data.draw, model, ONNXES)
    found = put(data.draw, model, onnx.TensorProto)
    assert verdict(model) is None
    found.external_data.add(key="location", value=data.draw(OUTSIDE))
    if data.draw(st.booleans()):
        found.data_location = onnx.TensorProto.EXTERNAL
    assert "must be in a file of the bundle" in verdict(model)


@BOUNDED
@given(data=st.data())
def test_a_field_anywhere_that_nobody_knows(verdict, data):
    model = onnx.ModelProto()
    put_more(data.draw, model, ONNXES)
    kinds = [
        *(onnx.NodeProto, onnx.TensorProto, onnx.TypeProto, onnx.AttributeProto),
        *(onnx.OperatorSetIdProto, onnx.TensorShapeProto, onnx.SparseTensorProto),
    ]
    found = put(data.draw, model, data.draw(st.sampled_from(kinds)))
    assert verdict(model) is None
    number = data.draw(st.integers(100, 10_000))
    found.MergeFromString(inside(number, b"/etc/passwd"))
    kind = found.DESCRIPTOR.name
    assert f"field {number} of {kind} is not known" in verdict(model)
