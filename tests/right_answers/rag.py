"""Right answers to the exercises of notebook 12."""

import numpy as np


def chunks_by_loop(sentences, size, overlap):
    made, start = [], 0
    while True:
        made.append(" ".join(sentences[start : start + size]))
        if start + size >= len(sentences):
            return made
        start += size - overlap


def chunks_by_list(sentences, size, overlap):
    starts = [0]
    while starts[-1] + size < len(sentences):
        starts.append(starts[-1] + size - overlap)
    return [" ".join(sentences[s : s + size]) for s in starts]


def rank_by_loop(found, right, k):
    seen = []
    for name in found:
        if name in seen:
            continue
        seen.append(name)
        if len(seen) > k:
            break
        if name in right:
            return 1 / len(seen)
    return 0


def rank_by_places(found, right, k):
    names = sorted(set(found), key=found.index)
    places = [names.index(name) + 1 for name in right if name in names]
    return 1.0 / min(places) if places and min(places) <= k else 0.0


def fusion_by_name(rankings, constant):
    names = {name for ranking in rankings for name in ranking}
    return {
        name: sum(1 / (constant + r.index(name) + 1) for r in rankings if name in r)
        for name in names
    }


def fusion_by_loop(rankings, constant):
    scores = {}
    for ranking in rankings:
        for place in range(len(ranking)):
            share = 1 / (constant + place + 1)
            scores[ranking[place]] = scores.get(ranking[place], 0) + share
    return scores


def threshold_by_numpy(scores, answerable):
    scores, known = np.array(scores), np.array(answerable)
    kept = scores >= scores[:, None]
    gain = kept[:, known].mean(axis=1) - kept[:, ~known].mean(axis=1)
    return scores[gain.argmax()]


def threshold_by_loop(scores, answerable):
    best, chosen = -2.0, None
    for threshold in sorted(scores):
        yes = [s >= threshold for s, a in zip(scores, answerable, strict=True) if a]
        no = [s < threshold for s, a in zip(scores, answerable, strict=True) if not a]
        worth = sum(yes) / len(yes) + sum(no) / len(no)
        if worth > best:
            best, chosen = worth, threshold
    return chosen


def faithful_by_loop(claims, sources):
    right = 0
    for text, number in claims:
        if number < 1 or number > len(sources):
            continue
        source = sources[number - 1].replace("\n", " ")
        right += text.replace("\n", " ") in source
    return right / len(claims)


def faithful_by_dict(claims, sources):
    numbered = {i + 1: " ".join(text.split()) for i, text in enumerate(sources)}
    return float(np.mean([" ".join(t.split()) in numbered.get(n, "") for t, n in claims]))


RIGHT = {
    "12.1": [chunks_by_loop, chunks_by_list],
    "12.2": [rank_by_loop, rank_by_places],
    "12.3": [fusion_by_name, fusion_by_loop],
    "12.4": [61],
    "12.5": [threshold_by_numpy, threshold_by_loop],
    "12.6": [faithful_by_loop, faithful_by_dict],
}
