"""Right answers to the exercises of lab 12."""

import re
from collections import Counter
from itertools import pairwise

import numpy as np
from sklearn.metrics import ndcg_score


def chunks_by_finditer(text, size, overlap):
    words = list(re.finditer(r"\S+", text))
    found, start = [], 0
    while True:
        held = words[start : start + size]
        found.append((held[0].start(), held[-1].end()))
        if start + size >= len(words):
            return found
        start += size - overlap


def chunks_by_find(text, size, overlap):
    spans, place = [], 0
    for word in text.split():
        place = text.index(word, place)
        spans.append((place, place + len(word)))
        place += len(word)
    step = size - overlap
    count = 1 + max(0, -(-(len(spans) - size) // step))
    return [(spans[i * step][0], spans[i * step : i * step + size][-1][1]) for i in range(count)]


def chunks_by_letters(text, size, overlap):
    padded = f" {text} "
    pairs = list(enumerate(pairwise(padded)))
    starts = [i for i, (one, two) in pairs if one.isspace() and not two.isspace()]
    ends = [i for i, (one, two) in pairs if two.isspace() and not one.isspace()]
    firsts = range(0, max(len(starts) - overlap, 1), size - overlap)
    return [[starts[i], ends[min(i + size, len(ends)) - 1]] for i in firsts]


def fusion_by_dict(rankings, weights, constant):
    scores = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for i, name in enumerate(ranking):
            scores.setdefault(name, []).append(weight / (constant + i + 1))
    return sorted(sorted(scores), key=lambda name: sum(scores[name]), reverse=True)


def fusion_by_names(rankings, weights, constant):
    def score(name):
        places = [ranking.index(name) + 1 if name in ranking else np.inf for ranking in rankings]
        return sum(w / (constant + p) for w, p in zip(weights, places, strict=True))

    return sorted({n for r in rankings for n in r}, key=lambda name: (-score(name), name))


def fusion_by_counter(rankings, weights, constant):
    sums = Counter()
    for ranking, weight in zip(rankings, weights, strict=True):
        sums.update({name: weight / (constant + p) for p, name in enumerate(ranking, 1)})
    return [name for _, name in sorted((-total, name) for name, total in sums.items())]


def measures_by_loop(found, right, k):
    hits = [name in right for name in found[:k]]
    gain = sum(hit / np.log2(i + 2) for i, hit in enumerate(hits))
    best = sum(1 / np.log2(i + 2) for i in range(min(k, len(right))))
    first = hits.index(True) + 1 if any(hits) else np.inf
    return {"recall": sum(hits) / len(right), "rr": 1 / first, "ndcg": float(gain / best)}


def measures_by_library(found, right, k):
    names = [*found, *range(k), *sorted(set(right) - set(found))]  # numbers fill the k places
    true = [[float(name in right) for name in names]]
    order = [[-float(i) for i in range(len(names))]]
    shown = [name in right for name in found[:k]]
    rr = max([1 / place for place, hit in enumerate(shown, 1) if hit], default=0.0)
    return {
        "ndcg": float(ndcg_score(true, order, k=k)),
        "recall": len(set(found[:k]) & right) / len(right),
        "rr": rr,
    }


def plan_by_sets(stored, now):
    again = {name for name, _ in set(now.items()) - set(stored.items())}
    return {"encode": sorted(again), "delete": sorted(set(stored) - set(now))}


def plan_by_loop(stored, now):
    encode = []
    for name, (text, encoder) in now.items():
        if name in stored and stored[name][0] == text and stored[name][1] == encoder:
            continue
        encode.append(name)
    return {"encode": sorted(encode), "delete": sorted(n for n in stored if n not in now)}


def judged_by_loop(validation, test):
    def worth(scored, threshold):
        shares = []
        for kind in (True, False):
            mine = [(s >= threshold) == kind for s, known in scored if known == kind]
            shares.append(sum(mine) / len(mine))
        return sum(shares) / 2

    best = None
    for threshold in sorted(score for score, _ in validation):
        value = worth(validation, threshold)
        if best is None or value > best[0] + 1e-12:
            best = (value, threshold)
    return worth(test, best[1])


def judged_by_arrays(validation, test):
    score, known = (np.array(column) for column in zip(*validation, strict=True))
    thresholds = np.sort(score)
    kept = score >= thresholds[:, None]
    gain = kept[:, known].mean(axis=1) - kept[:, ~known].mean(axis=1)
    threshold = thresholds[gain.round(9).argmax()]
    score, known = (np.array(column) for column in zip(*test, strict=True))
    return float(((score >= threshold)[known].mean() + (score < threshold)[~known].mean()) / 2)


def judged_by_ranking(validation, test):
    def worth(threshold, scored):
        answered = Counter(known for score, known in scored if score >= threshold)
        of = Counter(known for _, known in scored)
        return 0.5 + (answered[True] / of[True] - answered[False] / of[False]) / 2

    best = min({score for score, _ in validation}, key=lambda t: (-worth(t, validation), t))
    return worth(best, test)


RIGHT = {
    "lab12.1": [chunks_by_finditer, chunks_by_find, chunks_by_letters],
    "lab12.2": [{"a", "c", "e"}],
    "lab12.3": [fusion_by_dict, fusion_by_names, fusion_by_counter],
    "lab12.4": [measures_by_loop, measures_by_library],
    "lab12.5": [plan_by_sets, plan_by_loop],
    "lab12.6": [judged_by_loop, judged_by_arrays, judged_by_ranking],
}
