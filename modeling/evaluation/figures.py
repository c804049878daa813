"""The evaluation's figures, computed from the rows of `eval.jsonl` and from nothing else.

A row is one prompt: `policy`, `sft` and, if there was one, `previous` hold the same number of answers; `plain` is one
more SFT answer, the opponent of best-of-n; `oracle` (a share of the rows) holds further SFT answers. An answer is
{"text", "n_tokens", "cut", "score"}, where `score` is the judge's, with `log_ratio` (policy) and `reward` (SFT).
"""

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from modeling.evaluation.bootstrap import bootstrap_mean
from modeling.evaluation.wellformed import well_formed

Row = dict[str, Any]
Answers = Sequence[dict[str, Any]]


def evaluation_figures(rows: Sequence[Row], *, n_bootstrap: int) -> dict[str, float]:
    """Return every reported figure by name; figures of the SFT policy carry the prefix `sft_`."""
    wins = [win_share(_scores(row["policy"]), _scores(row["sft"])) for row in rows]
    low, high = bootstrap_mean(wins, n_resamples=n_bootstrap)
    wins_previous = [win_share(_scores(row["policy"]), _scores(row.get("previous") or row["sft"])) for row in rows]
    previous_low, previous_high = bootstrap_mean(wins_previous, n_resamples=n_bootstrap)
    figures = {
        "n_prompts": len(rows),
        "win_rate": fmean(wins),
        "win_rate_low": low,
        "win_rate_high": high,
        "win_rate_previous": fmean(wins_previous),
        "win_rate_previous_low": previous_low,
        "win_rate_previous_high": previous_high,
        "kl_nats": fmean(answer["log_ratio"] for row in rows for answer in row["policy"]),
        "sft_kl_nats": 0.0,
        **_describe(row["policy"] for row in rows),
        **{f"sft_{name}": value for name, value in _describe(row["sft"] for row in rows).items()},
    }
    return figures | _best_of_n(rows) | _oracle(rows)


def win_share(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return how often ours beat theirs over all pairs of answers to one prompt, a tie counting half."""
    wins = sum((a > b) + 0.5 * (a == b) for a in ours for b in theirs)
    return wins / (len(ours) * len(theirs))


def _describe(answers_by_prompt: Iterable[Answers]) -> dict[str, float]:
    prompts = list(answers_by_prompt)
    every = [answer for answers in prompts for answer in answers]
    return {
        "score": fmean(_scores(every)),
        "mean_tokens": fmean(answer["n_tokens"] for answer in every),
        "cut_share": fmean(bool(answer["cut"]) for answer in every),
        "distinct_share": fmean(len({answer["text"] for answer in answers}) / len(answers) for answers in prompts),
        "well_formed_share": fmean(well_formed(answer["text"], cut=answer["cut"]) for answer in every),
    }


def _best_of_n(rows: Sequence[Row]) -> dict[str, float]:
    """Return the win rate of the SFT answer with the highest reward against one more plain SFT answer."""
    if "plain" not in rows[0]:
        return {}
    best = [max(row["sft"], key=lambda answer: answer["reward"])["score"] for row in rows]
    wins = [win_share([score], [row["plain"]["score"]]) for score, row in zip(best, rows, strict=True)]
    return {f"best_of_{len(rows[0]['sft'])}": fmean(wins)}


def _oracle(rows: Sequence[Row]) -> dict[str, float]:
    """Return the policy's gain in score over the gain of best-of-n by the judge itself, on the rows that have it.

    The SFT answers of the row are part of the n, so that n - samples_per_prompt further ones are drawn.
    """
    chosen = [row for row in rows if row.get("oracle")]
    if not chosen:
        return {}
    plain = fmean(score for row in chosen for score in _scores(row["sft"]))
    policy = fmean(score for row in chosen for score in _scores(row["policy"]))
    best = fmean(max(_scores(row["sft"]) + _scores(row["oracle"])) for row in chosen)
    figures = {"oracle_n_prompts": len(chosen), "oracle_n": len(chosen[0]["sft"]) + len(chosen[0]["oracle"])}
    return figures | ({"oracle_share": (policy - plain) / (best - plain)} if best > plain else {})


def _scores(answers: Answers) -> list[float]:
    return [answer["score"] for answer in answers]
