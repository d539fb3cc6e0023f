"""The measures of tables, beside those of scikit-learn and sums by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import (
    log_loss,
    mean_absolute_error,
    r2_score,
    roc_auc_score,
    roc_curve,
    root_mean_squared_error,
)

from tests.trainer.report.table_examples import a_table
from trainer.report.importance import importances, loss_of
from trainer.report.regression import regression
from trainer.report.roc import POINTS, roc
from trainer.report.scores import BINS, scores_of
from trainer.samples import Columns
from trainer.tables.column import Column

GENERATOR = np.random.default_rng(5)
TRUE = GENERATOR.random(400) < 0.3
# Rounded, so that many scores are equal.
SCORES = np.round(GENERATOR.normal(TRUE * 0.8, 1.0), 1)
WEIGHTS = GENERATOR.gamma(2.0, 1.0, 400).astype(np.float32)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_the_area_is_that_of_scikit_learn(weights: np.ndarray | None) -> None:
    found = roc(TRUE, SCORES, weights)
    assert found is not None
    wanted = roc_auc_score(TRUE, SCORES, sample_weight=weights)
    assert found.auc == pytest.approx(wanted, abs=1e-12)
    assert len(found.true_positives) <= POINTS


def test_the_curve_is_that_of_scikit_learn() -> None:
    found = roc(TRUE, SCORES, WEIGHTS)
    assert found is not None
    false, true, _ = roc_curve(
        TRUE, SCORES, sample_weight=WEIGHTS, drop_intermediate=False
    )
    np.testing.assert_allclose(found.false_positives, false)
    np.testing.assert_allclose(found.true_positives, true)


def test_with_negative_weights_the_area_counts_the_pairs() -> None:
    weights = WEIGHTS * np.where(np.arange(400) % 7 == 0, -1, 1).astype(np.float32)
    found = roc(TRUE, SCORES, weights)
    assert found is not None
    signal, other = np.flatnonzero(TRUE), np.flatnonzero(~TRUE)
    apart = SCORES[signal][:, None] - SCORES[other][None]
    order = (apart > 0) + 0.5 * (apart == 0)
    pairs = weights[signal][:, None].astype(float) * weights[other][None]
    assert found.auc == pytest.approx((order * pairs).sum() / pairs.sum(), abs=1e-9)


def test_a_class_without_rows_has_no_curve() -> None:
    assert roc(np.zeros(3, bool), np.arange(3.0)) is None
    assert roc(np.array([True, False]), np.array([np.nan, 0.5])) is None


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_the_errors_of_a_regression_are_those_of_scikit_learn(
    weights: np.ndarray | None,
) -> None:
    true = GENERATOR.normal(3, 2, 400).astype(np.float32)
    predicted = true + GENERATOR.normal(0.1, 0.5, 400).astype(np.float32)
    found = regression(true, predicted, weights)
    given = {"sample_weight": weights}
    assert found.mae == pytest.approx(mean_absolute_error(true, predicted, **given))
    assert found.r2 == pytest.approx(r2_score(true, predicted, **given), rel=1e-5)
    wanted = root_mean_squared_error(true, predicted, **given)
    assert found.rmse == pytest.approx(wanted)
    assert sum(found.residual_shares) == pytest.approx(1)
    assert len(found.true) == 400


def test_a_regression_without_variance_or_numbers_has_no_r2() -> None:
    ones = np.ones(5, np.float32)
    assert regression(ones, ones, None).r2 is None
    lost = regression(np.arange(5, dtype=np.float32), ones * np.nan, None)
    assert np.isnan(lost.rmse)


def test_scores_are_shares_of_the_weights_in_bins() -> None:
    scores = np.array([0.0, 0.03, 0.5, 1.0])
    is_class = np.array([True, True, True, False])
    weights = np.array([1, 1, 2, 5], np.float32)
    found = scores_of("s", (scores, is_class, weights), (scores, is_class, None))
    assert found.train[:2] == (0.5, 0)
    assert found.train[BINS // 2] == 0.5
    assert found.train_others[-1] == 1
    assert found.test[0] == pytest.approx(2 / 3)
    none = (scores, np.zeros(4, bool), None)
    empty = scores_of("s", none, none)
    assert set(empty.train) == {0.0}


def test_the_loss_is_that_of_scikit_learn() -> None:
    data = a_table()
    answers = np.stack([1 - 0.01 * np.arange(1, 31), 0.01 * np.arange(1, 31)], axis=1)
    weights = WEIGHTS[:30] / WEIGHTS[:30].mean()
    wanted = log_loss(data.y_test, answers, sample_weight=weights)
    assert loss_of(data, data.y_test, answers, weights) == pytest.approx(wanted)
    numbers = a_table(task="regression")
    found = loss_of(numbers, numbers.y_test, numbers.y_test[:, None] + 2.0, None)
    assert found == pytest.approx(4 / numbers.y_train.var(dtype=np.float64))


def test_a_feature_that_decides_is_important_and_the_other_is_not() -> None:
    data = a_table()

    def ask(inputs: Columns) -> np.ndarray:
        second = (inputs["row"][:, 0] > 0) * 0.8 + 0.1
        return np.stack([1 - second, second], axis=1)

    first, last = importances(ask, data, seed=1)
    assert (first.feature, last.feature) == ("a", "b")
    # A shuffle takes half of the rows to the other side: ln(9) for each of them.
    assert first.loss_increase == pytest.approx(np.log(9) / 2, rel=0.35)
    assert first.spread > 0
    assert (last.loss_increase, last.spread) == (0, 0)
    assert importances(ask, data, seed=1) == (first, last)


def test_weights_that_cancel_out_measure_an_importance() -> None:
    data = replace(a_table(), w_test=np.tile(np.float32([1, -1]), 15))
    found = importances(lambda inputs: np.full((30, 2), 0.5), data, seed=1)
    assert [one.loss_increase for one in found] == [0, 0]


def test_hundreds_of_features_are_measured_once_on_fewer_rows() -> None:
    data = a_table()
    columns = tuple(Column(f"c{n}", f"c{n}", is_text=False) for n in range(500))
    x = np.zeros((1200, 500), np.float32)
    y, w = np.zeros(1200, np.int64), np.ones(1200, np.float32)
    data = replace(data, columns=columns, x_test={"row": x}, y_test=y, w_test=w)
    asked: list[int] = []

    def ask(inputs: Columns) -> np.ndarray:
        asked.append(len(inputs["row"]))
        return np.full((len(inputs["row"]), 2), 0.5)

    assert len(importances(ask, data, seed=1)) == 500
    assert len(asked) == 501
    assert set(asked) == {1000}


def test_texts_are_shuffled_by_their_input() -> None:
    data = a_table(text=True)
    asked: list[Columns] = []

    def ask(inputs: Columns) -> np.ndarray:
        asked.append(inputs)
        second = (inputs["b"][:, 0] == "x") * 0.8 + 0.1
        return np.stack([1 - second, second], axis=1)

    found = {one.feature: one.loss_increase for one in importances(ask, data, seed=1)}
    assert found["a"] == 0
    assert found["b"] != 0
    assert sorted(asked[-1]["b"].ravel()) == sorted(data.x_test["b"].ravel())
