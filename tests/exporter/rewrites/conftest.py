import pytest


@pytest.fixture(scope="session")
def tf():
    """Return TensorFlow, which is imported here so that tests without it stay quick."""
    import tensorflow

    return tensorflow
