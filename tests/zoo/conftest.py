"""The zoo is made from Keras's own lists, so its collection imports TensorFlow."""


def pytest_ignore_collect(collection_path, config):
    """Leave the zoo out where no test that needs TensorFlow is to run."""
    if collection_path.suffix == ".py" and "not tensorflow" in config.option.markexpr:
        return True
    return None
