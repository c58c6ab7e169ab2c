"""Hugging Face: parity on tiny random models, MiniLM itself, checkpoints that must be refused."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from encoder_course import hf
from encoder_course.config import EncoderConfig
from encoder_course.data.hub import find_minilm
from encoder_course.nn import Encoder, MaskedLM
from encoder_course.text.batching import pad

EXACT = dict(rtol=0, atol=1e-10)  # float64
SMALL = dict(
    vocab_size=100, hidden_size=32, num_attention_heads=4, intermediate_size=48, pad_token_id=0
)


@pytest.fixture
def batch():
    """Ids, keep and segments of three rows, two of them padded."""
    generator = torch.Generator().manual_seed(0)
    ids = torch.randint(5, 100, (3, 20), generator=generator)
    keep = torch.arange(20) < torch.tensor([[20], [13], [1]])
    segments = (torch.arange(20) > 8).long().expand(3, 20)
    return ids.masked_fill(~keep, 0), keep, segments


def stir(model):
    """Weights large enough for every part to matter, in float64, without dropout."""
    torch.manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return model.double().eval()


def bert(masked=False, **changes):
    from transformers import BertConfig, BertForMaskedLM, BertModel

    config = BertConfig(**{**SMALL, "num_hidden_layers": 3, **changes})
    return stir(BertForMaskedLM(config) if masked else BertModel(config))


def modernbert(masked=False):
    from transformers import ModernBertConfig, ModernBertForMaskedLM, ModernBertModel

    tokens = dict(cls_token_id=1, sep_token_id=2, bos_token_id=1, eos_token_id=2)
    config = ModernBertConfig(**SMALL, **tokens, num_hidden_layers=5, local_attention=8)
    return stir(ModernBertForMaskedLM(config) if masked else ModernBertModel(config))


def theirs(model, batch):
    ids, keep, segments = batch
    output = model(input_ids=ids, attention_mask=keep.long(), token_type_ids=segments)
    return output.last_hidden_state


def test_encoder_equals_bert(batch):
    model = bert()
    ours = hf.from_hf(model)
    keep = batch[1]
    expected, found = theirs(model, batch), ours(*batch)
    torch.testing.assert_close(found[keep], expected[keep], **EXACT)
    for hidden in (expected, found):
        hidden[keep].square().sum().backward()
    wanted = dict(model.named_parameters())
    names = hf.their_names(ours, "bert")
    for name, parameter in ours.named_parameters():
        their_grad = wanted[names[name]].grad
        torch.testing.assert_close(parameter.grad, their_grad, rtol=1e-9, atol=1e-9)
    single = ours.float()(*batch)[keep]
    torch.testing.assert_close(single.double(), expected[keep], rtol=0, atol=1e-4)


def test_every_hidden_state_and_weight_equals_berts(batch):
    model = bert()
    model.set_attn_implementation("eager")
    ids, keep, segments = batch
    expected = model(ids, keep.long(), segments, output_hidden_states=True, output_attentions=True)
    trace = hf.from_hf(model).inspect(*batch)
    for found, wanted in zip(trace.hidden, expected.hidden_states, strict=True):
        torch.testing.assert_close(found[keep], wanted[keep], **EXACT)
    for found, wanted in zip(trace.weights, expected.attentions, strict=True):
        found, wanted = found.transpose(1, 2)[keep], wanted.transpose(1, 2)[keep]
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-7)  # theirs is a float32 softmax


def swap(a, b):
    def change(encoder):
        for block in encoder.blocks:
            one, other = (getattr(block.attention, name) for name in (a, b))
            setattr(block.attention, a, other)
            setattr(block.attention, b, one)

    return change


def another_eps(encoder):
    for module in encoder.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-5


def norm_before(encoder):
    for block in encoder.blocks:
        block.pre_norm = True


@pytest.mark.parametrize(
    "change",
    [
        swap("query", "value"),
        swap("key", "value"),
        another_eps,
        norm_before,
        lambda encoder: setattr(encoder.embed, "position", None),
        lambda encoder: setattr(encoder.blocks[1].attention, "heads", 2),
    ],
    ids=["q/v swapped", "k/v swapped", "eps", "pre for post", "no positions", "other heads"],
)
def test_a_wrong_encoder_fails_the_same_check(batch, change):
    model = bert()
    ours = hf.from_hf(model)
    change(ours)
    keep = batch[1]
    with pytest.raises(AssertionError):
        torch.testing.assert_close(ours(*batch)[keep], theirs(model, batch)[keep], **EXACT)


def test_wrong_masks_and_forgotten_segments_fail_the_same_check(batch):
    model = bert()
    ours = hf.from_hf(model)
    ids, keep, segments = batch
    expected = theirs(model, batch)[keep]
    for wrong in ((ids, ~keep, segments), (ids, None, segments), (ids, keep, None)):
        with pytest.raises(AssertionError):
            torch.testing.assert_close(ours(*wrong)[keep], expected, **EXACT)


def test_queries_and_keys_swapped_fail_with_rotary_positions(batch):
    """Without positions in attention the swap only transposes the scores; it must still show."""
    model = modernbert()
    ours = hf.from_hf(model)
    swap("query", "key")(ours)
    ids, keep, _ = batch
    expected = model(ids, keep.long()).last_hidden_state
    with pytest.raises(AssertionError):
        torch.testing.assert_close(ours(ids, keep)[keep], expected[keep], rtol=0, atol=1e-5)


def test_masked_lm_equals_bert(batch):
    model = bert(masked=True)
    ours = hf.from_hf(model)
    ids, keep, _ = batch
    labels = ids.masked_fill(torch.arange(20) % 3 > 0, -100).masked_fill(~keep, -100)
    expected = model(ids, keep.long(), labels=labels)
    torch.testing.assert_close(ours.logits(ids, keep, keep), expected.logits[keep], **EXACT)
    loss = ours(ids, keep, labels)
    torch.testing.assert_close(loss, expected.loss, **EXACT)
    loss.backward()
    expected.loss.backward()
    wanted = {name.removeprefix("bert."): p for name, p in model.named_parameters()}
    names = hf.their_names(ours, "bert")
    for name, parameter in ours.named_parameters():
        their_grad = wanted[names[name]].grad
        torch.testing.assert_close(parameter.grad, their_grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("masked", [False, True])
def test_there_and_back_changes_nothing(batch, masked):
    config = EncoderConfig.tiny()
    ours = stir(MaskedLM(config) if masked else Encoder(config))
    copy = hf.to_hf(ours)
    back = hf.from_hf(copy)
    assert back.config == config
    for name, tensor in ours.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor), name
    if not masked:
        keep = batch[1]
        torch.testing.assert_close(ours(*batch)[keep], theirs(copy, batch)[keep], **EXACT)


def test_from_hf_copies_and_does_not_share(batch):
    model = bert()
    ours = hf.from_hf(model)
    before = ours(*batch).detach()
    with torch.no_grad():
        model.embeddings.word_embeddings.weight.zero_()
    assert torch.equal(ours(*batch), before)


def test_only_bert_goes_back():
    with pytest.raises(ValueError, match="this is not BERT.*rotary"):
        hf.to_hf(Encoder(EncoderConfig.course()))


@pytest.mark.parametrize("masked", [False, True])
def test_modernbert_with_local_layers_and_padding(batch, masked):
    """Their rotary angles and products are float32 even in a float64 model: 1e-5, not 1e-10."""
    model = modernbert(masked)
    ours = hf.from_hf(model)
    ids, keep, _ = batch
    assert [ours.config.is_local(i) for i in range(5)] == [False, True, True, False, True]
    output = model(ids, keep.long())
    if masked:
        expected, found = output.logits[keep], ours.logits(ids, keep, keep)
    else:
        expected, found = output.last_hidden_state[keep], ours(ids, keep)[keep]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("window", [7, 11, 0])
def test_another_window_fails_the_same_check(batch, window):
    model = modernbert()
    ours = hf.from_hf(model)
    ours.config = ours.config.replace(local_window=window)
    ids, keep, _ = batch
    expected = model(ids, keep.long()).last_hidden_state
    with pytest.raises(AssertionError):
        torch.testing.assert_close(ours(ids, keep)[keep], expected[keep], rtol=0, atol=1e-5)


def test_minilm_equals_hugging_face():
    from transformers import BertModel

    encoder, tokenizer = hf.minilm()
    assert encoder.config == EncoderConfig.minilm()
    assert not encoder.training
    texts = ["A court in Lisbon.", "", "Tokens " * 30, "naïve 東京 नमस्ते"]
    ids, keep = pad(tokenizer.ids(texts), tokenizer.pad_id)
    with torch.inference_mode():
        expected = BertModel.from_pretrained(find_minilm()).eval()(ids, keep.long())
        found = encoder(ids, keep)
    torch.testing.assert_close(found[keep], expected.last_hidden_state[keep], rtol=0, atol=1e-5)


# --- checkpoints on disk -------------------------------------------------------------------------


@pytest.fixture
def checkpoint(tmp_path):
    """A folder with a tiny checkpoint, as Hugging Face writes it."""
    bert(vocab_size=30522).float().save_pretrained(tmp_path)
    shutil.copy(find_minilm() / "tokenizer.json", tmp_path)
    return tmp_path


def change_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    save_file(change(tensors), folder / "model.safetensors")


def change_config(folder, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_folder_loads_and_leaves_the_random_state_alone(checkpoint):
    state = torch.get_rng_state()
    encoder, tokenizer = hf.load_bert(checkpoint)
    assert torch.equal(torch.get_rng_state(), state)
    assert len(tokenizer) == encoder.config.vocab_size
    assert all(p.dtype == torch.float32 and p.requires_grad for p in encoder.parameters())
    assert encoder.config == hf.from_pretrained(checkpoint)[0].config


def test_older_names_prefixes_and_half_precision_load_too(checkpoint):
    before = hf.load_bert(checkpoint)[0].state_dict()

    def older(tensors):
        renamed = {}
        for name, tensor in tensors.items():
            name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
            renamed["bert." + name.replace("LayerNorm.bias", "LayerNorm.beta")] = tensor.half()
        renamed["bert.embeddings.position_ids"] = torch.arange(512)[None]
        return renamed

    change_tensors(checkpoint, older)
    after = hf.load_bert(checkpoint)[0].state_dict()
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, rtol=1e-3, atol=1e-3)


def test_a_masked_lm_loads_with_its_head(tmp_path, batch):
    model = bert(masked=True, vocab_size=30522)
    model.float().save_pretrained(tmp_path)
    shutil.copy(find_minilm() / "tokenizer.json", tmp_path)
    ours, _ = hf.load_masked_lm(tmp_path)
    ids, keep, _ = batch
    expected = model(ids, keep.long()).logits[keep]
    torch.testing.assert_close(ours.logits(ids, keep, keep), expected, rtol=0, atol=1e-4)
    assert ours.head.weight is ours.encoder.embed.token.weight
    assert isinstance(hf.load_bert(tmp_path)[0], Encoder)  # the head is left out


WORDS = "embeddings.word_embeddings.weight"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: {k: v for k, v in t.items() if k != WORDS}, f"no tensor {WORDS}"),
        (lambda t: {**t, "adapter.weight": torch.ones(2)}, "no known use: adapter.weight"),
        (lambda t: {**t, WORDS: t[WORDS][:, :16].contiguous()}, r"\(30522, 16\).*\(30522, 32\)"),
    ],
)
def test_tensors_that_do_not_fit_are_named(checkpoint, change, message):
    change_tensors(checkpoint, change)
    with pytest.raises(ValueError, match=message):
        hf.load_bert(checkpoint)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(model_type="gpt2"), "architecture is 'gpt2', but only bert, modernbert"),
        (dict(hidden_act="relu"), "hidden_act is 'relu'.*only 'gelu'"),
        (dict(position_embedding_type="relative_key"), "position_embedding_type is 'relative_key'"),
        (dict(is_decoder=True), "is_decoder is True"),
        (dict(hidden_size=30), "dim 30 cannot be split into 4"),
        (dict(num_hidden_layers=4), r"no tensor encoder\.layer\.3"),
        (dict(num_hidden_layers=2), r"no known use: encoder\.layer\.2"),
        (dict(max_position_embeddings=256), r"position_embeddings.*\(512, 32\).*\(256, 32\)"),
    ],
)
def test_configurations_that_disagree_are_named(checkpoint, changes, message):
    change_config(checkpoint, **changes)
    with pytest.raises(ValueError, match=message):
        hf.load_bert(checkpoint)


def test_a_missing_setting_is_named(checkpoint):
    (checkpoint / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="configuration has no vocab_size"):
        hf.load_bert(checkpoint)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_missing_and_damaged_files_are_named(checkpoint, name):
    content = (checkpoint / name).read_bytes()
    (checkpoint / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=name):
        hf.load_bert(checkpoint)
    (checkpoint / name).unlink()
    with pytest.raises(ValueError, match=f"there is no {name}"):
        hf.load_bert(checkpoint)


def test_a_hub_name_offline_says_what_to_do(monkeypatch):
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    asked = []

    def not_there(name, local_files_only=False, **options):
        asked.append(local_files_only)
        raise LocalEntryNotFoundError("not cached")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", not_there)
    with pytest.raises(FileNotFoundError, match="some/model is no folder.*offline"):
        hf.from_pretrained("some/model")
    assert asked == [True, False]  # the cache first, then the network
    with pytest.raises(FileNotFoundError, match="neither a folder nor a name"):
        monkeypatch.undo()
        hf.from_pretrained("/no/such/folder")
