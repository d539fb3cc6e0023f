"""Assets are files that a SavedModel brings along."""

import pytest

from bundle.errors import BundleError
from runtime.programs.tensorflow_pb2 import AssetFileDef
from tests.runtime.programs.saved_models import of_tensorflow_1

HERE = ["vocabulary.txt", "words/vocabulary.txt"]
ELSEWHERE = ["/etc/passwd", "../variables/variables.index", "words/../../x", "a\\..\\x"]


def with_assets(name, *, packed):
    """Name an asset in the list of today, or in the collection of early TensorFlow."""
    model = of_tensorflow_1()
    (meta,) = model.meta_graphs
    asset = AssetFileDef(filename=name)
    asset.tensor_info.name = "asset_path:0"
    if packed:
        collection = meta.collection_def["saved_model_assets"].any_list
        collection.value.add().Pack(asset)
    else:
        meta.asset_file_def.append(asset)
    return model


@pytest.mark.parametrize("packed", [False, True])
def test_assets_are_files_of_the_saved_model(check, packed):
    for name in HERE:
        check(with_assets(name, packed=packed))
    for name in ELSEWHERE:
        with pytest.raises(BundleError, match="is not a file of the SavedModel's"):
            check(with_assets(name, packed=packed))


def test_assets_that_cannot_be_read_are_a_sentence(check):
    model = with_assets("vocabulary.txt", packed=True)
    collection = model.meta_graphs[0].collection_def["saved_model_assets"]
    collection.any_list.value[0].value = b"\x0a\xff"
    with pytest.raises(BundleError, match="'saved_model_assets' cannot be read"):
        check(model)


def test_fields_that_tensorflow_does_not_know_are_passed_over(check):
    """TensorFlow passes them over too: it has only the definitions that stand here."""
    model = of_tensorflow_1()
    # This is field 99, a length, and a text.
    model.meta_graphs[0].graph_def.node[0].MergeFromString(b"\x9a\x06\x03new")
    check(model)
