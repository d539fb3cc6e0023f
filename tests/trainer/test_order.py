"""An order tells the command that gives the same weights, and what decides them."""

from __future__ import annotations

from pathlib import Path

from trainer.order import Order
from trainer.recipes import Choices
from trainer.settings import Settings


def test_the_command_has_every_option_that_decides() -> None:
    choices = Choices(5, "best", "/home/me/nets.py:build", 7, 64, None, 3)
    order = Order(
        fin=Path("/data/my photos"),
        fout=Path("/out"),
        name="pets",
        choices=choices,
        size=(48, 64),
        also=(Path("/store/feedback/pets"), Path("more")),
        tune=9,
    )
    settings = Settings(
        7, 64, 5, "/home/me/nets.py:build", "best", precision="mixed", patience=3
    )
    # It is shown to people who have other folders.
    assert order.command(settings) == (
        "trainer run --fin 'my photos' --also pets --also more --size 48x64 --model"
        " pets --arch nets.py:build --recipe best --tune 9 --epochs 7 --batch-size 64"
        " --seed 5 --precision mixed --patience 3"
    )


def test_a_table_and_a_start_are_told() -> None:
    order = Order(
        fin=Path("a.csv"),
        fout=None,
        name="pets",
        choices=Choices(4, start="mnist:3"),
        label="kind",
        weight="w",
    )
    assert order.command(Settings(1, 128, 4, start="mnist:3")) == (
        "trainer run --fin a.csv --label kind --weight w --model pets --from mnist:3"
        " --epochs 1 --batch-size 128 --seed 4"
    )


def test_places_and_forms_of_the_bundle_decide_nothing() -> None:
    choices = Choices(4, epochs=3)
    one = Order(Path("a"), Path("b"), "pets", choices, h5="x", report=False)
    other = Order(Path("c"), None, "cats", choices, resume=True, onnx=False)
    assert one.deciding == other.deciding
    assert one.deciding["--epochs"] == 3


def test_columns_of_a_table_decide() -> None:
    one, other = (
        Order(Path("a"), None, "pets", Choices(4), features=features)
        for features in (("pt", "eta"), ("eta", "pt"))
    )
    assert one.deciding["--features"] == "pt,eta"
    assert one.deciding != other.deciding
