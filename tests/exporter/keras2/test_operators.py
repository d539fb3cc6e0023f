import pytest

pytestmark = pytest.mark.tensorflow


@pytest.mark.parametrize(
    "name",
    ["math.multiply", "nn.relu6", "concat", "compat.v1.transpose", "__operators__.add"],
)
def test_what_computes_is_taken(name):
    from exporter.keras2.operators import function_of

    assert callable(function_of(name))


@pytest.mark.parametrize(
    "name",
    [
        "io.read_file",
        "io.write_file",
        "py_function",
        "numpy_function",
        "compat.v1.py_func",
        "raw_ops.WriteFile",
        "random.normal",
        "nn.dropout",
        "math.__builtins__",
        "math._sys.modules",
        "nn.experimental",
        "while_loop",
        "nn.raw_rnn_loop",
        "keras.utils.get_file",
        "",
    ],
)
def test_what_may_do_more_is_not_taken(name):
    from exporter.keras2.errors import Untranslatable
    from exporter.keras2.operators import function_of

    with pytest.raises(Untranslatable):
        function_of(name)
