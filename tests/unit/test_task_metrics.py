"""Measures of finetuned models against scikit-learn, hand counts and theory."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn import metrics

from zoobot.data_utils.tasks import Task
from zoobot.dirichlet_multinomial import fit_constant_concentrations, log_likelihood
from zoobot.evaluation.ranking import Ranked
from zoobot.evaluation.task_metrics import linear_probe, task_metrics
from zoobot.schemas import get_schema

RING = Task("binary", "ring")
LABELS = np.float32([1, 1, 1, 0, 0, 0, 0, 0])
PROBABILITY = np.array([0.9, 0.6, 0.1, 0.7, 0.3, 0.2, 0.05, 0.0])


def of_rings(labels, *, probability, prevalence):
    return task_metrics(
        labels,
        outputs=probability[:, None],
        task=RING,
        constant=np.array([prevalence]),
    )


def test_binary_by_hand():
    """Eight galaxies, three of them rings, counted by a person."""
    found = of_rings(LABELS, probability=PROBABILITY, prevalence=0.25)
    assert (found["n"], found["n_positive"]) == (8, 3)
    # Above 0.5: 0.9, 0.6 (rings) and 0.7 (none). One ring is missed.
    assert found["accuracy"] == pytest.approx(6 / 8)
    # Above 0.25: rings 0.9, 0.6; others 0.7, 0.3.
    assert found["confusion_matrix"] == [[3, 2], [1, 2]]
    assert found["balanced_accuracy"] == pytest.approx((2 / 3 + 3 / 5) / 2)
    # Pairs in order: 0.9 beats 5, 0.6 beats 4, 0.1 beats 2 of 5.
    assert found["roc_auc"] == pytest.approx(11 / 15)
    # Precision where a ring comes: 1st of 1, 2nd of 3, 3rd of 6.
    assert found["average_precision"] == pytest.approx((1 + 2 / 3 + 3 / 6) / 3)
    errors = [0.1, 0.4, 0.9, 0.7, 0.3, 0.2, 0.05, 0.0]
    assert found["brier_score"] == pytest.approx(np.mean(np.square(errors)))
    # -ln of the probability given to the truth.
    given = np.array([0.9, 0.6, 0.1, 0.3, 0.7, 0.8, 0.95, 1 - 1e-7])
    assert found["loss"] == pytest.approx(-np.log(given).mean(), abs=1e-6)
    constant = -(3 * np.log(0.25) + 5 * np.log(0.75)) / 8
    assert found["constant_loss"] == pytest.approx(constant)
    assert found["roc_auc_90pc_lower"] <= 11 / 15 <= found["roc_auc_90pc_upper"]
    assert json.loads(json.dumps(found)) == found


def test_ranks_are_those_of_scikit_learn():
    """With equal scores and with weights, as resamples have them."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores = np.round(rng.random(60), 1)
        labels = rng.random(60) < 0.3
        weights = rng.integers(0, 4, 60).astype(float)
        ranked = Ranked(scores, labels=labels)
        expected = metrics.roc_auc_score(labels, scores, sample_weight=weights)
        assert ranked.roc_auc(weights) == pytest.approx(expected, abs=1e-12)
        expected = metrics.average_precision_score(
            labels, scores, sample_weight=weights
        )
        assert ranked.average_precision(weights) == pytest.approx(expected, abs=1e-12)


def test_ranks_of_one_class():
    """There is nothing to rank: no number, and none is made up."""
    ranked = Ranked(np.arange(3.0), labels=np.ones(3, bool))
    assert np.isnan(ranked.roc_auc(np.ones(3)))
    others = Ranked(np.arange(3.0), labels=np.zeros(3, bool))
    assert np.isnan(others.average_precision(np.ones(3)))
    found = of_rings(np.zeros(4, np.float32), probability=np.ones(4), prevalence=0.5)
    assert found["roc_auc"] is None and found["roc_auc_90pc_upper"] is None


def test_bootstrap_interval_has_the_known_width():
    """Of 400 galaxies without information: that of a rank sum, by its formula."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 200).astype(np.float32)
    found = of_rings(labels, probability=rng.random(400), prevalence=0.5)
    width = found["roc_auc_90pc_upper"] - found["roc_auc_90pc_lower"]
    expected = 2 * 1.645 * np.sqrt((200 + 200 + 1) / (12 * 200 * 200))
    # 500 bootstrap samples know the ends of an interval to about 10% each.
    assert width == pytest.approx(expected, rel=0.25)
    n_right = found["accuracy"] * 400
    width = found["accuracy_90pc_upper"] - found["accuracy_90pc_lower"]
    binomial = 2 * 1.645 * np.sqrt(n_right * (400 - n_right) / 400) / 400
    assert width == pytest.approx(binomial, rel=0.25)


def test_classes_are_measured_as_scikit_learn_does():
    """Accuracy, balanced accuracy, loss and the area under the curve of each class."""
    rng = np.random.default_rng(0)
    task = Task("classes", "kind", classes=("a", "b", "c"))
    share = np.array([0.6, 0.3, 0.1])
    truth = rng.choice(3, 200, p=share)
    outputs = rng.dirichlet(5 * share, 200)
    found = task_metrics(
        np.eye(3, dtype=np.float32)[truth], outputs=outputs, task=task, constant=share
    )
    assert found["accuracy"] == pytest.approx(np.mean(outputs.argmax(1) == truth))
    likeliest = (outputs / share).argmax(1)
    expected = metrics.balanced_accuracy_score(truth, likeliest)
    assert found["balanced_accuracy"] == pytest.approx(expected)
    matrix = metrics.confusion_matrix(truth, likeliest)
    np.testing.assert_array_equal(found["confusion_matrix"], matrix)
    clipped = np.maximum(outputs, 1e-7)
    expected = -np.log(clipped[np.arange(200), truth]).mean()
    assert found["loss"] == pytest.approx(expected)
    aucs = [metrics.roc_auc_score(truth == k, outputs[:, k]) for k in range(3)]
    assert found["roc_auc"] == pytest.approx(np.mean(aucs))


def test_fractions_are_measured_as_scikit_learn_does():
    """Errors of numbers from 0 to 1."""
    rng = np.random.default_rng(0)
    truth = rng.beta(2, 3, 100).astype(np.float32)
    outputs = np.clip(truth + rng.normal(0.05, 0.1, 100), 0, 1)
    found = task_metrics(
        truth,
        outputs=outputs[:, None],
        task=Task("fraction", "light"),
        constant=np.array([0.4]),
    )
    expected = {
        "mean_absolute_error": metrics.mean_absolute_error(truth, outputs),
        "root_mean_squared_error": metrics.root_mean_squared_error(truth, outputs),
        "r_squared": metrics.r2_score(truth, outputs),
        "bias": np.mean(outputs - truth),
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-6)
        assert found[f"{name}_90pc_lower"] < value < found[f"{name}_90pc_upper"]
    log_loss = -(truth * np.log(0.4) + (1 - truth) * np.log(0.6))
    assert found["constant_loss"] == pytest.approx(log_loss.mean(), abs=1e-6)


def test_votes_are_measured_by_their_likelihood():
    """The sum over questions of the Dirichlet-multinomial loss, and of the constant."""
    tree = get_schema("gz2")
    rng = np.random.default_rng(0)
    votes = rng.integers(0, 9, (40, 30)).astype(np.float32)
    outputs = rng.uniform(1, 20, (40, 30)).astype(np.float32)
    constant = fit_constant_concentrations(votes, schema=tree)
    found = task_metrics(
        votes,
        outputs=outputs,
        task=Task("votes", "gz2", schema=tree),
        constant=constant,
    )
    for name, alpha in (("loss", outputs), ("constant_loss", constant)):
        each = -log_likelihood(votes, concentrations=alpha, schema=tree)
        # Concentrations are float32.
        assert found[name] == pytest.approx(each.sum(axis=1).mean(), rel=1e-5)
    question = tree.questions[0]
    fractions = votes[:, question.columns] / votes[:, question.columns].sum(
        1, keepdims=True
    )
    alpha = outputs[:, question.columns]
    errors = np.abs(alpha / alpha.sum(1, keepdims=True) - fractions).mean(0)
    for answer, error in zip(question.answers, errors, strict=True):
        measured = found["answers"][answer.label_col]["mean_absolute_error"]
        assert measured == pytest.approx(error, rel=1e-5)
    assert found["questions"][question.text]["n"] == 40
    json.dumps(found)


def test_linear_probe_finds_what_lies_open_and_nothing_else():
    """Shifted features are found; features without any information give chance."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [300, 60])
    features = rng.normal(size=(360, 5))
    blind = linear_probe(features, labels=labels, seed=0)
    assert abs(blind["roc_auc"] - 0.5) < 0.12  # three standard errors of the AUC
    features[labels == 1, 2] += 2.0
    seen = linear_probe(features, labels=labels, seed=0)
    # Two unit Gaussians 2 apart: AUC = Phi(2 / sqrt 2) = 0.921.
    assert abs(seen["roc_auc"] - 0.921) < 0.05
    assert seen["roc_auc_90pc_lower"] < 0.921 < seen["roc_auc_90pc_upper"]
