"""report.html: one page with all figures and pictures of a training.

The page needs no script and no other file: its pictures are inside it. The exporter
adds its own section between two comments of the page.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from exporter.reports.figure import figure_html
from exporter.reports.section import EMPTY as EXPORTER_SECTION
from trainer.report.recipe import TRIAL_HEADINGS, recipe_rows, trial_rows

_STYLE = Path(__file__).with_name("page.css").read_text(encoding="utf-8")
# A longer table is read by programs, which have metrics.json.
MAX_ROWS = 100


def html_page(title: str, body: str) -> str:
    """Make a page of its own, with the style of a report.

    Args:
        title: the page's title, which is escaped here.
        body: the HTML of its body.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{_STYLE}</style>
</head>
<body>
{body}
</body>
</html>
"""


def page_of(metrics: Mapping[str, Any], pictures: Mapping[str, bytes]) -> str:
    """Make the page of a training.

    Args:
        metrics: the content of metrics.json.
        pictures: PNGs by the names in ``PLOTS``; one that is missing is left out.
    """
    model = metrics["model"]
    parts = [
        _head(metrics),
        section(
            "Learning curves",
            "Validation images are a tenth of the training images, on which the model"
            " is not trained.",
            figure(pictures, "learning_curve"),
        ),
        section(
            "Where it errs",
            mistakes_sentence(metrics),
            figure(pictures, "confusion_matrix"),
        ),
        pair(
            section(
                "Its surest mistakes",
                "These pictures were classified wrong with the highest confidence. Some"
                " of them may have a wrong label in the data set.",
                figure(pictures, "mistakes"),
            ),
            section(
                "Does its confidence mean what it says?",
                "Of all images on which the model is 90 % sure, nine out of ten should"
                " be right. The expected calibration error (ECE) is the mean distance"
                f" from that: {number(metrics['ece'], '.4f')} here, and 0 at best.",
                figure(pictures, "calibration"),
            ),
        ),
        section("Classes", classes_sentence(metrics), classes_table(metrics)),
        EXPORTER_SECTION,
        recipe_section(metrics),
        again_section(metrics),
    ]
    return html_page(f"{model}: training report", "\n".join(filter(None, parts)))


def recipe_section(metrics: Mapping[str, Any]) -> str:
    """Make the section that tells what the recipe chose, and by which trials."""
    content = table_html(["setting", "value"], recipe_rows(metrics))
    if metrics["trials"]:
        content += (
            "\n<p>These short trainings on a part of the training data chose it. The"
            " test part was not looked at.</p>\n"
            + table_html(TRIAL_HEADINGS, trial_rows(metrics))
        )
    return section(
        "How it was trained",
        "A recipe chooses what no option of the command names.",
        content,
    )


def again_section(metrics: Mapping[str, Any]) -> str:
    """Make the section that tells how to train the model again."""
    return section(
        "Make it again",
        "The same command on the same machine, with the same data set and versions,"
        " gives the same weights.",
        f"<pre>{escape(metrics['command'])}</pre>"
        + table_html(
            ["package", "version"],
            [[escape(n), escape(v)] for n, v in metrics["versions"].items()],
        ),
    )


def table_html(headings: list[str], rows: list[list[str]]) -> str:
    """Make a table; the first cell of each row heads the row.

    Args:
        headings: texts, which are escaped here.
        rows: the HTML of the cells.
    """
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in headings)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>'
        + "".join(f"<td>{cell}</td>" for cell in others)
        + "</tr>"
        for first, *others in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="table">'
        f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table></div>"
    )


def _head(metrics: Mapping[str, Any]) -> str:
    height, width, channels = metrics["image_shape"]
    epochs = metrics["epochs"]
    facts = [
        ("mistakes", f"{metrics['mistakes']:,} of {metrics['test_samples']:,}"),
        ("test loss", number(metrics["test_loss"], ".4f")),
        ("ECE", number(metrics["ece"], ".4f")),
        ("training time", f"{metrics['seconds']:.1f} s"),
        ("parameters", f"{metrics['parameters']:,}"),
    ]
    items = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in facts
    )
    accuracy = number(metrics["test_accuracy"], ".2%")
    return (
        f"<h1>{escape(metrics['model'])}</h1>\n"
        f'<p class="quiet">{escape(metrics["network"])} trained on'
        f" {escape(metrics['data_set'])}: {metrics['train_samples']:,} images of"
        f" {height} x {width} x {channels}, {len(metrics['classes'])} classes,"
        f" {epochs} epoch{'s' if epochs > 1 else ''}, batch size"
        f" {metrics['batch_size']}, seed {metrics['seed']}</p>\n"
        f'<dl class="facts"><div class="main"><dt>accuracy on'
        f" {metrics['test_samples']:,} test images</dt><dd>{accuracy}</dd></div>"
        f"{items}</dl>"
    )


def section(title: str, sentence: str, content: str) -> str:
    """Make a section; empty if it has no content."""
    if not content:
        return ""
    return f"<section>\n<h2>{title}</h2>\n<p>{sentence}</p>\n{content}\n</section>"


_ALTS = {
    "learning_curve": (
        "Two plots of loss and accuracy by epoch, for training and validation part",
        "The figures after each epoch. Dropout is off where the validation part is"
        " measured, so its line may be the better one.",
    ),
    "confusion_matrix": (
        "Matrix of the true class of the test part against the predicted class",
        "Each row holds one class of the test part: numbers, and shares of the row."
        " Empty cells hold none.",
    ),
    "roc": (
        "Curves of the share of true positives by the share of false positives",
        "Each point is a bound of the score. The dashed line is chance.",
    ),
    "scores": (
        "Histograms of the scores of training rows and test rows, by class",
        "Filled: training rows; points: test rows. Where they differ, the model has"
        " learned its training rows by heart.",
    ),
    "importance": (
        "Bars of the growth of the loss for each feature",
        "The mean of five shuffles, with their standard deviation.",
    ),
    "regression": (
        "Plot of predicted by true numbers, and histogram of their differences",
        "Points on the dashed line are right. The histogram leaves out the farthest"
        " hundredth.",
    ),
    "mistakes": (
        "Pictures of the most confident mistakes, with the true and predicted label",
        "The true class stands above, and below it the model's class with its score.",
    ),
    "calibration": (
        "Plot of the accuracy by the model's confidence, and of the number of cases",
        "Points below the dashed line: the model is too sure of itself. The lower plot"
        " has their number, on a logarithmic scale; points of few cases say little.",
    ),
}


def figure(pictures: Mapping[str, bytes], name: str) -> str:
    """Make the figure of a plot; empty if it could not be drawn."""
    if name not in pictures:
        return ""
    kind = "photos" if name == "mistakes" else "plot"
    return figure_html(pictures[name], *_ALTS[name], kind=kind)


def pair(*sections: str) -> str:
    """Put sections side by side, where the page is wide enough."""
    there = [section for section in sections if section]
    return f'<div class="pair">\n{chr(10).join(there)}\n</div>' if there else ""


def mistakes_sentence(metrics: Mapping[str, Any], item: str = "image") -> str:
    """Tell the most frequent mistake."""
    if not metrics["mistakes"]:
        return f"The model classified every test {item} right."
    matrix = metrics["confusion_matrix"]
    if matrix is None:
        return f"The model made {metrics['mistakes']:,} mistakes."
    labels = [found["label"] for found in metrics["classes"]]
    pairs = [
        (count, labels[row], labels[column])
        for row, counts in enumerate(matrix)
        for column, count in enumerate(counts)
        if row != column and count
    ]
    count, true, predicted = max(pairs, key=lambda pair: pair[0])
    return (
        f"The most frequent mistake: {count:,} of class {escape(true)} were taken for"
        f" {escape(predicted)}."
    )


def classes_sentence(metrics: Mapping[str, Any], item: str = "image") -> str:
    """Tell what the table of the classes has."""
    sentence = (
        f"Precision is the share of the {item}s taken for a class that are of it;"
        f" recall is the share of a class's {item}s that are found."
    )
    if len(metrics["classes"]) > MAX_ROWS:
        sentence += (
            f" The table has the {MAX_ROWS} classes with the lowest F1; metrics.json"
            " has all."
        )
    return sentence


def classes_table(metrics: Mapping[str, Any], item: str = "image") -> str:
    """Make the table of the classes."""
    classes = metrics["classes"]
    if len(classes) > MAX_ROWS:
        # A class that was never measured comes last.
        classes = sorted(classes, key=lambda c: 2 if c["f1"] is None else c["f1"])
        classes = classes[:MAX_ROWS]
    return table_html(
        ["class", f"test {item}s", "predicted", "precision", "recall", "F1"],
        [
            [
                escape(found["label"]),
                f"{found['images']:,}",
                f"{found['predicted']:,}",
                _share(found["precision"]),
                _share(found["recall"]),
                _share(found["f1"]),
            ]
            for found in classes
        ],
    )


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.2%}"


def number(value: float | None, how: str) -> str:
    """Show a number; None stands for one that is not finite."""
    return "not a number" if value is None else format(value, how)
