"""The microscope names the wrong idea of an encoder that somebody else wrote, and its first tensor.

`Student` is such an encoder: written apart from the package's, with every fault in its own words.
"""

import math

import pytest
import torch
from torch import nn

from encoder_course import hf, microscope
from encoder_course.microscope import CONFIG, IDEAS, STAGES, compare, report, trace
from encoder_course.nn import Encoder


class Norm(nn.Module):
    def __init__(self, dim, eps):
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(dim)), nn.Parameter(torch.zeros(dim))
        self.eps = eps

    def forward(self, x):
        centred = x - x.mean(-1, keepdim=True)
        variance = centred.pow(2).mean(-1, keepdim=True)
        return centred / (variance + self.eps).sqrt() * self.weight + self.bias


class MultiHead(nn.Module):
    def __init__(self, dim, heads, fault):
        super().__init__()
        self.heads, self.fault = heads, fault
        for name in ("query", "key", "value", "out"):
            setattr(self, name, nn.Linear(dim, dim))

    def forward(self, x, keep):
        rows, length, dim = x.shape
        width = dim // self.heads
        q, k, v = (self.cut(part(x), width) for part in (self.query, self.key, self.value))
        scores = torch.einsum("bhtk,bhsk->bhts", q, k)
        if "exchanged" in self.fault:
            scores = scores.mT
        if self.fault == "scale of the whole width":
            scores = scores / math.sqrt(dim)
        elif self.fault == "scale without the root":
            scores = scores / width
        elif self.fault != "scale missing":
            scores = scores / math.sqrt(width)
        if self.fault == "mask inverted":
            scores = scores.masked_fill(keep[:, None, None, :], -math.inf)
        elif self.fault != "mask forgotten":
            scores = scores.masked_fill(~keep[:, None, None, :], -math.inf)
        values = torch.einsum("bhts,bhsk->bhtk", scores.softmax(-1), v)
        if "merged without" in self.fault:
            return self.out(values.reshape(rows, length, dim))
        return self.out(torch.cat(list(values.unbind(1)), dim=-1))

    def cut(self, x, width):
        rows, length, _ = x.shape
        if self.fault.startswith("heads cut"):
            return x.view(rows, self.heads, length, width)
        return torch.stack(x.split(width, dim=-1), dim=1)


class FeedForward(nn.Module):
    def __init__(self, dim, hidden, fault):
        super().__init__()
        self.expand, self.contract, self.fault = (
            nn.Linear(dim, hidden),
            nn.Linear(hidden, dim),
            fault,
        )

    def forward(self, x):
        wide = self.expand(x)
        if "tanh" in self.fault:
            inner = math.sqrt(2 / math.pi) * (wide + 0.044715 * wide**3)
            return self.contract(0.5 * wide * (1 + inner.tanh()))
        if self.fault == "SiLU":
            return self.contract(wide * wide.sigmoid())
        return self.contract(0.5 * wide * (1 + torch.erf(wide / math.sqrt(2))))


class Block(nn.Module):
    def __init__(self, dim, heads, hidden, eps, fault):
        super().__init__()
        self.attention, self.fault = MultiHead(dim, heads, fault), fault
        self.feed_forward = FeedForward(dim, hidden, fault)
        self.norm1, self.norm2 = Norm(dim, eps), Norm(dim, eps)

    def forward(self, x, keep):
        if self.fault == "pre-norm":
            middle = x + self.attention(self.norm1(x), keep)
            return middle + self.feed_forward(self.norm2(middle))
        middle = self.norm1(x + self.attention(x, keep))
        if "first norm twice" in self.fault:
            return self.norm1(middle + self.feed_forward(middle))
        if "old residual" in self.fault:
            return self.norm2(x + self.feed_forward(middle))
        return self.norm2(middle + self.feed_forward(middle))


class Student(nn.Module):
    def __init__(self, config, fault=""):
        super().__init__()
        self.fault = fault
        eps = 1e-5 if fault == "eps of 1e-5" else config.norm_eps
        self.token = nn.Embedding(config.vocab_size, config.dim)
        self.position = nn.Embedding(config.max_len, config.dim)
        self.kind = nn.Embedding(config.segments, config.dim)
        self.norm = Norm(config.dim, eps)
        blocks = [
            Block(config.dim, config.heads, config.ff_dim, eps, fault) for _ in range(config.layers)
        ]
        if fault == "one block for all layers":
            blocks = [blocks[0]] * config.layers
        self.blocks = nn.ModuleList(blocks)

    def forward(self, ids, keep, kinds):
        x = self.token(ids)
        if self.fault != "positions forgotten":
            x = x + self.position(torch.arange(ids.shape[1]))
        if self.fault != "kinds forgotten":
            x = x + self.kind(kinds)
        x = self.norm(x)
        if self.fault == "float32":
            x = x.float().double()
        for block in self.blocks:
            x = block(x, keep)
        return x[:, 0] if self.fault == "first token" else x


def student(fault):
    return lambda config: Student(config, fault)


def test_the_right_encoder_agrees():
    found = compare(Student)
    assert found.agrees and found.idea is None and max(found.apart.values()) < 1e-13
    assert str(found) == "✓ all 27 tensors are Hugging Face's, to 1e-10"


@pytest.mark.parametrize("idea", IDEAS, ids=lambda idea: idea.name)
def test_each_wrong_idea_is_named(idea):
    found = compare(student(idea.name))
    assert found.idea is idea and not found.until
    assert f"it is the idea {idea.name!r}: {idea.message.split()[0]}" in str(found)
    assert max(map(len, str(found).splitlines())) <= 100


FIRST = {
    "positions forgotten": "vectors added",
    "eps of 1e-5": "embedding norm",
    "pre-norm": "block 1: queries",
    "query and key exchanged": "block 1: heads merged",
    "GELU in its tanh form": "block 1: bent",
}


@pytest.mark.parametrize(("fault", "stage"), FIRST.items())
def test_the_first_tensor_is_where_the_fault_is(fault, stage):
    found = compare(student(fault))
    assert found.first == stage
    before = list(STAGES)[: list(STAGES).index(stage)]
    assert all(found.apart[name] < 1e-13 for name in before)


@pytest.mark.parametrize("one", IDEAS, ids=lambda idea: idea.name)
def test_ideas_lie_far_apart_even_for_float32(one):
    """At its first tensor, each idea is off by much more than float32 rounds numbers near 1."""
    apart = report._apart(report._known(one), trace.stored().stages)
    assert apart[report._first(apart)] > 1e-4
    for other in IDEAS:
        if other is not one:
            apart = report._apart(report._known(one), report._known(other))
            assert apart[report._first(apart)] > 1e-4


def test_an_unknown_idea_is_called_unknown():
    found = compare(student("SiLU"))
    assert (found.first, found.idea) == ("block 1: bent", None)
    told = str(found)
    assert "'block 1: bent', the input of blocks.0.feed_forward.contract" in told
    assert (
        "none of the known ideas explains it: look at the code between 'block 1: widened'" in told
    )


def test_of_two_faults_the_first_is_explained_and_the_second_announced():
    found = compare(student("query and key exchanged, old residual"))
    assert found.idea.name == "query and key exchanged"
    assert found.until == "block 1: feed-forward added"
    assert "another fault begins at 'block 1: feed-forward added'" in str(found)
    found = compare(student("old residual"))
    assert (found.first, found.idea) == ("block 1: feed-forward added", None)


def test_a_module_that_is_never_called_is_named():
    found = compare(student("first norm twice"))
    assert (found.first, found.apart[found.first]) == ("block 1: feed-forward added", math.inf)
    assert "was not seen, for its module is never called" in str(found)


def test_the_place_of_a_difference_is_told():
    class Late(Student):
        def forward(self, ids, keep, kinds):
            x = super().forward(ids, keep, kinds)
            return x.index_put((torch.tensor(1), torch.tensor(2)), torch.zeros(CONFIG.dim).double())

    found = compare(Late)
    assert found.first == "result" and "only at row 1, tokens 2" in str(found)
    assert "what the encoder returns" in str(found)


def test_padding_may_hold_anything():
    class Blank(Student):
        def forward(self, ids, keep, kinds):
            return super().forward(ids, keep, kinds) * keep[..., None]

    assert compare(Blank).agrees


def test_other_results_are_told():
    assert "is (2, 12), and (2, 7, 12) is needed" in str(compare(student("first token")))

    class Pair(Student):
        def forward(self, ids, keep, kinds):
            return super().forward(ids, keep, kinds), keep

    assert "is a tuple, and a tensor is needed" in str(compare(Pair))

    class Undefined(Student):
        def forward(self, ids, keep, kinds):
            return super().forward(ids, keep, kinds) / 0

    assert "holds NaN or infinity at row 0, tokens 0, 1, 2, 3, 4; row 1" in str(compare(Undefined))


def test_float32_inside_is_recognised():
    found = compare(student("float32"))
    assert not found.agrees and "rounding in float32" in str(found)


def test_modules_may_be_called_with_keywords():
    class Named(Student):
        def __init__(self, config):
            super().__init__(config)
            self.norm.forward = lambda x: Norm.forward(self.norm, x)

        def forward(self, ids, keep, kinds):
            x = self.token(ids) + self.position.weight[: ids.shape[1]] + self.kind(kinds)
            x = self.norm(x=x)
            for block in self.blocks:
                x = block(x=x, keep=keep)
            return x

    assert compare(Named).agrees


def test_changes_in_place_do_no_harm():
    class InPlace(Student):
        def forward(self, ids, keep, kinds):
            x = self.token(ids).add_(self.position.weight[: ids.shape[1]]).add_(self.kind(kinds))
            x = self.norm(x)
            ids.zero_()
            for block in self.blocks:
                x += block.attention(x, keep)
                x = block.norm1(x)
                x += block.feed_forward(x)
                x = block.norm2(x)
            return x

    assert compare(InPlace).agrees and compare(Student).agrees


def test_random_numbers_of_the_notebook_stay_as_they_are():
    before = torch.get_rng_state()
    compare(student("SiLU"))
    assert torch.equal(torch.get_rng_state(), before)


class Renamed(Student):
    def __init__(self, config):
        super().__init__(config)
        for block in self.blocks:
            block.norm_1 = block.__dict__["_modules"].pop("norm1")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (
            Renamed,
            "has no blocks.0.norm1.bias, blocks.0.norm1.weight, blocks.1.norm1.bias and 1 more",
        ),
        (Renamed, "has blocks.0.norm_1.weight"),
        (lambda config: Student(config.replace(layers=1)), "has no blocks.1."),
        (lambda config: Student(config.replace(ff_dim=48)), r"contract.weight is \(12, 48\)"),
        (lambda config: nn.Linear(2, 2), "has weight, bias, which lab 04 does not"),
        (Student(CONFIG), "hand over the class of encoders itself"),
        (lambda config: "encoder", "a class of encoders is needed, and it made a str"),
    ],
)
def test_an_encoder_of_another_layout_is_refused(make, words):
    with pytest.raises(ValueError, match=words):
        compare(make)


def test_the_learners_own_error_is_passed_on():
    class Broken(Student):
        def forward(self, ids, keep, kinds):
            return super().forward(ids, keep, kinds) @ torch.ones(3)

    with pytest.raises(RuntimeError):
        compare(Broken)


def test_examine_prints_the_report(capsys):
    found = microscope.examine(student("mask inverted"))
    assert capsys.readouterr().out == f"{found}\n"
    [axes] = found.figure().axes
    assert [label.get_text() for label in axes.get_yticklabels()] == list(STAGES)


# ---- the trace


def test_the_trace_is_a_run_of_hugging_face():
    made, stored = trace.make(), trace.stored()
    assert list(stored.stages) and set(stored.stages) == set(STAGES)
    for name, tensor in made.stages.items():
        torch.testing.assert_close(tensor, stored.stages[name], rtol=0, atol=1e-12)
    for name, tensor in made.weights.items():
        assert torch.equal(tensor, stored.weights[name])
    assert not stored.keep.all(dim=1).any(), "every row has padding"
    assert trace.FILE.stat().st_size < 100_000


def test_a_saved_trace_reads_back(tmp_path):
    file = tmp_path / "trace.safetensors"
    trace.save(trace.stored(), file)
    assert file.read_bytes() == trace.FILE.read_bytes()


def test_names_of_the_lab_fit_the_package():
    encoder = Encoder(CONFIG).double().eval()
    lab = microscope.Encoder(CONFIG).double().eval()
    lab.load_state_dict(microscope.lab_names(encoder.state_dict()))
    stored = trace.stored()
    ours = encoder(stored.ids, stored.keep, stored.kinds)
    torch.testing.assert_close(lab(stored.ids, stored.keep, stored.kinds), ours, rtol=0, atol=1e-12)
    assert set(hf.their_names(encoder, "bert")) == set(encoder.state_dict())
