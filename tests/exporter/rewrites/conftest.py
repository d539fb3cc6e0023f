import pytest


@pytest.fixture(scope="session")
def tf():
    """Imported here, so that tests without it stay quick."""
    import tensorflow

    return tensorflow
