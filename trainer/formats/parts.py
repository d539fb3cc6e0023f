"""The parts of a data set (train, test, valid), and the names that people give them."""

from __future__ import annotations

from typing import Literal

Part = Literal["train", "test", "valid"]

# The names are in lower case. MNIST's own files call their test part t10k.
SPELLINGS: dict[str, Part] = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "t10k": "test",
    "val": "valid",
    "valid": "valid",
    "validation": "valid",
}

# A validation part helps to choose among networks, and here is only one network. So its
# images join the training images, of which a tenth measures each epoch. If there is no
# test part, they are the test images.
VALID_TRAINS = "the validation images are trained on, too; the test images stay apart"
VALID_TESTS = "there are no test images: the validation images are tested on"


def part_of(name: str) -> Part | None:
    """Find the part that a folder's or an array's name means, in any letter case."""
    return SPELLINGS.get(name.lower())
