"""To and from Hugging Face: the same weights under other names."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from encoder_course.config import EncoderConfig
from encoder_course.data.hub import find_minilm
from encoder_course.nn import CausalLM, Decoder, Encoder, MaskedLM, Seq2Seq
from encoder_course.nn.audio import AudioEncoder, audio_config
from encoder_course.nn.clip import CLIP, QuickFeedForward
from encoder_course.nn.electra import Discriminator
from encoder_course.nn.vision import ViT, vision_config
from encoder_course.text.tokenizer import Tokenizer

if TYPE_CHECKING:
    from transformers import PreTrainedModel

# Left our module, right theirs; {i} is the number of the block.
BERT = {
    "embed.token": "embeddings.word_embeddings",
    "embed.position": "embeddings.position_embeddings",
    "embed.segment": "embeddings.token_type_embeddings",
    "embed.norm": "embeddings.LayerNorm",
    "blocks.{i}.attention.query": "encoder.layer.{i}.attention.self.query",
    "blocks.{i}.attention.key": "encoder.layer.{i}.attention.self.key",
    "blocks.{i}.attention.value": "encoder.layer.{i}.attention.self.value",
    "blocks.{i}.attention.output": "encoder.layer.{i}.attention.output.dense",
    "blocks.{i}.attention_norm": "encoder.layer.{i}.attention.output.LayerNorm",
    "blocks.{i}.feed_forward.expand": "encoder.layer.{i}.intermediate.dense",
    "blocks.{i}.feed_forward.contract": "encoder.layer.{i}.output.dense",
    "blocks.{i}.feed_forward_norm": "encoder.layer.{i}.output.LayerNorm",
    "head.transform": "cls.predictions.transform.dense",
    "head.norm": "cls.predictions.transform.LayerNorm",
    "head": "cls.predictions",
}
MODERNBERT = {
    "embed.token": "embeddings.tok_embeddings",
    "embed.norm": "embeddings.norm",
    "blocks.{i}.attention_norm": "layers.{i}.attn_norm",
    "blocks.{i}.attention.query": "layers.{i}.attn.Wq",  # theirs is one matrix, Wqkv: see `cleaned`
    "blocks.{i}.attention.key": "layers.{i}.attn.Wk",
    "blocks.{i}.attention.value": "layers.{i}.attn.Wv",
    "blocks.{i}.attention.output": "layers.{i}.attn.Wo",
    "blocks.{i}.feed_forward_norm": "layers.{i}.mlp_norm",
    "blocks.{i}.feed_forward.expand": "layers.{i}.mlp.Wi",
    "blocks.{i}.feed_forward.contract": "layers.{i}.mlp.Wo",
    "final_norm": "final_norm",
    "head.transform": "head.dense",
    "head.norm": "head.norm",
    "head": "decoder",
}
# Of either half of an encoder-decoder model; {last} is the number of the block's last part.
T5 = {
    "relative.table": "block.0.layer.0.SelfAttention.relative_attention_bias",
    "blocks.{i}.attention_norm": "block.{i}.layer.0.layer_norm",
    "blocks.{i}.attention.query": "block.{i}.layer.0.SelfAttention.q",
    "blocks.{i}.attention.key": "block.{i}.layer.0.SelfAttention.k",
    "blocks.{i}.attention.value": "block.{i}.layer.0.SelfAttention.v",
    "blocks.{i}.attention.output": "block.{i}.layer.0.SelfAttention.o",
    "blocks.{i}.cross_attention_norm": "block.{i}.layer.1.layer_norm",
    "blocks.{i}.cross_attention.query": "block.{i}.layer.1.EncDecAttention.q",
    "blocks.{i}.cross_attention.key": "block.{i}.layer.1.EncDecAttention.k",
    "blocks.{i}.cross_attention.value": "block.{i}.layer.1.EncDecAttention.v",
    "blocks.{i}.cross_attention.output": "block.{i}.layer.1.EncDecAttention.o",
    "blocks.{i}.feed_forward_norm": "block.{i}.layer.{last}.layer_norm",
    "blocks.{i}.feed_forward.expand": "block.{i}.layer.{last}.DenseReluDense.wi",
    "blocks.{i}.feed_forward.contract": "block.{i}.layer.{last}.DenseReluDense.wo",
    "final_norm": "final_layer_norm",
}
BART = {
    "embed.position": "embed_positions",
    "embed.norm": "layernorm_embedding",
    "blocks.{i}.attention.query": "layers.{i}.self_attn.q_proj",
    "blocks.{i}.attention.key": "layers.{i}.self_attn.k_proj",
    "blocks.{i}.attention.value": "layers.{i}.self_attn.v_proj",
    "blocks.{i}.attention.output": "layers.{i}.self_attn.out_proj",
    "blocks.{i}.attention_norm": "layers.{i}.self_attn_layer_norm",
    "blocks.{i}.cross_attention.query": "layers.{i}.encoder_attn.q_proj",
    "blocks.{i}.cross_attention.key": "layers.{i}.encoder_attn.k_proj",
    "blocks.{i}.cross_attention.value": "layers.{i}.encoder_attn.v_proj",
    "blocks.{i}.cross_attention.output": "layers.{i}.encoder_attn.out_proj",
    "blocks.{i}.cross_attention_norm": "layers.{i}.encoder_attn_layer_norm",
    "blocks.{i}.feed_forward.expand": "layers.{i}.fc1",
    "blocks.{i}.feed_forward.contract": "layers.{i}.fc2",
    "blocks.{i}.feed_forward_norm": "layers.{i}.final_layer_norm",
}
VIT = {
    "embed.class_token": "embeddings.cls_token",
    "embed.positions": "embeddings.position_embeddings",
    "embed.project": "embeddings.patch_embeddings.projection",
    "blocks.{i}.attention_norm": "layers.{i}.layernorm_before",
    "blocks.{i}.attention.query": "layers.{i}.attention.q_proj",
    "blocks.{i}.attention.key": "layers.{i}.attention.k_proj",
    "blocks.{i}.attention.value": "layers.{i}.attention.v_proj",
    "blocks.{i}.attention.output": "layers.{i}.attention.o_proj",
    "blocks.{i}.feed_forward_norm": "layers.{i}.layernorm_after",
    "blocks.{i}.feed_forward.expand": "layers.{i}.mlp.fc1",
    "blocks.{i}.feed_forward.contract": "layers.{i}.mlp.fc2",
    "final_norm": "layernorm",
}
# Of either half of CLIP; the misspelt name is theirs.
CLIP_NAMES = {
    "embed.class_token": "embeddings.class_embedding",
    "embed.positions": "embeddings.position_embedding.weight",
    "embed.project": "embeddings.patch_embedding",
    "norm": "pre_layrnorm",
    "embed.token": "embeddings.token_embedding",
    "embed.position": "embeddings.position_embedding",
    "blocks.{i}.attention_norm": "encoder.layers.{i}.layer_norm1",
    "blocks.{i}.attention.query": "encoder.layers.{i}.self_attn.q_proj",
    "blocks.{i}.attention.key": "encoder.layers.{i}.self_attn.k_proj",
    "blocks.{i}.attention.value": "encoder.layers.{i}.self_attn.v_proj",
    "blocks.{i}.attention.output": "encoder.layers.{i}.self_attn.out_proj",
    "blocks.{i}.feed_forward_norm": "encoder.layers.{i}.layer_norm2",
    "blocks.{i}.feed_forward.expand": "encoder.layers.{i}.mlp.fc1",
    "blocks.{i}.feed_forward.contract": "encoder.layers.{i}.mlp.fc2",
}
TABLES = {"bert": BERT, "modernbert": MODERNBERT}
PREFIXES = {"bert": "bert.", "modernbert": "model."}  # of the encoder inside a model with a head
BERT_SETTINGS = {
    "vocab_size": "vocab_size",
    "dim": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "ff_dim": "intermediate_size",
    "max_len": "max_position_embeddings",
}
# What an encoder has no use for: heads, and a buffer that only counts 0, 1, 2, ...
BESIDE_THE_ENCODER = re.compile(r"^(pooler|cls|classifier|qa_outputs|head|decoder)\.|position_ids$")


def load_bert(folder: str | Path) -> tuple[Encoder, Tokenizer]:
    """Read a BERT or ModernBERT checkpoint into our own classes, without `transformers`.

    `folder` holds ``config.json``, ``model.safetensors`` and ``tokenizer.json`` as Hugging Face
    writes them. The encoder comes in float32, ready for inference, and without dropout. ValueError
    for a file that is missing or damaged, another architecture, and tensors that are missing,
    unexpected or of another shape than the configuration says.
    """
    settings, weights = read_checkpoint(Path(folder))
    return build(Encoder, settings, weights).float(), load_tokenizer(Path(folder))


def load_masked_lm(folder: str | Path) -> tuple[MaskedLM, Tokenizer]:
    """The same for a checkpoint that still has its head for masked language modelling."""
    settings, weights = read_checkpoint(Path(folder))
    return build(MaskedLM, settings, weights).float(), load_tokenizer(Path(folder))


def minilm() -> tuple[Encoder, Tokenizer]:
    """all-MiniLM-L6-v2, 6 layers by 384, trained to compare sentences (Wang et al., 2020)."""
    return load_bert(find_minilm())


def from_pretrained(name: str | Path) -> tuple[Encoder, Tokenizer]:
    """Read a local folder, or a model of the Hugging Face hub by its name, such as
    ``google-bert/bert-base-uncased``: from the local cache where it is there, else downloaded.

    FileNotFoundError where it is in neither place and the hub cannot be reached.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    if Path(name).is_dir():
        return load_bert(name)
    files = ["config.json", "model.safetensors", "tokenizer.json"]
    try:
        folder = snapshot_download(str(name), allow_patterns=files, local_files_only=True)
    except HFValidationError as error:
        raise FileNotFoundError(f"{name} is neither a folder nor a name on the hub") from error
    except LocalEntryNotFoundError:
        try:
            folder = snapshot_download(str(name), allow_patterns=files)
        except (OSError, ValueError) as error:
            raise FileNotFoundError(
                f"{name} is no folder, it is not in the Hugging Face cache, and the hub did not"
                f" give it ({type(error).__name__}); offline, use a local folder or hf.minilm()"
            ) from error
    return load_bert(folder)


def from_hf(model: PreTrainedModel) -> Encoder | MaskedLM:
    """Our copy of a `BertModel`, `ModernBertModel` or their `...ForMaskedLM`; the type is kept."""
    ours = MaskedLM if type(model).__name__.endswith("ForMaskedLM") else Encoder
    weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    return build(ours, model.config.to_dict(), weights)


def from_gpt2(model: PreTrainedModel) -> CausalLM:
    """Our copy of a `GPT2LMHeadModel`. ValueError for settings that ours does not know.

    Their linear layers (`Conv1D`) hold the transposed matrix, queries, keys and values in one.
    """
    theirs, state = model.config, model.state_dict()
    settings = theirs.to_dict()
    require(settings, "activation_function", "gelu_new")
    require(settings, "scale_attn_weights", True)
    require(settings, "scale_attn_by_inverse_layer_idx", False)
    require(settings, "add_cross_attention", False)
    require(settings, "tie_word_embeddings", True)
    config = EncoderConfig.gpt2(
        vocab_size=theirs.vocab_size,
        dim=theirs.n_embd,
        layers=theirs.n_layer,
        heads=theirs.n_head,
        ff_dim=theirs.n_inner or 4 * theirs.n_embd,
        max_len=theirs.n_positions,
        pad_id=min(EncoderConfig.gpt2().pad_id, theirs.vocab_size - 1),
        norm_eps=theirs.layer_norm_epsilon,
    )
    ours = {
        "embed.token.weight": state["transformer.wte.weight"],
        "embed.position.weight": state["transformer.wpe.weight"],
    }
    ours |= {f"final_norm.{k}": state[f"transformer.ln_f.{k}"] for k in ("weight", "bias")}
    linears = {"attn.c_proj": "attention.output", "mlp.c_fc": "feed_forward.expand"}
    linears |= {"mlp.c_proj": "feed_forward.contract"}
    norms = {"ln_1": "attention_norm", "ln_2": "feed_forward_norm"}
    for i in range(config.layers):
        block, their_block = f"blocks.{i}", f"transformer.h.{i}"
        for kind in ("weight", "bias"):
            for name, here in (norms | linears).items():
                ours[f"{block}.{here}.{kind}"] = state[f"{their_block}.{name}.{kind}"].t()
            thirds = state[f"{their_block}.attn.c_attn.{kind}"].chunk(3, dim=-1)
            for name, third in zip(("query", "key", "value"), thirds, strict=True):
                ours[f"{block}.attention.{name}.{kind}"] = third.t()
    with torch.device("meta"):
        copy = CausalLM(config)
    copy.decoder.load_state_dict(
        {name: tensor.detach().clone().contiguous() for name, tensor in ours.items()}, assign=True
    )
    return copy.eval()


def from_t5(model: PreTrainedModel) -> Seq2Seq:
    """Our copy of a `T5ForConditionalGeneration` with a gated feed-forward (T5 1.1, Flan-T5).

    T5 does not divide its scores by the root of K: our query weights are theirs, multiplied by it.
    ValueError for the ReLU of the first T5, and for heads that do not split D evenly.
    """
    theirs = model.config
    settings = theirs.to_dict()
    require(settings, "feed_forward_proj", "gated-gelu")
    require(settings, "d_kv", theirs.d_model // theirs.num_heads)
    config = EncoderConfig.t5_base(
        vocab_size=theirs.vocab_size,
        dim=theirs.d_model,
        layers=theirs.num_layers,
        heads=theirs.num_heads,
        ff_dim=theirs.d_ff,
        pad_id=theirs.pad_token_id,
        norm_eps=theirs.layer_norm_epsilon,
        buckets=theirs.relative_attention_num_buckets,
        bucket_reach=theirs.relative_attention_max_distance,
    )
    state = dict(model.state_dict())
    for name in list(state):
        if name.endswith("Attention.q.weight"):
            state[name] = state[name] * theirs.d_kv**0.5
        elif name.endswith("wi_0.weight"):
            both = state[name], state[name.replace("wi_0", "wi_1")]
            state[name.replace("wi_0", "wi")] = torch.cat(both)
    tied = torch.equal(state["lm_head.weight"], state["shared.weight"])
    scaled = getattr(theirs, "scale_decoder_outputs", theirs.tie_word_embeddings)
    halves = config, config.replace(layers=theirs.num_decoder_layers)
    start = settings.get("decoder_start_token_id")
    start = theirs.pad_token_id if start is None else start
    with torch.device("meta"):
        ours = Seq2Seq(*halves, start_id=start, tied=tied, scaled=scaled)
    return filled(ours, state, T5)


def from_bart(model: PreTrainedModel) -> Seq2Seq:
    """Our copy of a `BartModel`. ValueError for settings that ours does not know.

    Their tables of positions begin with two rows that no token has.
    """
    theirs, state = model.config, dict(model.state_dict())
    settings = theirs.to_dict()
    require(settings, "activation_function", "gelu")
    require(settings, "scale_embedding", False)
    config = EncoderConfig.bart_base(
        vocab_size=theirs.vocab_size,
        dim=theirs.d_model,
        layers=theirs.encoder_layers,
        heads=theirs.encoder_attention_heads,
        ff_dim=theirs.encoder_ffn_dim,
        max_len=theirs.max_position_embeddings,
        pad_id=theirs.pad_token_id,
    )
    decoder = config.replace(
        layers=theirs.decoder_layers,
        heads=theirs.decoder_attention_heads,
        ff_dim=theirs.decoder_ffn_dim,
    )
    for half in ("encoder", "decoder"):
        name = f"{half}.embed_positions.weight"
        state[name] = state[name][2:]
    with torch.device("meta"):
        start = settings.get("decoder_start_token_id")
        ours = Seq2Seq(config, decoder, start_id=theirs.eos_token_id if start is None else start)
    return filled(ours, state, BART)


def filled(ours: Seq2Seq, state: Mapping[str, Tensor], table: Mapping[str, str]) -> Seq2Seq:
    """An encoder-decoder model with their tensors."""
    found = {}
    for name in ours.state_dict():
        half, module, kind = name.split(".", 1)[0], *name.rsplit(".", 1)
        module = module.removeprefix(f"{half}.")
        number = re.search(r"\d+", module)
        i, last = number.group() if number else "", {"encoder": 1, "decoder": 2}.get(half)
        if module == "embed.token":
            theirs = "shared"
        elif half == "head":
            theirs = "lm_head"
        else:
            theirs = table[module.replace(f".{i}.", ".{i}.") if i else module]
            theirs = f"{half}.{theirs.format(i=i, last=last)}"
        found[name] = state[f"{theirs}.{kind}"].detach().clone()
    ours.load_state_dict(found, assign=True)
    ours.decoder.embed.token = ours.encoder.embed.token  # one table again, not two
    return ours.eval()


def from_electra(model: PreTrainedModel) -> Discriminator:
    """Our copy of an `ElectraForPreTraining`, whose encoder has the names of BERT's.

    ValueError where its embeddings are narrower than its layers: ours are not projected.
    """
    settings = model.config.to_dict()
    require(settings, "embedding_size", settings["hidden_size"])
    shape = {ours: settings[theirs] for ours, theirs in BERT_SETTINGS.items()}
    config = bert_config(settings, shape | {"pad_id": settings["pad_token_id"] or 0})
    weights = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    copy = Discriminator(config).to(next(model.parameters()).dtype)
    state = {
        f"encoder.{ours}": weights[f"electra.{theirs}"]
        for ours, theirs in their_names(copy.encoder, "bert").items()
    }
    for ours, theirs in {"transform": "dense", "score": "dense_prediction"}.items():
        for kind in ("weight", "bias"):
            state[f"{ours}.{kind}"] = weights[f"discriminator_predictions.{theirs}.{kind}"]
    copy.load_state_dict(state)
    return copy.eval()


def from_vit(model: PreTrainedModel) -> ViT:
    """Our copy of a `ViTModel`, without its pooler. ValueError for settings that ours lacks."""
    settings = model.config.to_dict()
    require(settings, "hidden_act", "gelu")
    require(settings, "qkv_bias", True)
    ours = vit_of(settings)
    ours.load_state_dict(picture_state(ours, model.state_dict(), VIT), assign=True)
    return ours.eval()


def from_clip(model: PreTrainedModel) -> CLIP:
    """Our copy of a `CLIPModel`, with GELU or OpenAI's "quick_gelu".

    ValueError for another activation. A text is read at its last token that is kept, so padding
    that repeats the token of the end, as OpenAI's tokenizer pads, has to be masked.
    """
    settings, state = model.config.to_dict(), model.state_dict()
    text = settings["text_config"]
    config = EncoderConfig.gpt2(
        vocab_size=text["vocab_size"],
        dim=text["hidden_size"],
        layers=text["num_hidden_layers"],
        heads=text["num_attention_heads"],
        ff_dim=text["intermediate_size"],
        max_len=text["max_position_embeddings"],
        pad_id=min(text["pad_token_id"] or 0, text["vocab_size"] - 1),
        norm_eps=text["layer_norm_eps"],
        activation="gelu",
    )
    seen = settings["vision_config"]
    ours = CLIP(vit_of(seen, embedding_norm=True), Decoder(config), settings["projection_dim"])
    for half, theirs in ((ours.image, seen), (ours.text, text)):
        if theirs["hidden_act"] == "quick_gelu":
            for block in half.blocks:
                block.feed_forward = QuickFeedForward(half.config.dim, half.config.ff_dim)
        else:
            require(theirs, "hidden_act", "gelu")
    found = {
        "log_scale": state["logit_scale"].detach().clone(),
        "image_projection.weight": state["visual_projection.weight"].detach().clone(),
        "text_projection.weight": state["text_projection.weight"].detach().clone(),
    }
    lasts = {"image": "post_layernorm", "text": "final_layer_norm"}
    for half, theirs in {"image": "vision_model.", "text": "text_model."}.items():
        own = {k.removeprefix(theirs): v for k, v in state.items() if k.startswith(theirs)}
        names = CLIP_NAMES | {"final_norm": lasts[half]}
        copied = picture_state(getattr(ours, half), own, names)
        found |= {f"{half}.{name}": tensor for name, tensor in copied.items()}
    ours.load_state_dict(found, assign=True)
    return ours.eval()


def vit_of(settings: Mapping[str, Any], embedding_norm: bool = False) -> ViT:
    """A ViT of the shape that their settings describe."""
    config = vision_config(
        dim=settings["hidden_size"],
        layers=settings["num_hidden_layers"],
        heads=settings["num_attention_heads"],
        ff_dim=settings["intermediate_size"],
        norm_eps=settings["layer_norm_eps"],
        embedding_norm=embedding_norm,
    )
    size = settings["image_size"]
    size = (size, size) if isinstance(size, int) else tuple(size)
    return ViT(config, size, settings["patch_size"], settings["num_channels"])


def picture_state(
    ours: ViT | Encoder, state: Mapping[str, Tensor], table: Mapping[str, str]
) -> dict[str, Tensor]:
    """Their tensors under our names. Their convolution flattens a patch as channel, row, column.

    ValueError for a tensor that is not there.
    """
    found = {}
    for name, tensor in ours.state_dict().items():
        module, kind = name.rsplit(".", 1)
        number = re.search(r"\d+", module)
        i = number.group() if number else ""
        theirs = table.get(name)
        if theirs is None:
            key = module.replace(f".{i}.", ".{i}.") if i else module
            theirs = f"{table[key].format(i=i)}.{kind}"
        if name == "embed.project.bias" and theirs not in state:  # CLIP has none
            found[name] = torch.zeros_like(state[theirs.replace("bias", "weight")][:, 0, 0, 0])
            continue
        if theirs not in state:
            raise ValueError(f"the model has no tensor {theirs}")
        copy = state[theirs].detach()
        if name == "embed.project.weight":
            copy = copy.permute(0, 2, 3, 1)  # (D, row, column, channel)
        found[name] = copy.reshape(tensor.shape).clone()
    return found


def from_whisper(model: PreTrainedModel) -> AudioEncoder:
    """Our copy of the encoder of a `WhisperModel`, whose blocks have the names of BART's.

    Their keys have no bias; ours is 0, which changes no weight of attention.
    """
    settings, state = model.config.to_dict(), model.encoder.state_dict()
    require(settings, "activation_function", "gelu")
    config = audio_config(
        dim=settings["d_model"],
        layers=settings["encoder_layers"],
        heads=settings["encoder_attention_heads"],
        ff_dim=settings["encoder_ffn_dim"],
        max_len=settings["max_source_positions"],
    )
    ours = AudioEncoder(config, settings["num_mel_bins"]).to(next(model.parameters()).dtype)
    table = BART | {"near": "conv1", "halve": "conv2", "final_norm": "layer_norm"}
    found = {}
    for name, tensor in ours.state_dict().items():
        module, kind = name.rsplit(".", 1)
        number = re.search(r"\d+", module)
        i = number.group() if number else ""
        theirs = table[module.replace(f".{i}.", ".{i}.") if i else module].format(i=i)
        no_bias = name.endswith("attention.key.bias")
        found[name] = torch.zeros_like(tensor) if no_bias else state[f"{theirs}.{kind}"]
    ours.load_state_dict(found)
    return ours.eval()


def to_hf(model: Encoder | MaskedLM) -> PreTrainedModel:
    """Our BERT as a `BertModel` or `BertForMaskedLM`. ValueError for another architecture."""
    from transformers import BertConfig, BertForMaskedLM, BertModel

    ours = model.config
    bert = ours.replace(norm="post", positions="learned", activation="gelu", bias=True)
    bert = bert.replace(norm_kind="layer")
    if ours != bert.replace(embedding_norm=True, local_window=0) or not ours.segments:
        raise ValueError(f"this is not BERT: {ours}")
    settings = {theirs: getattr(ours, name) for name, theirs in BERT_SETTINGS.items()}
    settings |= dict(pad_token_id=ours.pad_id, type_vocab_size=ours.segments)
    theirs = BertConfig(**settings, layer_norm_eps=ours.norm_eps)
    masked = isinstance(model, MaskedLM)
    copy = BertForMaskedLM(theirs) if masked else BertModel(theirs, add_pooling_layer=False)
    prefix = "bert." if masked else ""
    state = {
        name if name.startswith("cls.") else prefix + name: model.state_dict()[ours]
        for ours, name in their_names(model, "bert").items()
    }
    if masked:  # their head lists the tied tensors twice
        state["cls.predictions.decoder.weight"] = model.head.weight
        state["cls.predictions.decoder.bias"] = model.head.bias
    copy.to(next(model.parameters()).dtype)
    copy.load_state_dict(state)
    return copy.eval()


def read_config(settings: Mapping[str, Any]) -> EncoderConfig:
    """Their ``config.json`` as ours. ValueError for what our encoder cannot do."""
    kind = settings.get("model_type")
    if kind not in TABLES:
        raise ValueError(f"the architecture is {kind!r}, but only {', '.join(TABLES)} are known")
    require(settings, "tie_word_embeddings", True)
    try:
        shape = {ours: settings[theirs] for ours, theirs in BERT_SETTINGS.items()}
        shape["pad_id"] = settings["pad_token_id"] or 0
        return bert_config(settings, shape) if kind == "bert" else modern_config(settings, shape)
    except KeyError as error:
        raise ValueError(f"the configuration has no {error.args[0]}") from error


def bert_config(settings: Mapping[str, Any], shape: dict[str, int]) -> EncoderConfig:
    """BERT: Devlin et al., 2018."""
    require(settings, "hidden_act", "gelu")
    require(settings, "position_embedding_type", "absolute")
    require(settings, "is_decoder", False)
    eps, segments = settings["layer_norm_eps"], settings["type_vocab_size"]
    return EncoderConfig(**shape, segments=segments, norm_eps=eps)


def modern_config(settings: Mapping[str, Any], shape: dict[str, int]) -> EncoderConfig:
    """ModernBERT: Warner et al., 2024. Checkpoints name its settings in an old or a new way."""
    require(settings, "hidden_activation", "gelu")
    for bias in ("attention_bias", "mlp_bias", "norm_bias"):
        require(settings, bias, False)
    ropes = settings.get("rope_parameters") or {
        "full_attention": {"rope_theta": settings.get("global_rope_theta")},
        "sliding_attention": {"rope_theta": settings.get("local_rope_theta")},
    }
    every = settings.get("global_attn_every_n_layers", 3)
    types = settings.get("layer_types") or [
        "sliding_attention" if i % every else "full_attention" for i in range(shape["layers"])
    ]
    every = next((i for i, kind in enumerate(types) if i and kind == "full_attention"), len(types))
    config = EncoderConfig.modernbert_base(
        **shape,
        norm_eps=settings["norm_eps"],
        rope_theta=ropes["full_attention"]["rope_theta"],
        local_rope_theta=ropes["sliding_attention"]["rope_theta"],
        local_window=settings["local_attention"] // 2 * 2 + 1,  # so many to each side, and itself
        global_every=every,
    )
    if [config.is_local(i) for i in range(len(types))] != [t != "full_attention" for t in types]:
        raise ValueError(f"layer_types {types} do not repeat every {every} layers")
    return config


def require(settings: Mapping[str, Any], name: str, value: Any) -> None:
    """Raise ValueError where a setting, if it is there at all, has another value than ours."""
    if settings.get(name, value) != value:
        raise ValueError(f"{name} is {settings[name]!r}, but our encoder knows only {value!r}")


def build(
    kind: type[Encoder] | type[MaskedLM], settings: Mapping[str, Any], weights: dict[str, Tensor]
) -> Encoder | MaskedLM:
    """Our model with their weights, which become its own; ValueError where they do not fit."""
    architecture = settings.get("model_type")
    with torch.device("meta"):  # shapes without numbers: they come from the checkpoint
        model = kind(read_config(settings))
    weights = cleaned(weights, architecture)
    state = {}
    for ours, theirs in their_names(model, architecture).items():
        if theirs not in weights:
            raise ValueError(f"the checkpoint has no tensor {theirs}")
        found, expected = weights.pop(theirs), model.state_dict()[ours]
        if found.shape != expected.shape:
            raise ValueError(
                f"{theirs} is {tuple(found.shape)}, but the configuration asks for"
                f" {tuple(expected.shape)}"
            )
        state[ours] = found
    unexpected = [name for name in weights if not BESIDE_THE_ENCODER.search(name)]
    if unexpected:
        raise ValueError(f"the checkpoint has tensors of no known use: {', '.join(unexpected)}")
    if isinstance(model, MaskedLM):
        state["head.weight"] = state["encoder.embed.token.weight"]
    model.load_state_dict(state, assign=True)
    if isinstance(model, MaskedLM):
        model.head.weight = model.encoder.embed.token.weight  # one tensor again, not two
    return model.eval()


def their_names(model: Encoder | MaskedLM, architecture: str) -> dict[str, str]:
    """Our name and theirs for each tensor (theirs without the prefix of the encoder)."""
    names = {}
    for ours in model.state_dict():
        module, kind = ours.removeprefix("encoder.").rsplit(".", 1)  # "blocks.3.attention", "bias"
        number = re.search(r"\d+", module)
        i = number.group() if number else ""
        if ours != "head.weight":  # the token embedding, tied
            name = TABLES[architecture][module.replace(f".{i}.", ".{i}.") if i else module]
            names[ours] = f"{name.format(i=i)}.{kind}"
    return names


def cleaned(weights: Mapping[str, Tensor], architecture: str) -> dict[str, Tensor]:
    """Their tensors under one set of names, whatever wrote the file."""
    same = {}
    for name, tensor in weights.items():
        name = name.removeprefix(PREFIXES[architecture])
        name = name.replace("LayerNorm.gamma", "LayerNorm.weight")  # as the first BERT wrote them
        name = name.replace("LayerNorm.beta", "LayerNorm.bias")
        if name.endswith(".Wqkv.weight"):
            for letter, third in zip("qkv", tensor.chunk(3), strict=True):
                same[name.replace("Wqkv", f"W{letter}")] = third.contiguous()
        else:
            same[name] = tensor
    return same


def read_checkpoint(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The settings and the tensors of a folder; ValueError for a missing or damaged file."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise ValueError(f"there is no {name} in {folder}, so it is no checkpoint to read")
    try:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = load_file(folder / "model.safetensors")
    except json.JSONDecodeError as error:
        raise ValueError(f"{folder / 'config.json'} is damaged: {error}") from error
    except SafetensorError as error:
        raise ValueError(f"{folder / 'model.safetensors'} is damaged: {error}") from error
    return settings, weights


def load_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer that stands beside the weights."""
    return Tokenizer.load(folder / "tokenizer.json")
