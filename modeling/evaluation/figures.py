"""The evaluation's figures, computed from the rows of `eval.jsonl` and from nothing else.

A row of kind `prompt` is one prompt: `policy`, `sft` and, if there was one, `previous` hold the same number of answers;
`plain` is one more SFT answer, the opponent of best-of-n; `oracle` (a share of the rows) holds further SFT answers. An
answer is {"text", "n_tokens", "cut", "score"}, where `score` is the judge's, with `log_ratio` (policy) and `reward`
where a reward model was given. A row of kind `question` holds answers with `right`; one of kind `text` how likely
each side finds a piece of text; one of kind `snapshot` the answer of one snapshot to one prompt.

Intervals are 95% by redrawn prompts, questions or pieces of text, under the figure's name with `_low` and `_high`.
"""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

import numpy as np

from modeling.evaluation.bootstrap import bootstrap_ratio
from modeling.evaluation.diversity import distinct_n, repeated_share
from modeling.evaluation.length_control import length_control
from modeling.evaluation.overoptimisation import overoptimisation
from modeling.evaluation.parts import POLICY, PREVIOUS, Row
from modeling.evaluation.wellformed import well_formed

Answers = Sequence[dict[str, Any]]
SFT = "sft"


def evaluation_figures(rows: Sequence[Row], *, n_bootstrap: int) -> dict[str, Any]:
    """Return every reported figure by name; figures of the SFT policy carry the prefix `sft_`."""
    by_kind: dict[str, list[Row]] = {"prompt": [], "question": [], "text": [], "snapshot": []}
    for row in rows:
        by_kind[row.get("kind", "prompt")].append(row)
    figures = _Figures(n_bootstrap)
    _compare(by_kind["prompt"], figures)
    if by_kind["question"]:
        _examine(by_kind["question"], figures)
    if by_kind["text"]:
        _forget(by_kind["text"], figures)
    if by_kind["snapshot"]:
        _follow(by_kind["snapshot"], figures)
    return figures.found


class _Figures:
    """Figures by name, with the intervals of those that are means."""

    def __init__(self, n_bootstrap: int) -> None:
        self.n_bootstrap = n_bootstrap
        self.found: dict[str, Any] = {}

    def ratio(self, name: str, numerators: Sequence[float], denominators: Sequence[float]) -> None:
        """Add sum(numerators) / sum(denominators) with its interval; each position is one thing to redraw."""
        low, high = bootstrap_ratio(numerators, denominators, n_resamples=self.n_bootstrap)
        self.found |= {name: sum(numerators) / sum(denominators), f"{name}_low": low, f"{name}_high": high}

    def mean(self, name: str, values: Sequence[float]) -> None:
        """Add a mean with its interval."""
        self.ratio(name, values, [1.0] * len(values))


def win_share(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return how often ours beat theirs over all pairs of answers to one prompt, a tie counting half."""
    wins = sum((a > b) + 0.5 * (a == b) for a in ours for b in theirs)
    return wins / (len(ours) * len(theirs))


# ---- Answers to prompts ---------------------------------------------------------------------------------------------


def _compare(rows: Sequence[Row], figures: _Figures) -> None:
    figures.found["n_prompts"] = len(rows)
    figures.mean("win_rate", [win_share(_scores(row[POLICY]), _scores(row[SFT])) for row in rows])
    previous = [row.get(PREVIOUS) or row[SFT] for row in rows]
    wins = [win_share(_scores(row[POLICY]), _scores(answers)) for row, answers in zip(rows, previous, strict=True)]
    figures.mean("win_rate_previous", wins)
    _at_equal_length(rows, figures)
    figures.mean("kl_nats", [fmean(answer["log_ratio"] for answer in row[POLICY]) for row in rows])
    figures.found["sft_kl_nats"] = 0.0
    figures.found |= _describe(row[POLICY] for row in rows)
    figures.found |= {f"sft_{name}": value for name, value in _describe(row[SFT] for row in rows).items()}
    if "reward" in rows[0][POLICY][0]:
        wins = [win_share(_column(row[POLICY], "reward"), _column(row[SFT], "reward")) for row in rows]
        figures.mean("win_rate_reward", wins)
    for prefix, side in (("", SFT), ("policy_", POLICY), ("previous_", PREVIOUS)):
        if "plain" in rows[0] and "reward" in rows[0].get(side, ({},))[0]:
            figures.mean(f"{prefix}best_of_{len(rows[0][side])}", [_best_of_n(row, side) for row in rows])
    _oracle(rows, figures)


def _at_equal_length(rows: Sequence[Row], figures: _Figures) -> None:
    """Add the win rate at no difference in length, and how much a difference adds."""
    pairs = [(i, ours, theirs) for i, row in enumerate(rows) for ours in row[POLICY] for theirs in row[SFT]]
    found = length_control(
        [i for i, _, _ in pairs],
        [win_share([ours["score"]], [theirs["score"]]) for _, ours, theirs in pairs],
        [ours["n_tokens"] - theirs["n_tokens"] for _, ours, theirs in pairs],
    )
    figures.found |= {
        "win_rate_length_controlled": found.win_rate,
        "win_rate_length_controlled_low": found.low,
        "win_rate_length_controlled_high": found.high,
        "length_effect": found.effect,
        "length_effect_low": found.effect_low,
        "length_effect_high": found.effect_high,
    }


def _describe(answers_by_prompt: Iterable[Answers]) -> dict[str, float]:
    prompts = list(answers_by_prompt)
    every = [answer for answers in prompts for answer in answers]
    texts = [answer["text"] for answer in every]
    return {
        "score": fmean(_scores(every)),
        "mean_tokens": fmean(answer["n_tokens"] for answer in every),
        "cut_share": fmean(bool(answer["cut"]) for answer in every),
        "distinct_share": fmean(len({answer["text"] for answer in answers}) / len(answers) for answers in prompts),
        "well_formed_share": fmean(well_formed(answer["text"], cut=answer["cut"]) for answer in every),
        **{f"distinct_{n}": distinct_n(texts, n) for n in (1, 2, 3)},
        "repeated_share": repeated_share(texts),
    }


def _best_of_n(row: Row, side: str) -> float:
    """Return whether the side's answer with the highest reward beats one more plain SFT answer."""
    best = max(row[side], key=lambda answer: answer["reward"])
    return win_share([best["score"]], [row["plain"]["score"]])


def _oracle(rows: Sequence[Row], figures: _Figures) -> None:
    """Add the policy's gain in score over the gain of best-of-n by the judge itself, on the rows that have it.

    The SFT answers of the row are part of the n, so that n - samples_per_prompt further ones are drawn.
    """
    chosen = [row for row in rows if row.get("oracle")]
    if not chosen:
        return
    figures.found |= {"oracle_n_prompts": len(chosen), "oracle_n": len(chosen[0][SFT]) + len(chosen[0]["oracle"])}
    plain = [fmean(_scores(row[SFT])) for row in chosen]
    ours = [fmean(_scores(row[POLICY])) for row in chosen]
    best = [max(_scores(row[SFT]) + _scores(row["oracle"])) for row in chosen]
    if sum(best) > sum(plain):
        gains, possible = np.subtract(ours, plain).tolist(), np.subtract(best, plain).tolist()
        figures.ratio("oracle_share", gains, possible)


def _scores(answers: Answers) -> list[float]:
    return _column(answers, "score")


def _column(answers: Answers, name: str) -> list[float]:
    return [answer[name] for answer in answers]


# ---- Questions, texts, snapshots ------------------------------------------------------------------------------------


def _examine(rows: Sequence[Row], figures: _Figures) -> None:
    """Add the shares of right answers: greedy, and the mean of answers at temperature 1."""
    figures.found["n_questions"] = len(rows)
    for prefix, side in (("", POLICY), ("sft_", SFT)):
        figures.mean(f"{prefix}exact_match", [fmean(map(float, _column(row[side], "right"))) for row in rows])
        greedy = [float(row[f"{side}_greedy"][0]["right"]) for row in rows]
        figures.mean(f"{prefix}exact_match_greedy", greedy)


def _forget(rows: Sequence[Row], figures: _Figures) -> None:
    """Add nats per token of either side, and how many more the policy needs."""
    n_tokens = [row["n_tokens"] for row in rows]
    figures.found["n_text_tokens"] = sum(n_tokens)
    figures.ratio("text_nats", [row["policy_nats"] for row in rows], n_tokens)
    figures.ratio("sft_text_nats", [row["sft_nats"] for row in rows], n_tokens)
    figures.ratio("forgotten_nats", [row["policy_nats"] - row["sft_nats"] for row in rows], n_tokens)


def _follow(rows: Sequence[Row], figures: _Figures) -> None:
    """Add the over-optimisation curve, and the steps at which it warns and parts where it does."""
    steps = sorted({row["step"] for row in rows})
    log_ratios, rewards, judges = (
        np.array([[row[name] for row in rows if row["step"] == step] for step in steps])
        for name in ("log_ratio", "reward", "score")
    )
    found = overoptimisation(steps, log_ratios, rewards, judges, n_bootstrap=figures.n_bootstrap)
    figures.found["snapshots"] = [vars(point) for point in found.points]
    for name in ("warning_step", "parting_step", "parting_seen_step"):
        if getattr(found, name) is not None:
            figures.found[name] = getattr(found, name)
