"""Checkpoints in older formats."""

from __future__ import annotations

import json
from pathlib import Path


def as_version_1(folder: Path) -> Path:
    """Rewrite the JSON files of a checkpoint folder to format version 1, in place.

    Args:
        folder: Checkpoint folder of the current format.

    Returns:
        The folder.
    """
    settings = json.loads((folder / "spinealign.json").read_text())
    kept = {name: value for name, value in settings.items() if name not in ("format_version", "task", "target")}
    old = {"format_version": 1, "conditioning": kept.pop("preprocessing"), "decision": kept.pop("decisions")["label"]}
    old |= kept
    (folder / "spinealign.json").write_text(json.dumps(old, indent=2) + "\n")
    record = json.loads((folder / "metrics.json").read_text())
    collections, training = record.pop("collections", []), record.pop("training", None) or {}
    for name in ("name", "task", "positive_class", "notes"):
        record.pop(name, None)
    nested = [evaluation.pop("accepted", None) for evaluation in record["evaluations"]]
    record.setdefault("accepted", [evaluation for evaluation in nested if evaluation])
    record["audits"] = {item["name"]: item["verdict"] for item in collections}
    record["parameters"] = dict(zip(("all", "trained"), training.get("parameters", (0, 0))))
    record |= {"processes": training.get("processes", 1), "epochs": training.get("history", [])}
    (folder / "metrics.json").write_text(json.dumps(record, indent=2) + "\n")
    return folder
