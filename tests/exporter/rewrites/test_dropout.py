import numpy as np
import pytest

from exporter.errors import ExportError
from tests.exporter.rewrites.converted import converted

pytestmark = pytest.mark.tensorflow

ROWS = np.array([[1, 2, 3], [4, 5, 6]], np.float32)


def test_a_dropout_of_nothing_drops_nothing(tf):
    def run(x):
        keep = tf.identity(tf.constant(1.0))
        drawn = tf.random.uniform(tf.shape(x))
        return tf.where(drawn >= 1 - keep, x, 0.0), tf.floor(keep + drawn) * x

    for answered in converted(run, ROWS):
        np.testing.assert_array_equal(answered, ROWS)


def test_a_dropout_of_some_is_refused(tf):
    with pytest.raises(ExportError, match=r"draws numbers at random.*RandomUniform"):
        converted(
            lambda x: tf.where(tf.random.uniform(tf.shape(x)) >= 0.5, x, 0.0), ROWS
        )


def test_what_is_drawn_between_other_bounds_is_not_taken_for_it(tf):
    with pytest.raises(ExportError, match="draws numbers at random"):
        converted(
            lambda x: tf.where(tf.random.uniform(tf.shape(x), -1, 1) >= 0.0, x, 0.0),
            ROWS,
        )
