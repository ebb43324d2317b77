"""What a Time-LLM costs, counted from its sizes; no weight is loaded."""

from __future__ import annotations

import torch
from transformers import AutoModel

from trainables.time_llm.backbone import Backbone, load_tokenizer, read_backbone_config
from trainables.time_llm.modeling import TimeLLM, TimeLlmConfig
from trainables.time_llm.prompts import prompt_texts, tokenize
from trainables.workload import Workload

WEIGHT_BYTES = {"float32": 4.0, "bfloat16": 2.0, "4bit": 0.5}
HALF = {"auto": 1.0, "fp32": 1.0, "bf16": 0.5, "fp16": 0.5}
MULTIPLY_ADD = 2


def workload(config: TimeLlmConfig, *, training_precision: str) -> Workload:
    """Count weights, operations and memory of a configuration.

    A frozen layer's backward pass costs as much as its forward pass, a trained one's twice as much. What a layer of
    the language model keeps for it: 34 + 5 * heads * tokens / width bytes a token and dimension, in 16 bit.
    Source: Korthikanti et al. 2022, arXiv:2205.05198, equation 2. Of a causal model's prompt there is no backward
    pass, and only its keys and values are kept. Raises what `read_backbone_config` raises.
    """
    llm = read_backbone_config(config.llm, config.llm_layers)
    with torch.device("meta"):
        module = TimeLLM(config, Backbone(config.llm, AutoModel.from_config(llm), None, llm, "", ""))
    frozen = sum(p.numel() for p in module.llm_model.parameters())
    trainable = sum(p.numel() for n, p in module.named_parameters() if not n.startswith("llm_model."))
    vocabulary, width = module.backbone.word_embeddings.shape
    embeddings = sum(m.weight.numel() for m in module.llm_model.modules() if isinstance(m, torch.nn.Embedding))
    tokens = _prompt_length(config) + config.patches
    learning = config.patches if module.prompt_goes_first else tokens  # through which a gradient passes
    attention = 2 * MULTIPLY_ADD * config.llm_layers * tokens * width
    forward, backward = ((MULTIPLY_ADD * (frozen - embeddings) + attention) * rows for rows in (tokens, learning))
    keys = config.n_heads * config.d_ff
    reprogramming = MULTIPLY_ADD * config.patches * keys * (2 * config.num_prototypes + config.d_model + width)
    prototypes = MULTIPLY_ADD * config.num_prototypes * width * (vocabulary + 2 * keys)
    kept = learning * (34 + 5 * llm.num_attention_heads * tokens / width) + 2 * 2 * (tokens - learning)
    return Workload(
        parameters=frozen + trainable,
        trainable=trainable,
        weight_bytes=round(_llm_bytes(config, frozen, embeddings) + 4 * trainable),
        train_flops=forward + backward + 3 * reprogramming,
        eval_flops=forward + reprogramming,
        step_flops=2 * prototypes,
        activation_bytes=round(2 * HALF[training_precision] * kept * width * config.llm_layers),
    )


def _llm_bytes(config: TimeLlmConfig, frozen: int, embeddings: int) -> float:
    """4 bit are for the matrices; word embeddings stay at 16."""
    if config.llm_storage != "4bit":
        return WEIGHT_BYTES[config.llm_storage] * frozen
    return WEIGHT_BYTES["4bit"] * (frozen - embeddings) + WEIGHT_BYTES["bfloat16"] * embeddings


def _prompt_length(config: TimeLlmConfig) -> int:
    """Tokens of a prompt like those that will be made."""
    rows = torch.linspace(-1.7, 1.7, config.context_length)[None]
    texts = prompt_texts(rows, config.description, config.prediction_length)
    return tokenize(texts, load_tokenizer(config.llm)).shape[1]
