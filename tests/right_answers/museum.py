"""Right answers to the exercises of the bug museum: tests that catch its bugs."""

import math

import torch
from torch.nn.functional import scaled_dot_product_attention
from torch.testing import assert_close


def causal_by_gradient(implementation):
    q, k, v = (torch.randn(1, 1, 4, 2, requires_grad=True) for _ in range(3))
    result = implementation(q, k, v)
    for place in range(4):
        read = torch.autograd.grad(result[0, 0, place].sum(), v, retain_graph=True)[0]
        reached = [bool(token.abs().sum() > 0) for token in read[0, 0]]
        assert reached == [other <= place for other in range(4)]


def causal_by_reference(implementation):
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 2, 6, 4).unbind()
    assert_close(implementation(q, k, v), scaled_dot_product_attention(q, k, v, is_causal=True))


def replacement_by_shares(implementation):
    count, vocabulary_size, mask_id = 200_000, 50_000, 103
    ids = torch.full((count,), 7)
    seen = implementation(ids, vocabulary_size, mask_id, torch.Generator().manual_seed(5))
    for share, wanted in (((seen == mask_id), 0.8), ((seen == ids), 0.1)):
        error = (wanted * (1 - wanted) / count) ** 0.5
        assert abs(share.float().mean().item() - wanted) < 5 * error + 1e-4


def replacement_by_many_calls(implementation):
    generator = torch.Generator().manual_seed(1)
    counts = torch.zeros(3)
    for _ in range(60):
        ids = torch.randint(10, 30_000, (1_000,), generator=generator)
        seen = implementation(ids=ids, vocabulary_size=30_000, mask_id=4, generator=generator)
        masked, kept = (seen == 4).sum(), (seen == ids).sum()
        counts += torch.tensor([masked, 1_000 - masked - kept, kept])
    expected = torch.tensor([0.8, 0.1, 0.1]) * counts.sum()
    assert ((counts - expected) ** 2 / expected).sum() < 22  # chi square, 2 degrees of freedom


def pool_by_loop(implementation):
    hidden = torch.randn(3, 6, 4, generator=torch.Generator().manual_seed(3))
    lengths = [6, 1, 3]
    keep = torch.tensor([[place < n for place in range(6)] for n in lengths])
    for row, length in enumerate(lengths):
        expected = hidden[row, :length].mean(dim=0)
        torch.testing.assert_close(implementation(hidden, keep)[row], expected)


def pool_by_hand(implementation):
    hidden = torch.tensor([[[1.0, 0.0], [3.0, 2.0], [50.0, 50.0]]])
    pooled = implementation(hidden=hidden, keep=torch.tensor([[True, True, False]]))
    assert pooled[0].tolist() == [2.0, 1.0], "padding is in the mean"


def heads_by_place(implementation):
    x = torch.arange(2 * 3 * 8).reshape(2, 3, 8)
    split = implementation(x, 4)
    for row in range(2):
        for head in range(4):
            for token in range(3):
                assert torch.equal(split[row, head, token], x[row, token, 2 * head : 2 * head + 2])


def heads_by_token(implementation):
    x = torch.randn(1, 5, 6)
    other = x.clone()
    other[0, 2] += 1
    moved = (implementation(x, heads=2) != implementation(other, heads=2))[0]
    assert moved.any(dim=-1).tolist() == [[False, False, True, False, False]] * 2
    merged = implementation(x, heads=2).transpose(1, 2).reshape(x.shape)
    assert torch.equal(merged, x)


def weights_by_sum(implementation):
    weights = implementation(torch.randn(1, 3, 2, 4), torch.randn(1, 6, 2, 4))
    totals = weights.sum(dim=2)
    assert torch.allclose(totals, torch.ones_like(totals))


def weights_by_reference(implementation):
    q, k = torch.randn(2, 2, 4, 3, 5).unbind()
    weights = implementation(q, k)
    for head in range(3):
        scores = q[:, :, head] @ k[:, :, head].mT / math.sqrt(5)
        assert_close(weights[..., head], scores.softmax(dim=-1))


def labels_by_hand(implementation):
    got = implementation([5, 6], [None, 0, 0, 1, None])
    assert got == [-100, 5, -100, 6, -100]


def labels_by_properties(implementation):
    words = [None, 0, 0, 1, 2, 2, None, None]
    got = implementation(labels=[7, 8, 9], word_of_token=words)
    assert len(got) == len(words)
    for place, word in enumerate(words):
        is_first = word is not None and words[place - 1] != word
        assert got[place] == (7 + word if is_first else -100)


def vocabulary_by_inverse(implementation):
    tokens = ["[PAD]", "a", "\x85", "\u3000", "\u2028", "b", "##c"]
    vocabulary = implementation("\n".join(tokens) + "\n")
    assert {place: token for token, place in vocabulary.items()} == dict(enumerate(tokens))


def vocabulary_by_last(implementation):
    assert implementation(text="the\n\u2029\nbank\n")["bank"] == 2


def perplexity_by_hand(implementation):
    losses = [torch.tensor([1.0, 1.0, 1.0]), torch.tensor([5.0])]
    assert abs(implementation(losses) - math.exp(2.0)) < 1e-4


def perplexity_by_regrouping(implementation):
    losses = torch.linspace(0.5, 6.0, 12)
    one = implementation(list(losses.split([1, 11])))
    for sizes in ([12], [6, 6], [2, 3, 7]):
        assert abs(implementation(list(losses.split(sizes))) / one - 1) < 1e-4


RIGHT = {
    "museum.1": [causal_by_gradient, causal_by_reference],
    "museum.2": [replacement_by_shares, replacement_by_many_calls],
    "museum.3": [pool_by_loop, pool_by_hand],
    "museum.4": [heads_by_place, heads_by_token],
    "museum.5": [weights_by_sum, weights_by_reference],
    "museum.6": [labels_by_hand, labels_by_properties],
    "museum.7": [vocabulary_by_inverse, vocabulary_by_last],
    "museum.8": [perplexity_by_hand, perplexity_by_regrouping],
}
