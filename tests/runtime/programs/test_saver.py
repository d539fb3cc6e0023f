"""A SavedModel may save and load in its saver, and nowhere else."""

import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.struct_pb2 import Value

from bundle.errors import BundleError
from runtime.programs.tensorflow_pb2 import SaverDef
from tests.runtime.programs.saved_models import (
    RESTORE,
    SAVE,
    inside,
    node,
    of_tensorflow_1,
    of_tensorflow_2,
    saved_model,
)

# A VariableDef has the variable's initializer in this field.
INITIALIZER = 2


def test_savers_of_tensorflow_1_and_2_are_let_be(check):
    check(of_tensorflow_1())
    check(of_tensorflow_2())


def test_more_savers_of_tensorflow_1_are_let_be(check):
    model = of_tensorflow_1()
    (meta,) = model.meta_graphs
    savers = meta.collection_def["savers"].bytes_list.value
    savers.append(meta.saver_def.SerializeToString())
    check(model)
    savers.append(SaverDef(filename_tensor_name="save/SaveV2").SerializeToString())
    with pytest.raises(BundleError, match="'save/SaveV2' saves or loads"):
        check(model)


def test_a_saver_that_nothing_uses_is_let_be(check):
    """This is the saver that the training had, beside that of the SavedModel."""
    model = of_tensorflow_1()
    nodes = model.meta_graphs[0].graph_def.node
    for made in of_tensorflow_1().meta_graphs[0].graph_def.node:
        if made.name.startswith("save/"):
            made.name = made.name.replace("save/", "save_1/")
            for n, source in enumerate(made.input):
                made.input[n] = source.replace("save/", "save_1/")
            nodes.append(made)
    check(model)
    # The saver was allowed only because loading does not run it.
    model.meta_graphs[0].saver_def.restore_op_name = "save_1/restore_all"
    with pytest.raises(BundleError, match="loads variables from a file"):
        check(model)


def test_nodes_may_be_named_as_operators(check):
    """The first call of a function may have such a name, if nothing else is called."""
    model = of_tensorflow_1()
    for operator in ("save/SaveV2", "save/done"):
        model.meta_graphs[0].meta_info_def.stripped_op_list.op.add(name=operator)
    check(model)


def test_early_tensorflow_has_a_constant_for_the_file_name(check):
    check(of_tensorflow_1(**{"save.Const": node("save/Const", "Const", text="model")}))


# -- named where a loader looks -------------------------------------------------------


def packed(name):
    text = Any()
    text.Pack(Value(string_value=name))
    return text


def bytes_of(name):
    return inside(INITIALIZER, name.encode())


NAMING = {
    "a variable's initializer": lambda meta, name: meta.collection_def[
        "local_variables"
    ].bytes_list.value.append(bytes_of(name)),
    "a field of a variable that nobody knows": lambda meta, name: meta.collection_def[
        "variables"
    ].bytes_list.value.append(inside(77, inside(5, name.encode()))),
    "a collection of nodes": lambda meta, name: meta.collection_def[
        "table_initializer"
    ].node_list.value.append(name),
    "a collection of anything": lambda meta, name: meta.collection_def[
        "mine"
    ].any_list.value.append(packed(name)),
    "a collection of messages in bytes in messages": lambda meta, name: (
        meta.collection_def["while_context"].bytes_list.value.append(
            inside(9, inside(3, inside(1, name.encode())))
        )
    ),
    "a signature's output": lambda meta, name: setattr(
        meta.signature_def["other"].outputs["y"], "name", name
    ),
    "a signature's sparse output": lambda meta, name: setattr(
        meta.signature_def["other"].outputs["y"].coo_sparse, "values_tensor_name", name
    ),
    "an asset's tensor": lambda meta, name: setattr(
        meta.asset_file_def.add(filename="a").tensor_info, "name", name
    ),
    "a captured tensor": lambda meta, name: setattr(
        meta.object_graph_def.nodes.add().captured_tensor, "name", name
    ),
    "a concrete function": lambda meta, name: meta.object_graph_def.concrete_functions[
        name
    ].SetInParent(),
    "a function": lambda meta, name: (
        meta.object_graph_def.nodes.add().function.concrete_functions.append(name)
    ),
    "a bare function": lambda meta, name: setattr(
        meta.object_graph_def.nodes.add().bare_concrete_function,
        "concrete_function_name",
        name,
    ),
    "an alias": lambda meta, name: meta.meta_info_def.function_aliases.update(
        {name: "alias"}
    ),
    "a gradient": lambda meta, name: meta.graph_def.library.gradient.add(
        function_name="f", gradient_func=name
    ),
    "a registered gradient": lambda meta, name: (
        meta.graph_def.library.registered_gradients.add(gradient_func=name)
    ),
    "a field that nobody knows": lambda meta, name: meta.MergeFromString(
        inside(99, inside(1, name.encode()))
    ),
}


@pytest.mark.parametrize("where", NAMING)
@pytest.mark.parametrize(
    ("make", "names"),
    [
        # The names are: the saving node, its successor, the loading node, its
        # successor.
        (
            of_tensorflow_1,
            ["save/SaveV2", "^save/Merge", "save/done:0", "save/RestoreV2:0"],
        ),
        (of_tensorflow_1, ["save/Assign", "save/restore_all"]),
        (of_tensorflow_2, [SAVE, RESTORE, "call_1:0", "call_2"]),
    ],
)
def test_what_saves_or_loads_is_named_by_the_saver_alone(check, where, make, names):
    for name in names:
        model = make()
        NAMING[where](model.meta_graphs[0], name)
        with pytest.raises(BundleError, match="named where TensorFlow may run it"):
            check(model)
    # A longer name that begins with one of these is another name.
    model = make()
    NAMING[where](model.meta_graphs[0], f"{names[0]}_more")
    check(model)


def test_a_file_is_not_written_by_a_variables_initializer(check):
    """TensorFlow runs initializers of local variables while it loads."""
    model = of_tensorflow_1()
    variable = inside(1, b"v:0") + inside(INITIALIZER, b"save/SaveV2")
    model.meta_graphs[0].collection_def["local_variables"].bytes_list.value.append(
        variable
    )
    with pytest.raises(BundleError, match="'save/SaveV2' saves or loads"):
        check(model)


def test_loading_does_not_save(check):
    for edge in ("^save/SaveV2", "^save/done", "save/done"):
        with pytest.raises(BundleError, match="loading the variables would save"):
            check(of_tensorflow_1(**{"w": node("w", "VariableV2", edge)}))
    model = of_tensorflow_2()
    model.meta_graphs[0].saver_def.restore_op_name = "call_1"
    with pytest.raises(BundleError, match="loading the variables would save"):
        check(model)


def test_fields_in_fields_without_end_are_a_sentence(check):
    content = b"save/SaveV2:0"
    for _ in range(200):
        content = inside(1, content)
    model = of_tensorflow_1()
    collection = model.meta_graphs[0].collection_def["variables"]
    collection.bytes_list.value.append(content)
    with pytest.raises(BundleError, match="fields are nested without end"):
        check(model)


# -- called ---------------------------------------------------------------------------


@pytest.mark.parametrize("attribute", ["api_implements", "_implements", "anything"])
def test_a_function_that_saves_stands_for_no_other(check, attribute):
    model = of_tensorflow_2()
    for function in model.meta_graphs[0].graph_def.library.function:
        function.attr["_construction_context"].s = b"kEagerRuntime"
        function.attr["_input_shapes"].list.shape.add()
        function.attr["_noinline"].b = True
    check(model)
    for function in model.meta_graphs[0].graph_def.library.function:
        function.attr[attribute].s = b"thing"
    with pytest.raises(BundleError, match=f"'{attribute}'.*in the place of another"):
        check(model)


def passing_on(name):
    made = node("call", "StatefulPartitionedCall", "x", f="__inference_f_5")
    made.attr["f"].func.attr["g"].func.name = name
    return made


@pytest.mark.parametrize(
    "called",
    [
        passing_on(SAVE),
        passing_on(RESTORE),
        node("other", "If", "x", "saver_filename", then_branch=SAVE, else_branch=SAVE),
        node("other", "Case", "x", "saver_filename", branches=[SAVE]),
        node("other", "PartitionedCall", "saver_filename", f=SAVE, g=SAVE),
    ],
)
def test_a_function_that_saves_is_passed_to_no_other(check, called):
    with pytest.raises(BundleError, match="passes on a function that saves"):
        check(of_tensorflow_2(call=[called]))


def test_what_calls_a_function_that_saves_saves(check):
    """The call may be deep, or use the function's name as an operator."""
    for call in (
        node("again", "PartitionedCall", "file_prefix", f=SAVE),
        node("again", SAVE, "file_prefix"),
    ):
        model = of_tensorflow_2()
        functions = model.meta_graphs[0].graph_def.library.function
        (harmless,) = (f for f in functions if f.signature.name == "__inference_f_5")
        harmless.node_def.append(call)
        with pytest.raises(BundleError, match="'__inference_f_5' saves or loads"):
            check(model)


def test_two_functions_of_one_name_are_refused(check):
    model = of_tensorflow_2()
    library = model.meta_graphs[0].graph_def.library
    library.function.add().signature.name = SAVE
    with pytest.raises(BundleError, match="two functions"):
        check(model)


# -- names of files -------------------------------------------------------------------


@pytest.mark.parametrize(
    "nodes",
    [
        {"save.SaveV2": node("save/SaveV2", "SaveV2", "save/part", "save/names")},
        {"save.RestoreV2": node("save/RestoreV2", "RestoreV2", "save/part")},
        {"save.Merge": node("save/Merge", "MergeV2Checkpoints", "save/prefixes", "y")},
        {"save.prefixes": node("save/prefixes", "Pack", "save/shard", "save/part")},
        {"save.shard": node("save/shard", "ShardedFilename", "save/part")},
        # In the first, the file's name comes last. In the second, anything may come
        # behind it.
        {
            "save.StringJoin": node(
                "save/StringJoin", "StringJoin", "save/part", "save/Const"
            )
        },
        {"save.StringJoin": node("save/StringJoin", "StringJoin", "save/Const", "x")},
        {"save.part": node("save/part", "Const", text="/../../../other/1/x")},
        {"save.part": node("save/part", "Const", text=["fine", "/../x"])},
        {"save.part": node("save/part", "Const", text=[])},
        # Another placeholder is no saver's, because a signature may feed it.
        {"save.RestoreV2": node("save/RestoreV2", "RestoreV2", "x", "save/names")},
        # This node is its own input.
        {"save.shard": node("save/shard", "Identity", "save/shard")},
        # The saver's own placeholder is another node, or its default is a path
        # elsewhere.
        {"save.Const": node("save/Const", "Const", text="/elsewhere")},
        {"save.Const": node("save/Const", "Identity", "save/filename")},
        {
            "save.filename.input": node(
                "save/filename/input", "Const", text="/elsewhere/x"
            )
        },
        {"save.filename": node("save/filename", "PlaceholderWithDefault", "w")},
        {"save.SaveV2": node("save/SaveV2", "SaveV2")},
    ],
)
def test_files_are_those_that_the_saver_names(check, nodes):
    with pytest.raises(BundleError, match="file"):
        check(of_tensorflow_1(**nodes))


def test_a_text_in_bytes_is_no_ending(check):
    """TensorFlow takes these bytes before the texts."""
    ending = node("save/part", "Const", text="fine")
    ending.attr["value"].tensor.tensor_content = b"\x0b/../../../x"
    with pytest.raises(BundleError, match="'save/part' is part of the name of a file"):
        check(of_tensorflow_1(**{"save.part": ending}))


@pytest.mark.parametrize(
    "more",
    [
        {"save": [node("more", "SaveV2", "names:output:0")]},
        {"restore": [node("more", "RestoreV2", "names:output:0")]},
        {"save": [node("more", "PartitionedCall", "file_prefix", f=SAVE)]},
        {"call": [node("more", "PartitionedCall", "call", f=SAVE)]},
        {"call": [node("more", "PartitionedCall", f=RESTORE)]},
        {"call": [node("more", SAVE, "call")]},
    ],
)
def test_functions_write_and_read_what_the_saver_names(check, more):
    with pytest.raises(BundleError):
        check(of_tensorflow_2(**more))


def test_a_saver_that_calls_functions_in_functions_is_let_be(check):
    inner = of_tensorflow_2()
    (meta,) = inner.meta_graphs
    outer = meta.graph_def.library.function.add()
    outer.signature.name = "outer"
    outer.signature.input_arg.add(name="prefix", type=7)
    outer.node_def.append(node("inner", "StatefulPartitionedCall", "prefix", f=SAVE))
    meta.graph_def.node[3].attr["f"].func.name = "outer"
    check(inner)
    outer.node_def[0].input[0] = "elsewhere:output:0"
    outer.node_def.append(node("elsewhere", "Const", text="/elsewhere"))
    with pytest.raises(BundleError, match="'elsewhere'.*makes the name of a file"):
        check(inner)


def test_functions_in_functions_without_end_are_a_sentence(check):
    model = of_tensorflow_2()
    (meta,) = model.meta_graphs
    for n in range(100):
        outer = meta.graph_def.library.function.add()
        outer.signature.name = f"outer_{n}"
        outer.node_def.append(
            node("inner", "PartitionedCall", f=f"outer_{n - 1}" if n else SAVE)
        )
    with pytest.raises(BundleError, match="nested without end"):
        check(model)
    circle = of_tensorflow_2(save=[node("more", "PartitionedCall", "x", f=SAVE)])
    with pytest.raises(BundleError, match="calls itself"):
        check(circle)


def test_a_name_that_is_packed_again_and_again_costs_little(check):
    """There are 2 to the 60 ways through the name, so each may not be walked."""
    packs = [
        node(f"pack_{n}", "Pack", *[f"pack_{n - 1}" if n else "save/Const"] * 2)
        for n in range(60)
    ]
    merge = node("save/Merge", "MergeV2Checkpoints", "pack_59", "save/Const")
    check(of_tensorflow_1(**{"save.Merge": merge, **{p.name: p for p in packs}}))


def test_a_model_without_a_saver_is_let_be(check):
    check(saved_model([node("x", "Placeholder"), node("y", "Identity", "x")]))
