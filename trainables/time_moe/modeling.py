"""Time-MoE as a transformers model, with the published parameter names, losses and generation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import DynamicCache, PreTrainedModel
from transformers import initialization as init
from transformers.cache_utils import Cache
from transformers.modeling_outputs import MoeCausalLMOutputWithPast, MoeModelOutputWithPast

from trainables.time_moe.config import TimeMoeConfig
from trainables.time_moe.losses import horizon_loss, router_balance
from trainables.time_moe.network import DecoderLayer, InputEmbedding, OutputHead, RMSNorm, rotary_factors


class TimeMoePreTrainedModel(PreTrainedModel):
    """What loading and saving need to know."""

    config_class = TimeMoeConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["DecoderLayer"]  # noqa: RUF012
    _supports_flash_attn = True
    _supports_sdpa = True

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear):
            init.normal_(module.weight, mean=0.0, std=self.config.initializer_range)
            if module.bias is not None:
                init.zeros_(module.bias)
        elif isinstance(module, RMSNorm):
            init.ones_(module.weight)


class TimeMoeModel(TimeMoePreTrainedModel):
    """The decoder without heads."""

    def __init__(self, config: TimeMoeConfig) -> None:
        super().__init__(config)
        self.embed_layer = InputEmbedding(config)
        self.layers = nn.ModuleList(DecoderLayer(config, i) for i in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool = False,
    ) -> MoeModelOutputWithPast:
        """Run the decoder.

        input_ids: (batch, steps) or (batch, steps, input_size), real values; attention_mask: (batch, cached + steps),
        0 on padding; position_ids: (batch, steps), default cached .. cached + steps - 1 whatever the mask.
        Returns last_hidden_state (batch, steps, hidden) after the final norm; hidden_states: the embedding, each
        layer's output but the last, the last one's after the norm; router_logits of each layer; attentions if eager.
        """
        values = input_ids if input_ids.dim() == 3 else input_ids[..., None]
        states = self.embed_layer(values.to(self.embed_layer.emb_layer.weight.dtype))
        if use_cache and past_key_values is None:
            past_key_values = DynamicCache(config=self.config)
        seen = past_key_values.get_seq_length() if past_key_values is not None else 0
        if position_ids is None:
            position_ids = torch.arange(seen, seen + states.shape[1], device=states.device)[None]
        factors = rotary_factors(
            position_ids, self.config.hidden_size // self.config.num_attention_heads, self.config.rope_theta
        )
        mask = self._attention_mask(states, seen, attention_mask)
        all_states, all_logits, all_weights = [states], [], []
        for layer in self.layers:
            states, logits, weights = layer(states, factors, mask, past_key_values)
            all_states.append(states)
            all_logits.append(logits)
            all_weights.append(weights)
        states = self.norm(states)
        return MoeModelOutputWithPast(
            last_hidden_state=states,
            past_key_values=past_key_values,
            hidden_states=(*all_states[:-1], states),
            router_logits=tuple(all_logits),
            attentions=tuple(all_weights),
        )

    def _attention_mask(self, states: Tensor, seen: int, padding: Tensor | None) -> Tensor | None:
        """What the chosen attention takes: None for plain causal, else an additive mask (batch, 1, steps, keys).

        Masked keys get the most negative number, not minus infinity: a row whose keys are all masked attends to all of
        them evenly, as in the published code, and gives no NaN.
        """
        implementation = self.config._attn_implementation
        steps = states.shape[1]
        if implementation.startswith("flash"):
            return padding
        if implementation == "sdpa" and padding is None and (seen == 0 or steps == 1):
            return None
        keys = torch.arange(seen + steps, device=states.device)
        allowed = keys <= keys[seen:, None]  # (steps, keys)
        allowed = allowed[None, None]
        if padding is not None:
            allowed = allowed & padding.bool()[:, None, None, :]
        mask = torch.zeros(allowed.shape, dtype=states.dtype, device=states.device)
        return mask.masked_fill(~allowed, torch.finfo(states.dtype).min)


class TimeMoeForPrediction(TimeMoePreTrainedModel):
    """Time-MoE with its horizon heads.

    `from_pretrained` loads the published checkpoints (Maple728/TimeMoE-50M, -200M) or a folder, and what
    `save_pretrained` writes loads in the published code.
    Source: Shi et al. 2024, arXiv:2409.16040.
    """

    def __init__(self, config: TimeMoeConfig) -> None:
        super().__init__(config)
        self.model = TimeMoeModel(config)
        self.lm_heads = nn.ModuleList(OutputHead(config, horizon) for horizon in config.horizon_lengths)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        labels: Tensor | None = None,
        loss_masks: Tensor | None = None,
        use_cache: bool = False,
        max_horizon_length: int | None = None,
        **_: Any,
    ) -> MoeCausalLMOutputWithPast:
        """Predict from every step, and compare with labels where there are any.

        input_ids: (batch, steps), normalised values; labels: (batch, steps), the value after each input;
        loss_masks: (batch, steps), 1 where a label counts; attention_mask: (batch, steps), 0 on padding.
        max_horizon_length: take the largest head up to this many points (default: the first head); fewer than the
        first head gives are cut from it.
        Returns loss (a scalar, with labels) and logits (batch, steps, horizon); with labels, logits are those of the
        first head. aux_loss stays empty: the router's part is in the loss.
        """
        decoded = self.model(input_ids, attention_mask, position_ids, past_key_values, use_cache)
        loss = None
        if labels is not None:
            loss = self.loss_of(decoded.last_hidden_state, labels, loss_masks)
            loss = loss + self.auxiliary_loss(decoded.router_logits, attention_mask)
            max_horizon_length = None
        return MoeCausalLMOutputWithPast(
            loss=loss,
            logits=self.predict(decoded.last_hidden_state, max_horizon_length),
            past_key_values=decoded.past_key_values,
            hidden_states=decoded.hidden_states,
            attentions=decoded.attentions,
            router_logits=decoded.router_logits,
        )

    def loss_of(self, states: Tensor, labels: Tensor, loss_masks: Tensor | None) -> Tensor:
        """Mean over the heads of each one's Huber loss, a scalar; states: (batch, steps, hidden)."""
        labels = labels.flatten(1).float()
        masks = None if loss_masks is None else loss_masks.flatten(1)
        losses = [horizon_loss(head(states).float(), labels, masks) for head in self.lm_heads]
        return torch.stack(losses).mean()

    def auxiliary_loss(self, router_logits: Any, attention_mask: Tensor | None) -> Tensor:
        """The router's balance times its factor, a scalar; 0 for a dense model."""
        if not self.config.apply_aux_loss:
            return torch.zeros((), device=self.device)
        balance = router_balance(list(router_logits), self.config.num_experts_per_tok, attention_mask)
        weighted: Tensor = self.config.router_aux_loss_factor * balance
        return weighted

    def predict(self, states: Tensor, max_horizon_length: int | None = None) -> Tensor:
        """Give the prediction of the head that serves so many points, (batch, steps, horizon)."""
        horizons = self.config.horizon_lengths
        wanted = horizons[0] if max_horizon_length is None else max_horizon_length
        fitting = [i for i, horizon in enumerate(horizons) if horizon <= wanted]
        prediction: Tensor = self.lm_heads[fitting[-1] if fitting else 0](states)
        return prediction[..., : wanted * self.config.input_size]

    @torch.no_grad()
    def generate(
        self,
        inputs: Tensor,
        *,
        max_new_tokens: int,
        attention_mask: Tensor | None = None,
        use_cache: bool = True,
    ) -> Tensor:
        """Forecast greedily, in blocks of the largest head that still fits.

        inputs: (batch, steps), normalised values; attention_mask: (batch, steps), 0 on padding.
        Returns (batch, steps + max_new_tokens), the inputs and the forecast after them.
        Raises ValueError for other shapes, or fewer than one new value.
        """
        if inputs.dim() != 2 or self.config.input_size != 1:
            raise ValueError(f"generate takes (batch, steps) of one variable, got {tuple(inputs.shape)}")
        if max_new_tokens < 1:
            raise ValueError(f"max_new_tokens must be at least 1, got {max_new_tokens}")
        sequence, length = inputs, inputs.shape[1] + max_new_tokens
        cache = DynamicCache(config=self.config) if use_cache else None
        while sequence.shape[1] < length:
            seen = cache.get_seq_length() if cache is not None else 0
            decoded = self.model(
                sequence[:, seen:], attention_mask, _positions(attention_mask, seen), cache, use_cache=use_cache
            )
            block = self.predict(decoded.last_hidden_state[:, -1], length - sequence.shape[1])  # (batch, horizon)
            sequence = torch.cat([sequence, block.to(sequence.dtype)], dim=1)
            if attention_mask is not None:
                attention_mask = torch.cat([attention_mask, attention_mask.new_ones(block.shape)], dim=1)
        return sequence


def _positions(attention_mask: Tensor | None, seen: int) -> Tensor | None:
    """Positions counted over what is not padding, of the steps that the cache has not seen."""
    if attention_mask is None:
        return None
    positions = attention_mask.long().cumsum(-1) - 1
    return positions.masked_fill(attention_mask == 0, 1)[:, seen:]
