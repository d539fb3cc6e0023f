"""The zoo is made of Keras's own lists: to collect it is to import TensorFlow."""


def pytest_ignore_collect(collection_path, config):
    """Leave it out where nothing that needs TensorFlow is to run."""
    if collection_path.suffix == ".py" and "not tensorflow" in config.option.markexpr:
        return True
    return None
