"""report.html of a table: classes or a regression."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from exporter.reports.section import EMPTY as EXPORTER_SECTION
from trainer.report.page import (
    MAX_ROWS,
    again_section,
    classes_sentence,
    classes_table,
    figure,
    html_page,
    mistakes_sentence,
    number,
    pair,
    recipe_section,
    section,
    table_html,
)


def table_page_of(metrics: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """Make the page of a training on a table.

    Args:
        metrics: the content of metrics.json.
        pictures: PNGs by the names in ``TABLE_PLOTS``; one that is missing is left out.
    """
    is_classes = metrics["task"] == "classes"
    parts = [
        _head(metrics),
        section(
            "Learning curves",
            "A tenth of the training rows, on which the model is not trained, measures"
            " each epoch.",
            figure(pictures, "learning_curve"),
        ),
        *(_of_classes(metrics, pictures) if is_classes else _of_numbers(pictures)),
        section(
            "What it looks at",
            "One feature after another is shuffled among the test rows, and then tells"
            " nothing; the loss grows by its importance. Features that tell the same"
            " share theirs.",
            figure(pictures, "importance") + _importance(metrics),
        ),
        EXPORTER_SECTION,
        recipe_section(metrics),
        again_section(metrics),
    ]
    title = f"{metrics['model']}: training report"
    return html_page(title, "\n".join(filter(None, parts)))


def _of_classes(metrics: Mapping[str, Any], pictures: Mapping[str, bytes]) -> list[str]:
    return [
        pair(
            section(
                "How well it parts the classes",
                "The area below the curve (AUC) is the share of pairs, one row of the"
                " class and one other, that the scores put into the right order.",
                figure(pictures, "roc"),
            ),
            section(
                "Does its confidence mean what it says?",
                "Of all rows on which the model is 90 % sure, nine out of ten should be"
                " right. The expected calibration error (ECE) is the mean distance from"
                f" that: {number(metrics['ece'], '.4f')} here, and 0 at best.",
                figure(pictures, "calibration"),
            ),
        ),
        section(
            "Scores",
            "The scores that each class's rows get, in training and in the test.",
            figure(pictures, "scores"),
        ),
        section(
            "Where it errs",
            mistakes_sentence(metrics, "row"),
            figure(pictures, "confusion_matrix"),
        ),
        section(
            "Classes", classes_sentence(metrics, "row"), classes_table(metrics, "row")
        ),
    ]


def _of_numbers(pictures: Mapping[str, bytes]) -> list[str]:
    return [
        section(
            "Predicted and true",
            "The test rows, with the model's numbers by the true ones.",
            figure(pictures, "regression"),
        )
    ]


def _importance(metrics: Mapping[str, Any]) -> str:
    return table_html(
        ["feature", "growth of the loss", "spread"],
        [
            [
                escape(one["feature"]),
                number(one["loss_increase"], ".4g"),
                number(one["spread"], ".2g"),
            ]
            for one in metrics["importance"][:MAX_ROWS]
        ],
    )


def _head(metrics: Mapping[str, Any]) -> str:
    epochs = metrics["epochs"]
    rows = f"{metrics['test_samples']:,} test rows"
    if metrics["task"] == "classes":
        kind = f"{len(metrics['classes'])} classes"
        main = (f"accuracy on {rows}", number(metrics["test_accuracy"], ".2%"))
        facts = [
            ("AUC", number(metrics["auc"], ".4f")),
            ("ECE", number(metrics["ece"], ".4f")),
        ]
    else:
        kind = "a regression"
        main = (f"R² on {rows}", number(metrics["r2"], ".4f"))
        facts = [
            ("RMSE", number(metrics["rmse"], ".4g")),
            ("mean absolute error", number(metrics["mae"], ".4g")),
        ]
    facts += [
        ("test loss", number(metrics["test_loss"], ".4f")),
        ("training time", f"{metrics['seconds']:.1f} s"),
        ("parameters", f"{metrics['parameters']:,}"),
    ]
    items = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts
    )
    weighted = " The rows count by their weights." if metrics["is_weighted"] else ""
    return (
        f"<h1>{escape(metrics['model'])}</h1>\n"
        f'<p class="quiet">{escape(metrics["network"])} trained on'
        f" {escape(metrics['data_set'])} to predict {escape(metrics['label'])}, {kind}:"
        f" {metrics['train_samples']:,} rows of {len(metrics['features'])} features,"
        f" {epochs} epoch{'s' if epochs > 1 else ''}, batch size"
        f" {metrics['batch_size']}, seed {metrics['seed']}.{weighted}</p>\n"
        f'<dl class="facts"><div class="main"><dt>{main[0]}</dt><dd>{main[1]}</dd>'
        f"</div>{items}</dl>"
    )
