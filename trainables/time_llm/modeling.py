"""Time-LLM: what trains, around a frozen language model; published names for what trains."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from data.files import expand
from data.portable import portable_folder
from trainables.checkpoints.model_files import read_checkpoint_config, read_checkpoint_weights, write_checkpoint
from trainables.checkpoints.weights import check_shapes, shapes_of
from trainables.errors import CheckpointError, HyperError
from trainables.hyper import MOST_UNITS
from trainables.time_llm.backbone import Backbone, load_backbone
from trainables.time_llm.hyper import TIME_LLM, Storage
from trainables.time_llm.network import FlattenHead, PatchEmbedding, ReprogrammingLayer, count_patches
from trainables.time_llm.prompts import as_rows, normalise, tokenize, write_prompts

MODEL_TYPE = "time_llm"


class TimeLlmConfig(BaseModel):
    """All that a Time-LLM is but its trained weights; config.json of a checkpoint.

    llm, llm_hash: the frozen language model, by folder, Hub id or packaged name, and by what its weights hash to. In
    config.json, a folder is named as it is seen from the checkpoint's, or from the user's home.
    llm_storage: how its weights lie in memory. prompt: `masked`, where each window's answer is its own, or
    `published`, where shorter prompts of a batch are padded at the right and the padding is attended to, as in the
    paper's code: the answer then depends on what else is in the batch.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model_type: Literal["time_llm"] = "time_llm"
    llm: str
    llm_layers: int = Field(ge=1)
    llm_hash: str = ""
    llm_storage: Storage = "float32"
    prompt: Literal["masked", "published"] = "masked"
    description: str
    context_length: int = Field(ge=1)
    prediction_length: int = Field(ge=1)
    patch_len: int = Field(default=16, ge=1)
    stride: int = Field(default=8, ge=1)
    d_model: int = Field(default=32, ge=1, le=MOST_UNITS)
    d_ff: int = Field(default=32, ge=1, le=MOST_UNITS)
    n_heads: int = Field(default=8, ge=1, le=MOST_UNITS)
    num_prototypes: int = Field(default=1000, ge=1, le=MOST_UNITS)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    @property
    def patches(self) -> int:
        return count_patches(self.context_length, self.patch_len, self.stride)

    def check_sizes(self, width: int) -> None:
        """Reject sizes that do not go together; width: of the language model. HyperError."""
        if self.patch_len > self.context_length:
            raise HyperError(
                f"patch_len must be at most the context's {self.context_length} rows, got {self.patch_len}"
            )
        if self.d_ff > width:
            raise HyperError(f"d_ff must be at most the {width} dimensions of {self.llm}, got {self.d_ff}")

    def check_positions(self, tokens: int, llm: Any) -> None:
        """Reject a prompt of so many tokens where it does not fit the language model's configuration: HyperError."""
        longest = getattr(llm, "max_position_embeddings", None)
        if longest is not None and tokens + self.patches > longest:
            raise HyperError(
                f"prompt and patches must fit into the {longest} positions of {self.llm}, got {tokens} + "
                f"{self.patches}; shorten the description or --context-length, or raise the stride"
            )


@dataclass(frozen=True)
class _Places:
    """Which tokens are there, and the position of each; None: all are, one after the other.

    mask, positions: (rows, prompt + patches) int64.
    """

    mask: Tensor | None = None
    positions: Tensor | None = None

    def before(self, end: int) -> _Places:
        """The places of the first `end` tokens by themselves."""
        return (
            self
            if self.mask is None or self.positions is None
            else _Places(self.mask[:, :end], self.positions[:, :end])
        )

    def after(self, start: int) -> _Places:
        """The places of the tokens from `start`, which see those before."""
        return self if self.positions is None else _Places(self.mask, self.positions[:, start:])


class TimeLLM(nn.Module):
    """Forecasts each channel by itself: prompt and reprogrammed patches through the language model, then a linear head.

    Source: Jin et al. 2023, arXiv:2310.01728.
    """

    def __init__(self, config: TimeLlmConfig, backbone: Backbone) -> None:
        """Raises HyperError for sizes that do not go together."""
        super().__init__()
        config.check_sizes(backbone.config.hidden_size)
        self.config = config
        self.backbone = backbone
        self.llm_model = backbone.model
        self.llm_model.activation_checkpointing_disable()  # type: ignore[operator]  # another trial may have needed it
        self.prompt_goes_first = backbone.is_causal
        vocabulary, width = backbone.word_embeddings.shape
        self.patch_embedding = PatchEmbedding(config.patch_len, config.stride, config.d_model, config.dropout)
        self.mapping_layer = nn.Linear(vocabulary, config.num_prototypes)
        self.reprogramming_layer = ReprogrammingLayer(config.d_model, config.n_heads, config.d_ff, width)
        self.output_projection = FlattenHead(config.d_ff * config.patches, config.prediction_length, config.dropout)
        self._prototypes: Tensor | None = None

    # --- text

    def prompts(self, series: Tensor) -> list[str]:
        """Write the prompt of each channel, sample after sample; series: (batch, context_length, channels)."""
        return write_prompts(series, self.config.description, self.config.prediction_length)

    def prompt_tokens(self, series: Tensor) -> Tensor:
        """Return the prompts' tokens, (batch * channels, longest) int32 on the CPU, -1 where there is none."""
        tokens = tokenize(self.prompts(series), self.backbone.tokenizer)
        self.config.check_positions(tokens.shape[1], self.backbone.config)
        return tokens

    # --- numbers

    def forward(self, series: Tensor, tokens: Tensor | None = None) -> Tensor:
        """Forecast (batch, prediction_length, channels) in the units of series, (batch, context_length, channels).

        tokens: (batch * channels, longest), as from `prompt_tokens`, whatever device; None makes them here.
        """
        if tokens is None:
            tokens = self.prompt_tokens(series)
        normalised = normalise(series)
        patches = self.patch_embedding(as_rows(normalised.series))
        reprogrammed = self.reprogramming_layer(patches, self.source_embeddings())
        states = self.llm_states(tokens.to(series.device, torch.int64), reprogrammed)
        head_in = states[..., : self.config.d_ff].transpose(1, 2)
        head_in = head_in.unflatten(0, (len(series), -1)).to(self.mapping_layer.weight.dtype)
        forecast: Tensor = self.output_projection(head_in)  # (batch, channels, prediction)
        forecast = forecast.permute(0, 2, 1).to(series.dtype)
        return forecast * normalised.std + normalised.mean

    def source_embeddings(self) -> Tensor:
        """The prototypes, (num_prototypes, width): mixtures of the word embeddings; kept while nothing trains."""
        if self._prototypes is not None and not torch.is_grad_enabled():
            return self._prototypes
        words = self.backbone.word_embeddings
        if not torch.is_autocast_enabled(words.device.type):
            words = words.to(self.mapping_layer.weight.dtype)
        prototypes: Tensor = self.mapping_layer(words.T).T
        if not self.training and not torch.is_grad_enabled():
            self._prototypes = prototypes
        return prototypes

    def llm_states(self, tokens: Tensor, patches: Tensor) -> Tensor:
        """Last hidden states of the patches behind their prompts, (rows, patches, width).

        tokens: (rows, longest) int64, -1 where there is none. patches: (rows, patches, width).
        """
        tokens = tokens[:, : int((tokens >= 0).sum(1).max())]  # the longest of this batch, not of all windows
        there = tokens >= 0
        tokens, there = _left_aligned(tokens, there) if self.config.prompt == "masked" else (tokens, there)
        ids = torch.where(there, tokens, self.backbone.tokenizer.pad_token_id)
        words = self.backbone.embed_words(ids)
        patches = patches.to(words.dtype)
        places = _places(there, patches.shape[1]) if self.config.prompt == "masked" else _Places()
        if self.prompt_goes_first:
            return self._states_after(words, patches, places)
        no_cache = {"use_cache": False} if self.backbone.is_causal else {}
        states: Tensor = self.llm_model(
            inputs_embeds=torch.cat([words, patches], dim=1),
            attention_mask=places.mask,
            position_ids=places.positions,
            **no_cache,
        ).last_hidden_state
        return states[:, words.shape[1] :]

    def _states_after(self, words: Tensor, patches: Tensor, places: _Places) -> Tensor:
        """The same where no prompt knows its patches: nothing of it trains, so it keeps no gradient and its memory."""
        prompt = places.before(words.shape[1])
        with torch.no_grad():
            past = self.llm_model(
                inputs_embeds=words, attention_mask=prompt.mask, position_ids=prompt.positions, use_cache=True
            ).past_key_values
        after = places.after(words.shape[1])
        states: Tensor = self.llm_model(
            inputs_embeds=patches, attention_mask=after.mask, position_ids=after.positions, past_key_values=past
        ).last_hidden_state
        return states

    def recompute_llm(self) -> bool:
        """Let the language model keep its layers' inputs alone, and compute them again; False where it cannot.

        Prompt and patches then go through it together: what a prompt leaves behind for its patches would come twice.
        """
        if not self.llm_model.supports_gradient_checkpointing:
            return False
        self.llm_model.activation_checkpointing_enable()  # type: ignore[operator]
        self.prompt_goes_first = False
        return True

    def train(self, mode: bool = True) -> TimeLLM:
        """Prototypes are kept from one switch to the next, at most."""
        self._prototypes = None
        return super().train(mode)

    # --- files

    def trained_state(self) -> dict[str, Tensor]:
        """All that is not the language model's, by its published name."""
        return {
            k: v.detach().cpu().contiguous() for k, v in self.state_dict().items() if not k.startswith("llm_model.")
        }

    def load_trained_state(self, tensors: Mapping[str, Tensor]) -> None:
        """Put trained tensors in; raises CheckpointError if a name or a shape is not right."""
        own = {name: p for name, p in self.named_parameters() if not name.startswith("llm_model.")}
        check_shapes(shapes_of(tensors), shapes_of(own))
        with torch.no_grad():
            for name, parameter in own.items():
                parameter.copy_(tensors[name])
        self._prototypes = None

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors; the language model is named by id and hash, not saved."""
        llm = portable_folder(self.config.llm, Path(folder).absolute())
        config = self.config.model_copy(update={"llm": llm, "llm_hash": self.backbone.hash})
        write_checkpoint(folder, config, self.trained_state())

    @classmethod
    def from_config(cls, config: TimeLlmConfig) -> TimeLLM:
        """Make an untrained one around its language model; raises CheckpointError if the model's hash is not right."""
        return cls(config, _fitting_backbone(config))

    @classmethod
    def from_pretrained(cls, pretrained: str | Path, *, dropout: float | None = None) -> TimeLLM:
        """Load what `save_pretrained` wrote, from a folder or the Hub; raises CheckpointError.

        dropout: for training on, instead of the one that it was trained with.
        """
        config = read_checkpoint_config(pretrained, TimeLlmConfig, TIME_LLM)
        if dropout is not None:
            config = config.model_copy(update={"dropout": dropout})
        if config.llm.startswith((".", "~")):
            llm = (Path(pretrained).absolute() / expand(config.llm)).resolve()
            if not llm.is_dir():
                raise CheckpointError(
                    f"{pretrained}: its language model {config.llm}, as seen from its folder, is not there; bring it "
                    "along, or name where it is in config.json under llm"
                )
            config = config.model_copy(update={"llm": str(llm)})
        backbone = _fitting_backbone(config)
        with torch.device("meta"):
            trained = {k: p for k, p in cls(config, backbone).named_parameters() if not k.startswith("llm_model.")}
        tensors = read_checkpoint_weights(pretrained, shapes_of(trained), TIME_LLM)
        model = cls(config, backbone)
        model.load_trained_state(tensors)
        return model.eval()


def _fitting_backbone(config: TimeLlmConfig) -> Backbone:
    """Load the language model; raises CheckpointError if its hash is not right."""
    backbone = load_backbone(config.llm, config.llm_layers, config.llm_storage)
    if config.llm_hash and config.llm_hash != backbone.hash:
        raise CheckpointError(
            f"the language model {config.llm} must be the one that this Time-LLM was trained around (hash "
            f"{config.llm_hash[:12]}), and it is another one ({backbone.hash[:12]}); bring back the one it was"
        )
    return backbone


def _left_aligned(tokens: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """Move each row's padding from its end to its start, so that every prompt ends where the patches begin."""
    width = tokens.shape[1]
    missing = width - there.sum(1, keepdim=True)
    places = torch.arange(width, device=tokens.device) - missing
    return tokens.gather(1, places.clamp_min(0)), places >= 0


def _places(there: Tensor, patches: int) -> _Places:
    """Mask and positions of prompts padded at their start, and the patches after them."""
    mask = torch.cat([there, there.new_ones(len(there), patches)], dim=1).long()
    return _Places(mask, (mask.cumsum(1) - 1).clamp_min(0))
