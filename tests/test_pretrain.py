"""Pretraining: the same curve however a run is cut up, a model that learns, honest evaluation."""

import json
import os
import subprocess
import sys

import pytest
import torch

from encoder_course.config import EncoderConfig
from encoder_course.nn import MaskedLM
from encoder_course.pretrain.command import main
from encoder_course.pretrain.evaluate import evaluate, unigram_loss
from encoder_course.pretrain.loop import pretrain
from encoder_course.pretrain.recipe import (
    Recipe,
    ladder,
    make_optimizers,
    schedule,
    start_from_counts,
)
from encoder_course.pretrain.rows import Vocabulary, count_steps, draw_masks, step_rows
from encoder_course.pretrain.state import load_checkpoint, save_checkpoint
from encoder_course.text.masking import NOT_ASKED
from encoder_course.text.tokenizer import Tokenizer

VOCAB = Vocabulary(size=60, mask_id=4, special_below=5)
CONFIG = EncoderConfig.tiny(
    vocab_size=60, segments=0, positions="rotary", norm="pre", activation="geglu", bias=False
)
RECIPE = Recipe(batch_rows=8, seed=3)


def counting_rows(rows: int = 64, length: int = 16, seed: int = 0) -> torch.Tensor:
    """Rows that count upwards from a random token: easy to predict from either neighbour."""
    generator = torch.Generator().manual_seed(seed)
    start = torch.randint(0, 55, (rows, 1), generator=generator)
    return (start + torch.arange(length)) % 55 + 5


def model(seed: int = 0, **changes) -> MaskedLM:
    torch.manual_seed(seed)
    return MaskedLM(CONFIG.replace(**changes))


def weights(trained: MaskedLM) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trained.parameters()])


def train(trained: MaskedLM, **options):
    options = {"rows": counting_rows(), "recipe": RECIPE, "steps": 12} | options
    rows, recipe, steps = (options.pop(name) for name in ("rows", "recipe", "steps"))
    return pretrain(trained, rows, VOCAB, recipe, steps, progress=False, **options)


def test_a_model_learns_what_the_unigram_model_cannot():
    rows, heldout = counting_rows(512), counting_rows(seed=1)
    trained = model()
    history = train(trained, rows=rows, steps=400, heldout=heldout, evaluate_every=200)
    assert history.column("step") == [200, 400]
    assert history.column("tokens") == [200 * 8 * 16, 400 * 8 * 16]
    assert history.column("loss")[-1] < 0.5 * unigram_loss(rows, heldout, VOCAB)
    assert history.column("accuracy")[-1] > 0.6
    assert history.column("top5")[-1] >= history.column("accuracy")[-1]


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_a_run_that_is_killed_and_resumed_is_the_undisturbed_run(tmp_path, optimizer):
    recipe = RECIPE.replace(optimizer=optimizer)
    heldout = counting_rows(seed=1)
    options = {"recipe": recipe, "heldout": heldout, "evaluate_every": 4}
    whole = model(dropout=0.1)
    torch.manual_seed(9)
    expected = train(whole, **options)

    torch.manual_seed(9)
    first = model(dropout=0.1)
    torch.manual_seed(9)
    train(first, folder=tmp_path, stop_after=7, **options)
    second = model(seed=1, dropout=0.1)  # another start: everything must come from the state
    found = train(second, folder=tmp_path, **options)

    assert torch.equal(weights(second), weights(whole))
    assert found.steps == expected.steps
    assert found.column("loss") == expected.column("loss")


def test_resuming_without_the_optimizers_memory_would_be_noticed(tmp_path):
    whole, cut = model(), model()
    train(whole)
    train(cut, folder=tmp_path, stop_after=7)
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    for optimizer in state["optimizers"]:
        optimizer["state"] = {}
    torch.save(state, tmp_path / "state.pt")
    train(cut, folder=tmp_path)
    assert not torch.allclose(weights(cut), weights(whole), atol=1e-6)


def test_a_finished_run_is_not_trained_again(tmp_path):
    trained = model()
    train(trained, folder=tmp_path)
    before = weights(trained)
    assert len(train(trained, folder=tmp_path).steps) == 12
    assert torch.equal(weights(trained), before)


def test_a_run_may_be_made_longer(tmp_path):
    trained = model()
    train(trained, folder=tmp_path, steps=5)
    assert len(train(trained, folder=tmp_path, steps=9).steps) == 9


def test_a_state_of_another_run_or_a_damaged_one_is_refused(tmp_path):
    train(model(), folder=tmp_path, stop_after=3)
    with pytest.raises(ValueError, match="other settings .recipe differ"):
        train(model(), folder=tmp_path, recipe=RECIPE.replace(seed=4))
    with pytest.raises(ValueError, match="rows differ"):
        train(model(), folder=tmp_path, rows=counting_rows(65))
    content = (tmp_path / "state.pt").read_bytes()
    (tmp_path / "state.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"state.pt is damaged .*delete it to start anew"):
        train(model(), folder=tmp_path)


TWO_PROCESSES = """
import json, sys
sys.path.insert(0, sys.argv[1])
from test_pretrain import RECIPE, model, train, weights
trained = model().double()
history = train(trained, recipe=RECIPE.replace(optimizer="adamw"))
from accelerate import PartialState
if PartialState().is_main_process:
    total = float(weights(trained).abs().sum())
    print(json.dumps({"processes": PartialState().num_processes, "weights": total,
                      "losses": history.column("loss", of="steps")}))
"""


def on_two_processes(*command: str) -> subprocess.CompletedProcess:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launch += ["--nproc-per-node", "2", *command]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    if sys.platform == "linux":  # do not ask the network for this machine's name
        environment["GLOO_SOCKET_IFNAME"] = "lo"
    done = subprocess.run(launch, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def test_two_processes_compute_the_loss_of_one(tmp_path):
    script = tmp_path / "train.py"
    script.write_text(TWO_PROCESSES)
    here = os.path.dirname(__file__)
    done = on_two_processes(str(script), here)
    two = json.loads(done.stdout.strip().splitlines()[-1])
    assert two["processes"] == 2

    alone = model().double()
    losses = train(alone, recipe=RECIPE.replace(optimizer="adamw")).column("loss", of="steps")
    assert two["losses"] == pytest.approx(losses, abs=1e-6)
    assert two["weights"] == pytest.approx(float(weights(alone).abs().sum()), rel=1e-9)


def test_masks_depend_on_seed_and_step_alone():
    rows = counting_rows()
    inputs, labels = draw_masks(rows, VOCAB, 0.3, seed=1, step=5)
    again, _ = draw_masks(rows, VOCAB, 0.3, seed=1, step=5)
    assert torch.equal(inputs, again)
    assert not torch.equal(inputs, draw_masks(rows, VOCAB, 0.3, seed=1, step=6)[0])
    assert not torch.equal(inputs, draw_masks(rows, VOCAB, 0.3, seed=2, step=5)[0])
    assert torch.equal(labels[labels != NOT_ASKED], rows[labels != NOT_ASKED])


def test_each_epoch_reads_every_row_once_in_its_own_order():
    epochs = [torch.cat([step_rows(64, 8, 0, 8 * epoch + i) for i in range(8)]) for epoch in (0, 1)]
    assert all(torch.equal(epoch.sort().values, torch.arange(64)) for epoch in epochs)
    assert not torch.equal(*epochs)
    with pytest.raises(ValueError, match="needs 8 rows but there are only 7"):
        step_rows(7, 8, 0, 0)


def test_the_schedule_rises_and_falls_to_zero():
    factors = [schedule(step, 100, 0.1) for step in range(100)]
    assert factors[0] == pytest.approx(0.1) and factors[9] == max(factors) == 1.0
    assert factors[9:] == sorted(factors[9:], reverse=True)
    assert factors[-1] == pytest.approx(1 / 90)
    assert schedule(0, 1, 0.0) == 1.0


def test_every_weight_has_exactly_one_optimizer_and_only_matrices_of_blocks_decay():
    trained = model()
    for recipe in (RECIPE, RECIPE.replace(optimizer="adamw")):
        groups = [
            g for optimizer in make_optimizers(trained, recipe) for g in optimizer.param_groups
        ]
        held = [id(p) for group in groups for p in group["params"]]
        assert sorted(held) == sorted(id(p) for p in trained.parameters())
        decayed = {id(p) for g in groups if g["weight_decay"] for p in g["params"]}
        assert decayed == {id(p) for p in trained.encoder.blocks.parameters() if p.dim() == 2}


def test_the_ladder_changes_one_thing_at_a_time_and_ends_in_the_course_recipe():
    steps = ladder(EncoderConfig.course())
    assert list(steps.values())[-1] == (EncoderConfig.course(), Recipe.course())
    first_config, first_recipe = steps["BERT, 2018"]
    assert (first_config.norm, first_config.positions) == ("post", "learned")
    assert (first_recipe.learning_rate, first_recipe.mask_rate) == (1e-4, 0.15)
    assert len(set(map(str, steps.values()))) == len(steps)


def test_evaluation_asks_every_model_the_same_and_leaves_its_mode():
    heldout = counting_rows(seed=1)
    trained = model(dropout=0.5)
    trained.train()
    first, second = evaluate(trained, heldout, VOCAB), evaluate(trained, heldout, VOCAB)
    assert trained.training and first == second
    assert first.asked == evaluate(model(seed=2), heldout, VOCAB).asked
    assert first.perplexity == pytest.approx(torch.tensor(first.loss).exp().item(), rel=1e-4)
    with pytest.raises(ValueError, match="no token that could be asked"):
        evaluate(trained, torch.zeros(2, 8, dtype=torch.long), VOCAB)


def test_the_unigram_loss_of_even_tokens_is_the_log_of_their_number():
    rows = torch.arange(5, 60).repeat(200).reshape(-1, 11)
    assert unigram_loss(rows, rows, VOCAB) == pytest.approx(
        torch.tensor(55.0).log().item(), abs=1e-6
    )


def test_counted_vectors_set_directions_but_not_width():
    embedding = model().encoder.embed.token
    before = embedding.weight.detach().clone()
    vectors = torch.randn(60, 32) * 7
    vectors[11] = 0.0  # a token that never occurred
    start_from_counts(embedding, vectors)
    assert torch.equal(embedding.weight[11], before[11])
    cosine = torch.cosine_similarity(embedding.weight[12], vectors[12], dim=0)
    assert cosine.item() == pytest.approx(1.0, abs=1e-5)
    assert embedding.weight[12:].std().item() == pytest.approx(0.02, rel=0.1)
    with pytest.raises(ValueError, match=r"\(60, 8\).*\(60, 32\)"):
        start_from_counts(embedding, vectors[:, :8])


def tokenizer() -> Tokenizer:
    return Tokenizer.train(["the encoder reads the documentation"], 60, progress=False)


def test_a_checkpoint_comes_back_in_half_precision(tmp_path):
    words = tokenizer()
    trained = model(vocab_size=len(words))
    save_checkpoint(tmp_path, trained, words)
    loaded, reader = load_checkpoint(tmp_path)
    assert loaded.config == trained.config and reader.vocab == words.vocab
    assert loaded.head.weight is loaded.encoder.embed.token.weight
    assert torch.allclose(weights(loaded), weights(trained), atol=1e-3)
    assert torch.equal(weights(loaded), weights(trained).half().float())


def test_a_damaged_or_unfitting_checkpoint_is_refused(tmp_path):
    words = tokenizer()
    save_checkpoint(tmp_path, model(vocab_size=len(words)), words)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"layers": 3}))
    with pytest.raises(ValueError, match="do not fit its config"):
        load_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config | {"depth": 3}))
    with pytest.raises(ValueError, match="no setting called depth"):
        load_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    content = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(content[:200])
    with pytest.raises(ValueError, match="model.safetensors is damaged"):
        load_checkpoint(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(FileNotFoundError, match="has no model.safetensors"):
        load_checkpoint(tmp_path)


def test_bad_recipes_are_named():
    with pytest.raises(ValueError, match="mask_rate is a share"):
        Recipe(mask_rate=1.5)
    with pytest.raises(ValueError, match="batch_rows must be at least 1"):
        Recipe(batch_rows=0)
    assert count_steps(4096, 8, 128) == 4 and count_steps(1, 8, 128) == 1


def test_the_command_trains_goes_on_and_writes_everything(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ENCODER_COURSE_CACHE", str(tmp_path / "cache"))

    folder = tmp_path / "run"
    options = ["--folder", str(folder), "--packages", "accelerate", "--tokens", "192", "--quiet"]
    options += ["--length", "16", "--batch-rows", "4", "--layers", "1", "--dim", "32"]
    options += ["--heldout-rows", "4"]
    assert main(options) == 0
    assert "accuracy" in capsys.readouterr().out
    record = json.loads((folder / "history.json").read_text())
    card = (folder / "README.md").read_text()
    assert f"{record['weights']:,} weights: 1 layers by 32" in card
    assert f"{record['scores'][-1]['loss']:.3f}" in card and "{" not in card
    assert (folder / "curve.png").stat().st_size > 1000
    loaded, _ = load_checkpoint(folder)
    assert loaded.config.layers == 1

    assert main(options) == 0  # a finished run is only finished again
    assert json.loads((folder / "history.json").read_text())["scores"] == record["scores"]

    folder = tmp_path / "two"
    options[1] = str(folder)
    done = on_two_processes("-m", "encoder_course", "pretrain", *options)
    assert done.stdout.count("saved in") == 1
    two = [score["loss"] for score in json.loads((folder / "history.json").read_text())["scores"]]
    assert two == pytest.approx([score["loss"] for score in record["scores"]], abs=2e-3)
