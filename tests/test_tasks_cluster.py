"""Clusters: found again, numbered anyhow, named by their own words."""

import numpy as np
import pytest

from encoder_course.tasks.cluster import Clusters, agreement, distinctive_words

KITCHEN = [f"stir the {what} in a hot pan" for what in "onion rice bean egg leek pea".split()]
GARDEN = [f"water the {what} in the morning" for what in "rose lawn fern tree hedge moss".split()]
STREET = [f"park the {what} behind a lorry" for what in "car bike van taxi bus scooter".split()]
TEXTS = KITCHEN + GARDEN + STREET
LABELS = ["kitchen"] * 6 + ["garden"] * 6 + ["street"] * 6


def bags(texts):
    """How often each word stands in each text."""
    vocabulary = sorted({word for text in TEXTS for word in text.split()})
    return np.array([[text.split().count(word) for word in vocabulary] for text in texts])


def test_clusters_are_found_again_and_named():
    clusters = Clusters(bags, 3).fit(TEXTS)
    assert clusters.evaluate(TEXTS, LABELS)["ARI"].value == 1
    numbers = clusters.predict([KITCHEN[0], GARDEN[0], STREET[0]])
    assert len(set(numbers)) == 3
    kitchen, garden, street = (set(clusters.names[n].split(", ")) for n in numbers)
    assert kitchen == {"hot", "pan", "stir"} and garden == {"morning", "water"} | garden
    assert {"park", "lorry"} < street
    assert clusters.predict([]).shape == (0,)


def test_a_new_text_goes_to_its_kind():
    clusters = Clusters(bags, 3).fit(TEXTS)
    assert clusters.predict(["stir the car in a hot pan"]) == clusters.predict([KITCHEN[0]])


def test_the_same_seed_gives_the_same_clusters():
    noise = np.random.default_rng(0).normal(size=(60, 4))
    texts = [str(i) for i in range(60)]

    def look_up(asked):
        return noise[[int(text) for text in asked]]

    one, two = (Clusters(look_up, 5).fit(texts, seed=3).predict(texts) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_length_says_nothing():
    long = Clusters(lambda texts: bags(texts) * 7.0, 3).fit(TEXTS)
    short = Clusters(bags, 3).fit(TEXTS)
    assert agreement(long.predict(TEXTS), short.predict(TEXTS))["ARI"].value == 1


def test_agreement_does_not_ask_for_names_and_chance_gets_nothing():
    assert agreement(list("aabb"), [7, 7, 3, 3])["ARI"].value == 1
    assert agreement(list("aabb"), [0, 0, 0, 0])["NMI"].value == 0
    generator = np.random.default_rng(0)
    tosses = generator.integers(10, size=(2, 2000))
    assert abs(agreement(*tosses)["ARI"].value) < 0.01
    # By hand: {1 2 3 | 4} against {1 2 | 3 4}. Of 6 pairs 1 is together in both, 3 and 2 in one.
    by_hand = (1 - 3 * 2 / 6) / ((3 + 2) / 2 - 3 * 2 / 6)
    assert agreement([0, 0, 0, 1], [0, 0, 1, 1])["ARI"].value == pytest.approx(by_hand)


def test_distinctive_words_are_frequent_here_and_rare_elsewhere():
    found = distinctive_words(TEXTS, LABELS, count=2, prior=1)
    assert set(found) == {"kitchen", "garden", "street"}
    assert set(found["garden"]) == {"morning", "water"}
    series = distinctive_words(["a series of x", "series", "arrays 12", "arrays"], [0, 0, 1, 1])
    assert series == {0: ["series"], 1: ["arrays"]}  # as they are written; no digits, no letters
    alike = distinctive_words(["matrix matrices rank", "arrays"], [0, 1])
    assert alike[0] == ["matrices", "rank"] and alike[1] == ["arrays"]
    # "the" is a stop word; "onion" stands in one text only, and everywhere words say nothing.
    texts = ["axis row onion", "axis row", "axis row", "axis", "axis", "axis plum"]
    names = distinctive_words(texts, [0, 0, 0, 1, 1, 1], count=9)
    assert names[0][0] == "row" and "axis" not in names[0] + names[1]


def test_wrong_input_is_named():
    with pytest.raises(ValueError, match="count must be at least 2, but it is 1"):
        Clusters(bags, 1)
    with pytest.raises(ValueError, match="there are 2 texts but 3 clusters"):
        Clusters(bags, 3).fit(TEXTS[:2])
    with pytest.raises(ValueError, match="no clusters yet"):
        Clusters(bags, 3).predict(TEXTS)
    with pytest.raises(ValueError, match="there are 1 labels for 18 texts"):
        agreement(["a"], [0] * 18)
    with pytest.raises(ValueError, match="there are 1 labels for 18 texts"):
        distinctive_words(TEXTS, ["a"])
