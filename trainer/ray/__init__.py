"""Training on several workers of Ray at once: ``trainer run --ray-workers``.

This needs the extra ``cluster``. Ray Train starts the workers, also after a loss.
TensorFlow's MultiWorkerMirroredStrategy adds their gradients up. The rest is as in a
training by one process. The driver, which is the process of the command, reads the
data, does the trials, measures the model and publishes the bundle.
"""
