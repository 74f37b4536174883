"""Result files of evaluation, made up."""

from typing import Any

RECALL = ("class recall at 1", "judge")


def figure(
    value: float, resampled: list[float] | None = None, name: str = RECALL[0], better: str = "higher"
) -> Any:
    interval = {"low": value - 0.1, "high": value + 0.1}
    return {
        "name": name,
        "network": "judge",
        "better": better,
        "value": value,
        **interval,
        "n": 4,
        "resampled": resampled or [value - 0.05, value, value + 0.05],
    }


def result(methods: dict[str, list[Any]], protocol: str = "p" * 64, clips: int = 4) -> Any:
    made = [
        {
            "name": name,
            "kind": name,
            "settings": {},
            "fingerprints": {},
            "clips": clips,
            "absent": [],
            "figures": figures,
        }
        for name, figures in methods.items()
    ]
    return {
        "format": 1,
        "command": ["sound2scene", "evaluate"],
        "cwd": "/",
        "created": "2026-11-26T00:00:00+00:00",
        "versions": {},
        "networks": {},
        "protocol": {"name": "toy", "fingerprint": protocol, "settings": {}},
        "data": {
            "shards": "shards",
            "split": "test",
            "fingerprint": "f",
            "clips": clips,
            "classes": 2,
            "coverage": {},
            "left_out": [],
        },
        "methods": made,
    }
