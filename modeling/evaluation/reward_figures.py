"""How well a reward model judges prompts that it has not seen, from the rows of `heldout.jsonl` and nothing else.

    python -m modeling.evaluation.reward_figures heldout.jsonl

Accuracy, loss, calibration and length count every pair by its weight and target, as training does; agreement by
strength and dimension is with what was said. Ties and pairs whose target is one half name no better answer: they are
counted and left out of all figures.
"""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modeling.evaluation.bootstrap import bootstrap_ratio
from modeling.evaluation.held_out import HeldOutPair, held_out_read
from modeling.evaluation.length_bias import length_coefficient, length_excess_p, length_share

Floats = NDArray[np.float64]

N_BOOTSTRAP = 2_000
N_BINS = 10
STRENGTHS = (1, 2, 3)


def reward_figures(pairs: Sequence[HeldOutPair], *, n_bootstrap: int = N_BOOTSTRAP) -> dict[str, Any]:
    """Return every reported figure by name. At least one pair must name a better answer."""
    decided = [pair for pair in pairs if pair.target != 0.5 and not pair.tie]
    return {
        **accuracy_figures(decided, n_bootstrap=n_bootstrap),
        "heldout_n_undecided": len(pairs) - len(decided),
        **_calibration(decided),
        **_by_group("accuracy_strength", decided, {str(s): [p.strength == s for p in decided] for s in STRENGTHS}),
        **_by_group("accuracy_dimension", decided, _dimensions(decided)),
        **_first_position(decided),
        **_length(decided),
    }


def accuracy_figures(decided: Sequence[HeldOutPair], *, n_bootstrap: int = N_BOOTSTRAP) -> dict[str, Any]:
    """Return accuracy with its interval over prompts, and the loss by Bradley and Terry, a coin's being ln 2."""
    difference_P, target_P, weight_P = _columns(decided)
    right_P = model_right(difference_P, target_P)
    prompts = sorted({pair.prompt for pair in decided})
    place = {prompt: i for i, prompt in enumerate(prompts)}
    prompt_P = np.array([place[pair.prompt] for pair in decided])
    rights, weights = np.bincount(prompt_P, weight_P * right_P), np.bincount(prompt_P, weight_P)
    low, high = bootstrap_ratio(rights.tolist(), weights.tolist(), n_resamples=n_bootstrap)
    losses_P = target_P * np.logaddexp(0, -difference_P) + (1 - target_P) * np.logaddexp(0, difference_P)
    return {
        "reward_accuracy": float(rights.sum() / weights.sum()),
        "reward_accuracy_low": low,
        "reward_accuracy_high": high,
        "reward_accuracy_n": len(decided),
        "heldout_loss": math.fsum(weight_P * losses_P) / math.fsum(weight_P),
    }


def model_right(difference_P: Floats, target_P: Floats) -> NDArray[np.bool_]:
    """Return per pair whether the likelier winner scores strictly higher: equal scores count as wrong."""
    right_P: NDArray[np.bool_] = np.where(target_P > 0.5, difference_P > 0, difference_P < 0)
    return right_P


def _calibration(decided: Sequence[HeldOutPair]) -> dict[str, Any]:
    """Return the expected calibration error and its table: pairs by how sure the model is of the answer it prefers.

    Source: Naeini et al., 2015, AAAI (10 bins of equal width, here from 0.5 to 1); Guo et al., 2017
    (https://arxiv.org/abs/1706.04599), equation 5.
    """
    difference_P, target_P, weight_P = _columns(decided)
    sure_P = 1 / (1 + np.exp(-np.abs(difference_P)))
    true_P = np.where(difference_P > 0, target_P, 1 - target_P)
    bin_P = np.minimum((sure_P - 0.5) * 2 * N_BINS, N_BINS - 1).astype(int)
    table, error = [], 0.0
    for number in range(N_BINS):
        inside = bin_P == number
        weight = float(weight_P[inside].sum())
        sure = float((weight_P * sure_P)[inside].sum() / weight) if weight else None
        right = float((weight_P * true_P)[inside].sum() / weight) if weight else None
        if sure is not None and right is not None:
            error += weight * abs(sure - right)
        table.append({"low": 0.5 + number / 20, "n": int(inside.sum()), "confidence": sure, "right": right})
    return {"calibration_error": error / float(weight_P.sum()), "calibration": table}


def _by_group(name: str, decided: Sequence[HeldOutPair], groups: dict[str, list[bool]]) -> dict[str, Any]:
    """Return how often the model agrees with what was said in each group that has pairs, and how many they are."""
    difference_P = _columns(decided)[0]
    figures: dict[str, Any] = {}
    for group, members in groups.items():
        inside = np.array(members, dtype=bool)
        if inside.any():
            figures[f"{name}_{group}"] = float((difference_P[inside] > 0).mean())
            figures[f"{name}_{group}_n"] = int(inside.sum())
    return figures


def _dimensions(decided: Sequence[HeldOutPair]) -> dict[str, list[bool]]:
    names = sorted({pair.dimension for pair in decided})
    return {name or "overall": [pair.dimension == name for pair in decided] for name in names if names != [""]}


def _first_position(decided: Sequence[HeldOutPair]) -> dict[str, Any]:
    """Return how often the answer that was shown first wins, by the model and by people: 0.5 where place is nothing.

    The model never knows the place; where people favour one, their labels teach nothing there, and the model's
    share stays at one half.
    """
    known = [pair for pair in decided if pair.chosen_first is not None]
    if not known:
        return {}
    prefers_chosen = [pair.difference > 0 for pair in known]
    model = [pair.chosen_first == chosen for pair, chosen in zip(known, prefers_chosen, strict=True)]
    return {
        "first_position": sum(model) / len(known),
        "first_position_people": sum(bool(pair.chosen_first) for pair in known) / len(known),
        "first_position_n": len(known),
    }


def _length(decided: Sequence[HeldOutPair]) -> dict[str, Any]:
    difference_P, target_P, weight_P = _columns(decided)
    length_P = np.array([pair.chosen_tokens - pair.rejected_tokens for pair in decided], dtype=np.float64)
    length_P /= math.sqrt(float((length_P**2).mean())) or 1.0
    model_P = np.where(difference_P == 0, 0.5, difference_P > 0).astype(np.float64)
    people_P = (target_P > 0.5).astype(np.float64)
    return {
        "length_coefficient": length_coefficient(length_P, model_P, weight_P),
        "length_coefficient_people": length_coefficient(length_P, people_P, weight_P),
        "length_share": length_share(length_P, difference_P, weight_P),
        "length_excess_p": length_excess_p(length_P, model_P, people_P, weight_P, [pair.prompt for pair in decided]),
    }


def _columns(pairs: Sequence[HeldOutPair]) -> tuple[Floats, Floats, Floats]:
    rows = [(pair.difference, pair.target, pair.weight) for pair in pairs]
    difference_P, target_P, weight_P = np.array(rows, dtype=np.float64).reshape(-1, 3).T
    return difference_P, target_P, weight_P


def main(arguments: list[str]) -> int:
    """Print the figures as one JSON object."""
    if len(arguments) != 1:
        sys.stderr.write("Usage: python -m modeling.evaluation.reward_figures HELDOUT_JSONL\n")
        return 2
    sys.stdout.write(json.dumps(reward_figures(held_out_read(Path(arguments[0]))), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
