"""The model card that goes with an exported checkpoint."""

from __future__ import annotations

from typing import Any

from tune.format import number


def model_card(facts: dict[str, Any], metric: str) -> str:
    """Markdown of what the checkpoint is: start, data, task, hyperparameters, scores, versions."""
    task = facts["task"]
    start = facts["hyperparameters"].get("pretrained", "an untrained model")
    lines = [
        f"# {facts['sweep']} {facts['trial_id']}",
        "",
        f"Fine-tuned by foretune from `{start}`; epoch {number(facts['best_epoch'])} of this trial, "
        f"chosen by {metric} on validation.",
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
    rows = ["| | zero-shot | this checkpoint |", "|---|---|---|"]
    for name, value in facts["validation"].items():
        rows.append(f"| {name} | {number(facts['zero_shot'][name])} | {number(value)} |")
    for name, value in (facts["test"] or {}).items():
        rows.append(f"| {name} | {number((facts['zero_shot_test'] or {}).get(name))} | {number(value)} |")
    return rows
