"""SavedModels as TensorFlow 1 and 2 write them are made by hand, without TensorFlow."""

from runtime.programs.tensorflow_pb2 import NodeDef, SavedModel

# TensorFlow 2.21 gives functions of one argument such names. Names of tensors in
# functions also tell the output.
SAVE = "__inference__traced_save_12"
RESTORE = "__inference__traced_restore_34"


def node(name, op, *inputs, text=(), **functions):
    made = NodeDef(name=name, op=op, input=inputs)
    for attribute, function in functions.items():
        if isinstance(function, list):
            for one in function:
                made.attr[attribute].list.func.add(name=one)
        else:
            made.attr[attribute].func.name = function
    if op == "Const":
        texts = [text] if isinstance(text, str) else text
        made.attr["value"].tensor.dtype = 7
        made.attr["value"].tensor.string_val.extend(t.encode() for t in texts)
    return made


def saved_model(nodes=(), functions=(), *, save="", restore="", filename="", named=()):
    """Return a SavedModel of one meta graph.

    Args:
        nodes: the nodes of its graph.
        functions: nodes by the function's name; each takes ``file_prefix``.
        save, restore, filename: the names that its saver has.
        named: functions that an object has.
    """
    model = SavedModel()
    meta = model.meta_graphs.add()
    meta.graph_def.node.extend(nodes)
    for name, body in dict(functions).items():
        function = meta.graph_def.library.function.add()
        function.signature.name = name
        function.signature.input_arg.add(name="file_prefix", type=7)
        function.node_def.extend(body)
    meta.saver_def.save_tensor_name = save
    meta.saver_def.restore_op_name = restore
    meta.saver_def.filename_tensor_name = filename
    for name in named:
        meta.object_graph_def.concrete_functions[name].SetInParent()
    return model


def of_tensorflow_1(**others):
    """Return a SavedModel with a variable, and a sharded saver.

    Args:
        others: nodes that replace those of the same names, with dots for slashes.
    """
    nodes = [
        node("x", "Placeholder"),
        node("w", "VariableV2"),
        node("w/Initializer", "Const", text="0"),
        node("w/Assign", "Assign", "w", "w/Initializer"),
        node("y", "Mul", "x", "w"),
        node("init", "NoOp", "^w/Assign"),
        node("save/filename/input", "Const", text="model"),
        node("save/filename", "PlaceholderWithDefault", "save/filename/input"),
        node("save/Const", "PlaceholderWithDefault", "save/filename"),
        node("save/part", "Const", text="_temp_0123/part"),
        node("save/StringJoin", "StringJoin", "save/Const", "save/part"),
        node("save/shards", "Const", text="1"),
        node("save/shard", "ShardedFilename", "save/StringJoin:0", "save/shards"),
        node("save/names", "Const", text="w"),
        node("save/slices", "Const", text=""),
        node("save/SaveV2", "SaveV2", "save/shard", "save/names", "save/slices", "w"),
        node("save/shard_of", "Identity", "save/shard", "^save/SaveV2"),
        node("save/prefixes", "Pack", "save/shard", "^save/shard_of"),
        node("save/Merge", "MergeV2Checkpoints", "save/prefixes", "save/Const"),
        node("save/done", "Identity", "save/Const", "^save/Merge"),
        node("save/RestoreV2", "RestoreV2", "save/Const", "save/names", "save/slices"),
        node("save/Assign", "Assign", "w", "save/RestoreV2"),
        node("save/restore_all", "NoOp", "^save/Assign"),
    ]
    by_name = {made.name: made for made in nodes}
    by_name.update({name.replace(".", "/"): made for name, made in others.items()})
    model = saved_model(
        by_name.values(),
        save="save/done:0",
        restore="save/restore_all",
        filename="save/Const:0",
    )
    (meta,) = model.meta_graphs
    signature = meta.signature_def["serving_default"]
    signature.inputs["x"].name = "x:0"
    signature.outputs["y"].name = "y:0"
    meta.collection_def["saved_model_main_op"].node_list.value.append("init")
    # A VariableDef begins with variable_name, initializer_name and snapshot_name.
    variable = inside(1, b"w:0") + inside(2, b"w/Assign") + inside(3, b"w/read:0")
    meta.collection_def["variables"].bytes_list.value.append(variable)
    return model


def of_tensorflow_2(*, save=(), call=(), restore=()):
    """Return a SavedModel with a variable, and a saver in functions.

    Args:
        save, restore: more nodes in the functions.
        call: more nodes in the graph.
    """
    saving = [
        node("match", "StaticRegexFullMatch", "file_prefix"),
        node("remote", "Const", text=".part"),
        node("local", "Const", text="_temp/part"),
        node("Select", "Select", "match:output:0", "remote:output:0", "local:output:0"),
        node("StringJoin", "StringJoin", "file_prefix", "Select:output:0"),
        node("shards", "Const", text="1"),
        node("shard", "ShardedFilename", "StringJoin:output:0", "shards:output:0"),
        node("names", "Const", text="w"),
        node("SaveV2", "SaveV2", "shard:filename:0", "names:output:0"),
        node("prefixes", "Pack", "shard:filename:0", "^SaveV2"),
        node("Merge", "MergeV2Checkpoints", "prefixes:output:0", "file_prefix"),
        node("Identity", "Identity", "file_prefix", "^Merge"),
    ]
    restoring = [
        node("names", "Const", text="w"),
        node("RestoreV2", "RestoreV2", "file_prefix", "names:output:0"),
        node("Assign", "AssignVariableOp", "w", "RestoreV2:tensors:0"),
        node("Identity", "Identity", "file_prefix", "^Assign"),
    ]
    return saved_model(
        [
            node("saver_filename", "Placeholder"),
            node("x", "Placeholder"),
            node("call", "StatefulPartitionedCall", "x", f="__inference_f_5"),
            node("call_1", "StatefulPartitionedCall", "saver_filename", f=SAVE),
            node("call_2", "StatefulPartitionedCall", "saver_filename", f=RESTORE),
            *call,
        ],
        {
            SAVE: [*saving, *save],
            RESTORE: [*restoring, *restore],
            "__inference_f_5": [node("y", "Identity", "file_prefix")],
        },
        save="call_1:0",
        restore="call_2",
        filename="saver_filename:0",
        named=["__inference_f_5"],
    )


def inside(number, content):
    """Return a message's field of this number, in protobuf's wire format."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def varint(number):
    written = b""
    while number > 127:
        written += bytes([number & 127 | 128])
        number >>= 7
    return written + bytes([number])
