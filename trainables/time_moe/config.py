"""The configuration of Time-MoE, key for key as the published checkpoints have it."""

from __future__ import annotations

from typing import Any, ClassVar

from transformers import PreTrainedConfig

from trainables.hyper import MOST_LAYERS, MOST_UNITS

MOST_EXPERTS = 16_384  # of all layers together


class TimeMoeConfig(PreTrainedConfig):
    """A decoder of `num_hidden_layers` layers with mixtures of experts, and one output head a horizon.

    Defaults are those of Maple728/TimeMoE-50M. horizon_lengths: ascending. A model is either dense or has the router's
    auxiliary loss (use_dense, apply_aux_loss): exactly one of the two.
    Raises ValueError if these rules are broken.
    Source: Shi et al. 2024, arXiv:2409.16040.
    """

    model_type: ClassVar[str] = "time_moe"
    keys_to_ignore_at_inference: ClassVar[list[str]] = ["past_key_values"]

    input_size: int = 1
    hidden_size: int = 384
    intermediate_size: int = 1536
    horizon_lengths: list[int] | tuple[int, ...] = (1, 8, 32, 64)
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    num_key_value_heads: int | None = None
    hidden_act: str = "silu"
    num_experts_per_tok: int = 2
    num_experts: int = 8
    max_position_embeddings: int = 4096
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-6
    use_cache: bool = True
    use_dense: bool = False
    rope_theta: int | float = 10000
    attention_dropout: float = 0.0
    apply_aux_loss: bool = True
    router_aux_loss_factor: float = 0.02
    tie_word_embeddings: bool = False

    def __post_init__(self, **kwargs: Any) -> None:
        if self.num_key_value_heads is None:
            self.num_key_value_heads = self.num_attention_heads
        self.horizon_lengths = list(self.horizon_lengths)
        self._check()
        super().__post_init__(**kwargs)

    def _check(self) -> None:
        self._check_sizes()
        if self.use_dense == self.apply_aux_loss:
            raise ValueError(
                f"exactly one of use_dense and apply_aux_loss must hold, got use_dense={self.use_dense}, "
                f"apply_aux_loss={self.apply_aux_loss}"
            )
        if self.horizon_lengths != sorted(set(self.horizon_lengths)) or self.horizon_lengths[0] < 1:
            raise ValueError(f"horizon_lengths must be positive and ascending, got {self.horizon_lengths}")
        if self.hidden_size % self.num_attention_heads:
            raise ValueError(
                f"hidden_size must be a multiple of num_attention_heads, got {self.hidden_size} and "
                f"{self.num_attention_heads}"
            )

    def _check_sizes(self) -> None:
        """Reject what is no size of a model, before anything is made of it."""
        most = {
            "num_hidden_layers": MOST_LAYERS,
            **dict.fromkeys(("num_experts", "num_experts_per_tok"), MOST_EXPERTS // max(1, self.num_hidden_layers)),
            **dict.fromkeys(("num_attention_heads", "num_key_value_heads"), MOST_UNITS),
            **dict.fromkeys(("hidden_size", "intermediate_size", "input_size", "max_position_embeddings"), MOST_UNITS),
        }
        for name, largest in most.items():
            if not 1 <= getattr(self, name) <= largest:
                raise ValueError(f"{name} must be 1 to {largest}, got {getattr(self, name)}")
        if not 1 <= len(self.horizon_lengths) <= MOST_LAYERS or max(self.horizon_lengths) > MOST_UNITS:
            raise ValueError(f"horizon_lengths must be 1 to {MOST_LAYERS} numbers of at most {MOST_UNITS}")

    def to_dict(self) -> dict[str, Any]:
        """Return all values; the type of the weights also under the name that the published code reads."""
        values: dict[str, Any] = super().to_dict()
        if values.get("dtype") is not None:
            values["torch_dtype"] = values["dtype"]
        return values
