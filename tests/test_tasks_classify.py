"""Classifiers: one interface for all, each against its definition, calibration, learning curves."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from encoder_course.config import EncoderConfig
from encoder_course.data.written import load
from encoder_course.nn import Encoder
from encoder_course.pretrain.state import load_checkpoint
from encoder_course.tasks.baselines import MajorityClassifier, WordClassifier
from encoder_course.tasks.calibration import calibration_error, fit_temperature, reliability
from encoder_course.tasks.classifier import learning_curve, mixed
from encoder_course.tasks.classify import (
    FeatureClassifier,
    FineTunedClassifier,
    HeadClassifier,
    logistic_regression,
)
from encoder_course.tasks.embed import SentenceEncoder
from encoder_course.tasks.training import seeded
from encoder_course.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Example:
    text: str
    label: str
    mood: str = "calm"


GOOD, BAD = "good fine great lovely".split(), "bad poor awful nasty".split()
TRAIN = [
    Example(f"the {thing} is {word}", label, label[::-1])
    for words, label in ((GOOD, "yes"), (BAD, "no"))
    for word in words
    for thing in ("pan", "room", "app", "bed")
]
TEST = [
    Example(f"a {word} kettle", label)
    for words, label in ((GOOD, "yes"), (BAD, "no"))
    for word in words
]
TEXTS = [example.text for example in TEST]


@pytest.fixture(scope="module")
def parts():
    """A tiny encoder with random weights, and its tokenizer."""
    texts = [example.text for example in TRAIN + TEST]
    tokenizer = Tokenizer.train(texts, vocab_size=100, progress=False)
    with seeded(0):
        return Encoder(EncoderConfig.tiny(vocab_size=len(tokenizer))).eval(), tokenizer


def majority(parts, **settings):
    return MajorityClassifier(**settings)


def of_words(parts, **settings):
    return WordClassifier(strength=10.0, **settings)


def of_letters(parts, **settings):
    return WordClassifier(letters=True, strength=10.0, **settings)


def on_features(parts, **settings):
    encoder = SentenceEncoder(*parts, max_len=64)
    return FeatureClassifier(encoder, strength=100, cache=False, **settings)


def with_head(parts, **settings):
    return HeadClassifier(SentenceEncoder(*parts, max_len=64), lr=0.01, cache=False, **settings)


def fine_tuned(parts, **settings):
    return FineTunedClassifier(*parts, max_len=64, lr=0.01, **settings)


ALL = [majority, of_words, of_letters, on_features, with_head, fine_tuned]
LEARNING = ALL[1:]


def assert_same(one, other):
    """Equal but for the rounding of float32: texts may have been encoded in other batches."""
    torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


# --- the interface -------------------------------------------------------------------------------


@pytest.mark.parametrize("make", ALL)
def test_the_interface_is_the_same(parts, make, tmp_path):
    classifier = make(parts)
    assert classifier.fit(TRAIN, progress=False) is classifier
    probabilities = classifier.predict_proba(TEXTS)
    assert probabilities.shape == (8, 2) and classifier.classes == ["no", "yes"]
    torch.testing.assert_close(probabilities.sum(-1), torch.ones_like(probabilities[:, 0]))
    expected = [classifier.classes[i] for i in probabilities.argmax(-1)]
    assert classifier.predict(TEXTS) == expected
    assert classifier.predict([]) == []
    right = np.mean([x.label == p for x, p in zip(TEST, expected, strict=True)])
    report = classifier.evaluate(TEST, resamples=20)
    assert report["accuracy"].value == right and len(report) == 3

    classifier.calibrate(TRAIN)
    saved = classifier.save(tmp_path / "model")
    assert not any(path.suffix in (".pkl", ".pickle", ".pt") for path in saved.rglob("*"))
    options = {} if make in (majority, of_words, of_letters, fine_tuned) else {"cache": False}
    loaded = type(classifier).load(saved, **options)
    assert_same(loaded.predict_proba(TEXTS), classifier.predict_proba(TEXTS))
    assert loaded.settings == classifier.settings


@pytest.mark.parametrize("make", LEARNING)
def test_what_can_be_learnt_is_learnt(parts, make):
    """The last thing of each word is held out; an encoder with random weights knows no more."""
    held_out = [example for example in TRAIN if " bed " in example.text]
    seen = [example for example in TRAIN if example not in held_out]
    classifier = make(parts).fit(seen, epochs=80, progress=False)
    found = classifier.predict([example.text for example in held_out])
    assert found == [example.label for example in held_out] and len(found) == 8


@pytest.mark.parametrize("make", LEARNING)
def test_each_fit_begins_anew_and_a_seed_settles_it(parts, make):
    fresh = make(parts).fit(TRAIN, epochs=2, seed=4, progress=False)
    used = make(parts).fit(TRAIN[::-3], epochs=1, seed=1, progress=False)
    used.fit(TRAIN, epochs=2, seed=4, progress=False)
    assert_same(fresh.predict_proba(TEXTS), used.predict_proba(TEXTS))


@pytest.mark.parametrize("make", ALL)
def test_another_field_can_hold_the_label(parts, make, tmp_path):
    classifier = make(parts, label="mood").fit(TRAIN, epochs=1, progress=False)
    assert classifier.classes == ["on", "sey"]


@pytest.mark.parametrize("make", ALL)
def test_what_goes_wrong_is_named(parts, make, tmp_path):
    classifier = make(parts)
    with pytest.raises(ValueError, match="call fit first"):
        classifier.predict(TEXTS)
    with pytest.raises(ValueError, match="call fit first"):
        classifier.save(tmp_path)
    with pytest.raises(ValueError, match=r"two classes, but the labels are \['yes'\]"):
        classifier.fit(TRAIN[:3])
    classifier.fit(TRAIN, epochs=1, progress=False)
    with pytest.raises(TypeError, match="one str"):
        classifier.predict("a text")
    with pytest.raises(ValueError, match=r"labels \['maybe'\] are not among the classes"):
        classifier.calibrate([Example("a", "maybe")])
    folder = classifier.save(tmp_path / "model")
    other = WordClassifier if make is majority else MajorityClassifier
    with pytest.raises(ValueError, match=f"holds a {type(classifier).__name__}, not a"):
        other.load(folder)


def test_a_damaged_folder_is_named(parts, tmp_path):
    with pytest.raises(ValueError, match="no task.json in .*so it holds no HeadClassifier"):
        HeadClassifier.load(tmp_path)
    folder = with_head(parts).fit(TRAIN, epochs=1, progress=False).save(tmp_path)
    settings, weights = folder / "task.json", folder / "task.safetensors"
    whole = settings.read_text()
    settings.write_text(whole[:40])
    with pytest.raises(ValueError, match="task.json is damaged"):
        HeadClassifier.load(folder)
    changed = json.loads(whole)
    changed["learnt"]["classes"].append("maybe")
    settings.write_text(json.dumps(changed))
    with pytest.raises(ValueError, match=r"(?s)is damaged: .*size mismatch"):
        HeadClassifier.load(folder)
    settings.write_text(whole)
    weights.write_bytes(weights.read_bytes()[:-9])
    with pytest.raises(ValueError, match="task.safetensors is damaged"):
        HeadClassifier.load(folder)
    weights.unlink()
    with pytest.raises(ValueError, match="no task.safetensors"):
        HeadClassifier.load(folder)


# --- each kind against its definition ------------------------------------------------------------


def test_majority_gives_the_shares_of_the_classes():
    classifier = MajorityClassifier().fit(TRAIN[:20])
    torch.testing.assert_close(classifier.predict_proba(["a"])[0], torch.tensor([0.2, 0.8]))
    assert classifier.evaluate(TEST, resamples=0)["accuracy"].value == 0.5


@pytest.mark.parametrize("third", [False, True], ids=["two classes", "three classes"])
def test_words_equal_scikit_learn(third):
    examples = TRAIN + third * [Example("why so", "?"), Example("why not", "?")]
    texts, labels = zip(*((x.text, x.label) for x in examples), strict=True)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    solved = LogisticRegression(max_iter=5000).fit(vectorizer.fit_transform(texts), labels)
    expected = solved.predict_proba(vectorizer.transform(TEXTS))
    found = WordClassifier().fit(examples).predict_proba(TEXTS)
    torch.testing.assert_close(found, torch.from_numpy(expected))


def test_features_equal_scikit_learn(parts):
    encoder = SentenceEncoder(*parts, max_len=64)
    rows = encoder.encode([x.text for x in TRAIN]).double()
    solved = LogisticRegression(max_iter=5000).fit(rows, [x.label for x in TRAIN])
    expected = solved.predict_proba(encoder.encode(TEXTS).double())
    classifier = FeatureClassifier(encoder, cache=False).fit(TRAIN)
    torch.testing.assert_close(classifier.predict_proba(TEXTS), torch.from_numpy(expected))
    layer = logistic_regression(rows.numpy(), np.arange(len(rows)) % 2, 1.0)
    assert not layer.weight[0].any() and layer.weight.shape == (2, 32)


def test_fine_tuning_changes_a_copy_and_a_frozen_head_nothing(parts):
    encoder, tokenizer = parts
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    frozen = with_head(parts).fit(TRAIN, epochs=1, progress=False)
    tuned = fine_tuned(parts).fit(TRAIN, epochs=1, progress=False)
    for name, tensor in encoder.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert frozen.features.encoder.encoder is encoder
    changed = tuned.encoder.encoder.state_dict()
    assert all(not torch.equal(changed[n], before[n]) for n in before if "query.weight" in n)
    assert [tensor.shape for tensor in frozen.head.state_dict().values()] == [
        tensor.shape for tensor in tuned.head.state_dict().values()
    ]


@pytest.mark.parametrize("make", [with_head, fine_tuned])
def test_validation_stops_training(parts, make):
    wrong = [Example(x.text, "no" if x.label == "yes" else "yes") for x in TRAIN]
    classifier = make(parts)
    classifier.fit(TRAIN, validation=wrong, epochs=30, patience=2, progress=False)
    assert len(classifier.history.validation) == classifier.history.best_epoch + 2 < 30


def test_the_course_encoder_is_as_welcome_as_minilm():
    model, tokenizer = load_checkpoint()
    classifier = FineTunedClassifier(model.encoder, tokenizer)
    assert len(classifier.fit(TRAIN, epochs=1, progress=False).predict(TEXTS)) == len(TEXTS)


def test_minilm_beats_words_on_reviews_with_few_examples(tmp_path):
    examples, test = load("reviews")[::4], load("reviews", "test")[::2]
    found = FeatureClassifier(SentenceEncoder.minilm(), cache_dir=tmp_path).fit(examples)
    base = WordClassifier().fit(examples)
    scores = [c.evaluate(test, resamples=0)["accuracy"].value for c in (found, base)]
    assert scores[0] > 0.65 and scores[0] > scores[1] + 0.05


# --- calibration ---------------------------------------------------------------------------------


def test_calibration_error_by_hand():
    sure = np.array([0.55, 0.65, 0.95, 0.95, 0.95, 1.0])
    right = np.array([True, False, True, True, False, True])
    table = reliability(sure, right, bins=2)
    assert [row.count for row in table] == [6]  # (0.5, 1] holds all
    table = reliability(sure, right)
    assert [row.count for row in table] == [1, 1, 4]
    expected = (abs(0.55 - 1) + abs(0.65 - 0) + 4 * abs(3.85 / 4 - 3 / 4)) / 6
    assert calibration_error(sure, right) == pytest.approx(expected)
    with pytest.raises(ValueError, match="bins must be at least 1"):
        reliability(sure, right, bins=0)


def test_who_says_what_is_true_has_no_calibration_error():
    generator = np.random.default_rng(0)
    sure = generator.uniform(0.5, 1, 200_000)
    assert calibration_error(sure, generator.random(200_000) < sure) < 0.005
    assert calibration_error(sure, generator.random(200_000) < sure - 0.1) > 0.09


@pytest.mark.parametrize("temperature", [0.25, 1.0, 3.0])
def test_the_temperature_of_drawn_labels_is_found(temperature):
    generator = torch.Generator().manual_seed(0)
    logits = 4 * torch.randn(20_000, 3, generator=generator)
    labels = (logits / temperature).softmax(-1).multinomial(1, generator=generator)[:, 0]
    assert fit_temperature(logits, labels) == pytest.approx(temperature, rel=0.05)


def test_calibration_changes_how_sure_and_not_what(parts):
    texts = [example.text for example in TRAIN]
    classifier = on_features(parts).fit(TRAIN)
    before = classifier.predict_proba(texts)
    classifier.calibrate(TRAIN)
    after = classifier.predict_proba(texts)
    assert classifier.temperature < 0.5  # it is always right there
    assert torch.equal(before.argmax(-1), after.argmax(-1)) and (after.max(-1).values > 0.9).all()
    temperature = classifier.temperature
    assert classifier.calibrate(TRAIN).temperature == pytest.approx(temperature, rel=1e-6)
    assert classifier.fit(TRAIN).temperature == 1.0


# --- learning curves -----------------------------------------------------------------------------


def test_a_learning_curve_has_a_point_for_each_size_and_seed():
    curve = learning_curve(
        WordClassifier(strength=10.0), TRAIN, TEST, sizes=[4, 32], seeds=range(3), progress=False
    )
    assert [(p.size, p.seed) for p in curve] == [(n, s) for n in (4, 32) for s in range(3)]
    assert np.mean([p.accuracy for p in curve[:3]]) < 1.0
    assert [p.accuracy for p in curve[3:]] == [1.0] * 3
    with pytest.raises(ValueError, match="largest size is 33 but there are 32"):
        learning_curve(WordClassifier(), TRAIN, TEST, sizes=[33], seeds=[0])


def test_every_beginning_of_the_order_holds_the_classes_shares():
    labels = ["a"] * 60 + ["b"] * 30 + ["c"] * 10
    order = mixed(labels, seed=0)
    assert sorted(order) == list(range(100)) and order != mixed(labels, seed=1)
    for size in (10, 20, 50):
        found = [labels[i] for i in order[:size]]
        assert abs(found.count("a") - 0.6 * size) <= 1 and abs(found.count("b") - 0.3 * size) <= 1
