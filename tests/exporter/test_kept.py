"""What a SavedModel of TensorFlow 1 keeps in its nodes, written here by TensorFlow."""

import numpy as np
import pytest

pytestmark = pytest.mark.tensorflow


def made(name):
    from tests.zoo.graphs import specimens

    (specimen,) = (s for s in specimens() if s.name == f"saved_models.{name}")
    return specimen.make()


def nodes(signature, kind):
    return [o for o in signature.call.graph.get_operations() if o.type == kind]


def test_a_variable_has_the_value_that_was_saved():
    from exporter.kept import value_of
    from tests.zoo.graphs.written import weights

    (variable,) = nodes(made("variables"), "VariableV2")
    np.testing.assert_array_equal(value_of(variable), weights(4, 5))


def test_a_table_has_the_keys_that_were_saved():
    import tensorflow as tf

    from exporter.kept import handle_of

    (table,) = nodes(made("table"), "HashTableV2")
    keys, values = tf.raw_ops.LookupTableExportV2(
        table_handle=handle_of(table), Tkeys=tf.int64, Tvalues=tf.int64
    )
    assert dict(zip(keys.numpy().tolist(), values.numpy().tolist(), strict=True)) == {
        2: 1,
        3: 2,
        5: 3,
        7: 4,
        11: 5,
    }


def test_a_variable_without_a_value_is_told_by_its_name():
    import tensorflow as tf

    from exporter.errors import ExportError
    from exporter.kept import value_of

    graph = tf.Graph()
    with graph.as_default():
        tf.raw_ops.VariableV2(shape=[2], dtype=tf.float32, name="never_set")
    (variable,) = graph.get_operations()
    with pytest.raises(ExportError, match="'never_set' has no value"):
        value_of(variable)
