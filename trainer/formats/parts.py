"""The parts of a data set by the names that people give them: train, test, valid."""

from __future__ import annotations

from typing import Literal

Part = Literal["train", "test", "valid"]

# In lower case. MNIST's own files call their test part t10k.
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

# A validation part is for choosing among networks, and here is one. So it adds to what
# is trained on, of which each epoch is measured on a tenth; or it stands for a test.
VALID_TRAINS = "the validation images are trained on, too; the test images stay apart"
VALID_TESTS = "there are no test images: the validation images are tested on"


def part_of(name: str) -> Part | None:
    """The part that a folder's or an array's name means, in any case of letters."""
    return SPELLINGS.get(name.lower())
