"""The model card that goes with an exported checkpoint."""

from __future__ import annotations

from typing import Any

from tune.format import number
from tune.records.initial_model import Start


def model_card(facts: dict[str, Any], metric: str) -> str:
    """Markdown of what the checkpoint is: start, data, task, hyperparameters, scores, versions."""
    task = facts["task"]
    pretrained = facts["hyperparameters"].get("pretrained")
    start = "an untrained model" if pretrained is None else f"`{pretrained}`"
    trained = "Fine-tuned" if Start(facts["start"]).is_pretrained else "Trained"
    lines = [
        f"# {facts['sweep']} {facts['trial_id']}",
        "",
        f"{trained} by foretune from {start}; epoch {number(facts['best_epoch'])} of this trial, "
        f"chosen by {metric} on validation.",
        *(line for sentence in facts["about"] for line in ("", sentence)),
        "",
        "## Scores",
        "",
        *_scores(facts),
        "",
        "## Data and task",
        "",
        f"- data: {task['name']}, {task['n_series']} series, {task['rows']} rows, frequency {task['freq']}, "
        f"content sha256 `{facts['data']['content_hash']}`",
        f"- context {task['context_length']}, prediction {task['prediction_length']}, split {task['split']}, "
        f"scale {task['scale']}, strides {task['train_stride']} (train) and {task['eval_stride']} (validation, test)",
        "- windows: {train} train, {val} validation, {test} test".format(**task["windows"]),
        "",
        "## Hyperparameters",
        "",
        *(f"- {name}: {number(value)}" for name, value in sorted(facts["hyperparameters"].items())),
        f"- seed of the sweep: {facts['seed']}",
        "",
        "## Versions",
        "",
        *(f"- {name} {version}" for name, version in facts["versions"].items()),
        "",
    ]
    return "\n".join(lines)


def _scores(facts: dict[str, Any]) -> list[str]:
    """A row a metric, validation before test; the start, the baselines and the checkpoint side by side."""
    baselines = facts["baselines"]
    heads = ["", facts["start"], *(b["name"] for b in baselines), "this checkpoint"]
    validation = [facts["zero_shot"], *baselines, facts["validation"]]
    test = [facts["zero_shot_test"], *(b["test"] for b in baselines), facts["test"]]
    return [
        f"|{'|'.join(f' {head} ' if head else ' ' for head in heads)}|",
        "|---" * len(heads) + "|",
        *(_score_row(name, validation) for name in facts["validation"]),
        *(_score_row(name, test) for name in facts["test"] or {}),
    ]


def _score_row(name: str, scores: list[dict[str, Any] | None]) -> str:
    return " | ".join([f"| {name}", *(number((row or {}).get(name)) for row in scores)]) + " |"
