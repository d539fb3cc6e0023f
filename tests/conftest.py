"""What several packages' tests share."""

import os
import signal

# Before any test imports TensorFlow: a page of its C++ lines would drown pytest's.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

# A shell starts what is in its background with SIGINT ignored, nohup with SIGHUP, and
# children inherit it: what tests do with Ctrl-C would do nothing.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
