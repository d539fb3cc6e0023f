"""Loops write and read lists; the expected values are sums done by hand."""

import numpy as np
import pytest

from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

ROWS = np.array([[1, 2, 3, 4]], np.float32)


def test_scan_begins_with_its_first_element(tf):
    """The element is written before the loop; tf2onnx left TensorListSetItem there."""
    (answered,) = converted(
        lambda x: tf.transpose(tf.scan(lambda a, b: a + b, tf.transpose(x))), ROWS
    )
    assert answered.tolist() == [[1, 3, 6, 10]]


def test_scan_backwards_ends_with_it(tf):
    (answered,) = converted(
        lambda x: tf.transpose(
            tf.scan(lambda a, b: a + b, tf.transpose(x), reverse=True)
        ),
        ROWS,
    )
    assert answered.tolist() == [[10, 9, 7, 4]]


def test_a_list_without_a_loop_is_a_tensor(tf):
    def run(x):
        held = tf.TensorArray(tf.float32, 3, element_shape=[None])
        held = held.write(0, x[:, 1]).write(2, x[:, 3])
        held = held.write(1, held.read(0) + held.read(2))
        return tf.transpose(held.stack()), tf.fill([1], held.size())

    stacked, size = converted(run, ROWS)
    assert stacked.tolist() == [[2, 6, 4]]
    assert size.tolist() == [3]


def test_a_list_grows_with_what_is_written(tf):
    """A loop in Python writes in this way; a place that nobody wrote is 0."""

    def run(x):
        held = tf.TensorArray(tf.float32, 0, dynamic_size=True, element_shape=[None])
        for place in (0, 1, 4, 3):
            held = held.write(place, x[:, min(place, 3)])
        return tf.transpose(held.stack()), tf.fill([1], held.size())

    stacked, size = converted(run, ROWS)
    assert stacked.tolist() == [[1, 2, 0, 4, 4]]
    assert size.tolist() == [5]


def test_an_old_array_is_read_in_any_order(tf):
    """``scatter`` and ``gather`` take places; those of stack and unstack count up."""

    def run(x):
        columns = tf.transpose(x)
        old = tf.raw_ops.TensorArrayV3(size=4, dtype=tf.float32)
        flow = tf.raw_ops.TensorArrayScatterV3(
            handle=old.handle, indices=[3, 1, 0, 2], value=columns, flow_in=old.flow
        )
        read = tf.raw_ops.TensorArrayReadV3(
            handle=old.handle, index=0, flow_in=flow, dtype=tf.float32
        )
        return tf.ensure_shape(read, [None])

    (answered,) = converted(run, ROWS)
    assert answered.tolist() == [3]
