"""The architectures of ``keras.applications`` convert; ``make zoo`` has all of them."""

from dataclasses import replace

import pytest

pytest.importorskip("tensorflow")

from keras import applications

from tests.zoo.applications import specimens
from tests.zoo.run import check, run

pytestmark = pytest.mark.tensorflow

# These are the smallest architectures of each module of Keras.
SMALLEST = {
    "convnext": "ConvNeXtTiny",
    "densenet": "DenseNet121",
    "efficientnet": "EfficientNetB0",
    "efficientnet_v2": "EfficientNetV2B0",
    "inception_resnet_v2": "InceptionResNetV2",
    "inception_v3": "InceptionV3",
    "mobilenet": "MobileNet",
    "mobilenet_v2": "MobileNetV2",
    "mobilenet_v3": "MobileNetV3Small",
    "nasnet": "NASNetMobile",
    "resnet": "ResNet50",
    "resnet_v2": "ResNet50V2",
    "vgg16": "VGG16",
    # VGG19 is VGG16 with three layers more.
    "vgg19": "VGG16",
    "xception": "Xception",
}
# These two and the models of test_networks.py have every operator of TensorFlow that
# the others have.
FIRST = ("EfficientNetB0", "MobileNetV3Small")
BY_NAME = {specimen.name.rpartition(".")[2]: specimen for specimen in specimens()}


def test_every_family_has_its_smallest():
    modules = {getattr(applications, name).__module__ for name in BY_NAME}
    assert {module.rpartition(".")[2] for module in modules} == set(SMALLEST)


def test_every_architecture_that_keras_exports_is_in_the_zoo():
    exported = {name for name in dir(applications) if name[0].isupper()}
    assert set(BY_NAME) == exported
    assert len(exported) >= 40


def shown(name):
    marks = [] if name in FIRST else [pytest.mark.further]
    return pytest.param(name, marks=[pytest.mark.slow, *marks], id=name)


@pytest.mark.parametrize("name", [shown(n) for n in sorted(set(SMALLEST.values()))])
def test_an_application(name):
    # make zoo proves them at larger batches too, which takes TensorFlow minutes.
    specimen = replace(BY_NAME[name], batch_sizes=(1, 2))
    check(run(specimen), specimen)
