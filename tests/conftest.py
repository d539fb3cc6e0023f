"""What several packages' tests share."""

import os

# Before any test imports TensorFlow: a page of its C++ lines would drown pytest's.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
