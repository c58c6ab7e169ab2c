"""What all tasks share: intervals, remembered features, the training loop."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch import nn
from torch.nn import functional as F

from encoder_course.config import EncoderConfig
from encoder_course.nn import Encoder
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.features import Features
from encoder_course.tasks.metrics import Metric, Report, accuracy, bootstrap, macro_f1, measure
from encoder_course.tasks.training import (
    Plan,
    cross_entropy,
    parameter_groups,
    rise_and_fall,
    seeded,
    shuffled,
    train,
)
from encoder_course.text.tokenizer import Tokenizer

# --- metrics -------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_metrics_equal_those_of_scikit_learn(seed):
    generator = np.random.default_rng(seed)
    true = generator.choice(["a", "b", "c"], 40)
    predicted = generator.choice(["a", "b", "d"], 40)  # one class never true, one never predicted
    assert accuracy(true, predicted) == accuracy_score(true, predicted)
    expected = f1_score(true, predicted, average="macro", zero_division=0)
    assert macro_f1(true, predicted) == pytest.approx(expected)


def test_macro_f1_by_hand():
    true, predicted = np.array(["a", "a", "a", "b"]), np.array(["a", "a", "b", "b"])
    assert macro_f1(true, predicted) == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_the_interval_of_a_mean_is_that_of_theory():
    values = np.random.default_rng(0).normal(size=400)
    low, high = bootstrap(np.mean, values, resamples=2000)
    half = 1.96 * values.std() / math.sqrt(400)
    assert low == pytest.approx(values.mean() - half, abs=0.01)
    assert high == pytest.approx(values.mean() + half, abs=0.01)
    assert bootstrap(np.mean, values, resamples=2000) == (low, high)
    assert bootstrap(np.mean, values, resamples=2000, seed=1) != (low, high)


def test_sequences_are_drawn_together():
    numbers = list(range(30))
    assert bootstrap(accuracy, numbers, numbers) == (1.0, 1.0)
    spans = [[(i, i + 1, "X")] for i in numbers]  # lists of different things stay one entry each
    same = lambda a, b: float(all(x == y for x, y in zip(a, b, strict=True)))  # noqa: E731
    assert bootstrap(same, spans, spans, resamples=10) == (1.0, 1.0)


def test_what_cannot_be_drawn_is_named():
    with pytest.raises(ValueError, match=r"different lengths: \[2, 3\]"):
        bootstrap(accuracy, [1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="no examples"):
        bootstrap(np.mean, [])
    with pytest.raises(ValueError, match="at least 1 but is 0"):
        bootstrap(np.mean, [1.0], resamples=0)


def test_a_report_is_a_table_with_names():
    metrics = [Metric("accuracy", 0.8125, 0.75, 0.875), Metric("F1", 0.5)]
    report = Report(metrics, 160, "Tagger")
    assert report["accuracy"].high == 0.875
    assert [metric.name for metric in report] == ["accuracy", "F1"] and len(report) == 2
    assert repr(report).splitlines() == [
        "Tagger (160 examples)",
        "accuracy  0.812  [0.750, 0.875]",
        "F1        0.500",
    ]
    assert str(metrics[0]) == "accuracy: 0.812 [0.750, 0.875]" and str(metrics[1]) == "F1: 0.500"
    with pytest.raises(KeyError, match="no metric 'recall', only accuracy, F1"):
        report["recall"]
    with pytest.raises(ValueError, match="named twice"):
        Report([Metric("a", 1.0), Metric("a", 0.0)], 1)


def test_a_metric_without_resamples_has_no_interval():
    metric = measure("mean", np.mean, [1.0, 2.0], resamples=0)
    assert metric.value == 1.5 and math.isnan(metric.low) and math.isnan(metric.high)


# --- features ------------------------------------------------------------------------------------

TEXTS = ["the red fox", "a blue whale", "red and blue", "the red fox"]


class Counting(SentenceEncoder):
    """A sentence encoder that counts how many texts it was given."""

    given = 0

    def encode(self, texts, progress=False):
        self.given += len(texts)
        return super().encode(texts, progress)


@pytest.fixture
def encoder():
    tokenizer = Tokenizer.train(TEXTS, vocab_size=60, progress=False)
    with seeded(0):
        return Counting(Encoder(EncoderConfig.tiny()).eval(), tokenizer, max_len=64)


def test_each_text_is_encoded_once(encoder, tmp_path):
    expected = SentenceEncoder.encode(encoder, TEXTS)
    features = Features(encoder, cache_dir=tmp_path)
    torch.testing.assert_close(features(TEXTS), expected)
    assert encoder.given == 3  # one text stands there twice
    torch.testing.assert_close(features(TEXTS[1:2]), expected[1:2])
    torch.testing.assert_close(Features(encoder, cache_dir=tmp_path)(TEXTS), expected)
    assert encoder.given == 3
    features([*TEXTS, "new"])
    assert encoder.given == 4
    assert features([]).shape == (0, 32)


def test_a_changed_encoder_has_other_features(encoder, tmp_path):
    before = Features(encoder, cache_dir=tmp_path)(TEXTS)
    with torch.no_grad():
        encoder.encoder.embed.token.weight[10:].neg_()
    after = Features(encoder, cache_dir=tmp_path)(TEXTS)
    assert encoder.given == 6 and not torch.allclose(before, after)
    assert len(list(tmp_path.rglob("*.npz"))) == 2


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no zip file"], ids=["empty", "no zip file"])
def test_a_damaged_file_is_written_anew(encoder, tmp_path, damage):
    expected = Features(encoder, cache_dir=tmp_path)(TEXTS)
    (path,) = tmp_path.rglob("*.npz")
    path.write_bytes(damage)
    torch.testing.assert_close(Features(encoder, cache_dir=tmp_path)(TEXTS), expected)
    assert encoder.given == 6
    Features(encoder, cache_dir=tmp_path)(TEXTS)
    assert encoder.given == 6


def test_two_processes_lose_nothing_of_each_other(encoder, tmp_path):
    one, two = (Features(encoder, cache_dir=tmp_path) for _ in range(2))
    one(TEXTS[:1])
    two(TEXTS[1:2])
    assert len(Features(encoder, cache_dir=tmp_path).rows) == 2


def test_without_a_cache_nothing_is_written(encoder, tmp_path, monkeypatch):
    monkeypatch.setenv("ENCODER_COURSE_CACHE", str(tmp_path))
    Features(encoder, cache=False)(TEXTS)
    assert not list(tmp_path.iterdir())
    with pytest.raises(TypeError, match="one str"):
        Features(encoder, cache=False)("a text")


# --- training ------------------------------------------------------------------------------------


class Line(nn.Module):
    """A straight line, to be found from points on it."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(1, 1)

    def loss(self, batch):
        x, y = torch.tensor(batch).T[..., None]  # (B, 1) each
        return F.mse_loss(self.head(x), y)


POINTS = [(x / 10, 3 * x / 10 - 1) for x in range(-10, 10)]


def fitted(plan, **options):
    with seeded(3):
        line = Line()
    history = train(line, line.loss, POINTS, plan, progress=False, **options)
    return line, history


def test_a_line_is_found():
    line, history = fitted(Plan(lr=0.1, epochs=60, batch=5, weight_decay=0.0))
    torch.testing.assert_close(line.head.weight.item(), 3.0, atol=0.01, rtol=0)
    torch.testing.assert_close(line.head.bias.item(), -1.0, atol=0.01, rtol=0)
    assert len(history.steps) == 240 and history.best_epoch == 60 and not line.training


def test_a_seed_settles_the_weights_and_disturbs_nobody():
    plan = Plan(lr=0.01, epochs=2, batch=3)
    state = torch.get_rng_state()
    weights = [fitted(plan, seed=seed)[0].head.weight.item() for seed in (0, 0, 1)]
    assert weights[0] == weights[1] != weights[2]
    assert torch.equal(torch.get_rng_state(), state)


def test_the_best_weights_come_back():
    scores = iter([3.0, 1.0, 2.0, 1.5, 9.0])
    seen = []
    with seeded(0):
        line = Line()

    def score():
        seen.append(line.head.weight.item())
        assert not line.training
        return next(scores)

    plan = Plan(lr=0.1, epochs=5, patience=2)
    history = train(line, line.loss, POINTS, plan, score=score, progress=False)
    assert history.validation == [3.0, 1.0, 2.0, 1.5] and history.best_epoch == 2
    assert line.head.weight.item() == seen[1] != seen[-1]


def test_the_validation_loss_is_the_mean_over_examples():
    plan = Plan(lr=1e-9, epochs=1, batch=16, weight_decay=0.0)
    line, history = fitted(plan, validation=POINTS)  # batches of 16 and 4
    assert history.validation[0] == pytest.approx(line.loss(POINTS).item(), rel=1e-4)


def test_batches_hold_every_example_once():
    rows = [[0] * (1 + i % 7) for i in range(50)]
    padding = []
    for length in (None, len):
        with seeded(0):
            batches = shuffled(rows, 8, length)
        assert sorted(map(id, sum(batches, []))) == sorted(map(id, rows))
        padding.append(sum(len(b) * max(map(len, b)) - sum(map(len, b)) for b in batches))
    assert padding[1] < padding[0] / 3


def test_rates_rise_and_fall():
    rates = [rise_and_fall(step, 10, 0.2) for step in range(11)]
    assert rates == pytest.approx(
        [1 / 3, 2 / 3, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0]
    )
    assert rise_and_fall(0, 10, 0.0) == 1


def test_heads_have_their_own_rate_and_only_matrices_decay():
    model = nn.ModuleDict({"encoder": nn.Linear(2, 2), "head": nn.Linear(2, 3)})
    groups = parameter_groups(model, Plan(lr=1e-5, head_lr=1e-3, weight_decay=0.1))
    found = {(g["lr"], g["weight_decay"], tuple(g["params"][0].shape)) for g in groups}
    assert found == {(1e-5, 0.1, (2, 2)), (1e-5, 0.0, (2,)), (1e-3, 0.1, (3, 2)), (1e-3, 0.0, (3,))}
    with pytest.raises(ValueError, match="nothing to train"):
        parameter_groups(model.requires_grad_(False), Plan())


def test_cross_entropy_takes_one_class_for_each_vector():
    head = nn.Linear(2, 3)
    rows = [(torch.randn(n, 2), torch.arange(n)) for n in (1, 3)]
    expected = F.cross_entropy(head(torch.cat([x for x, _ in rows])), torch.tensor([0, 0, 1, 2]))
    torch.testing.assert_close(cross_entropy(head, torch.cat)(rows), expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(lr=0.0), "lr must be above 0, but it is 0.0"),
        (dict(patience=0), "patience must be above 0"),
        (dict(warmup=1.0), "below 1, but it is 1.0"),
    ],
)
def test_a_plan_out_of_range_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Plan(**changes)


def test_no_examples_are_refused():
    line = Line()
    with pytest.raises(ValueError, match="no examples"):
        train(line, line.loss, [], Plan(), progress=False)
