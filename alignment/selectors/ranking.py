"""What people have ranked and a launch could train on, counted without reading any text."""

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

from feedback.domain.split import half_of
from feedback.models import Project, Snapshot
from feedback.selectors.judgment import judgments_counted

REWARD_HALF, JUDGE_HALF = "a", "b"
"""Where a second reward model judges, each learns from the rankings of one half of the prompts."""


@dataclasses.dataclass(frozen=True)
class Usable:
    """What one reward model could learn from: pairs with a winner, and the prompts that have any."""

    n_pairs: int
    n_prompts: int


def rankings_usable(
    *, project: Project, until_judgment_id: int, not_in: Sequence[Snapshot], halves: bool
) -> dict[str, Usable]:
    """Count the rankings that stand and that no snapshot of `not_in` holds: by half, or all under an empty name."""
    left_out = {judgment_id for snapshot in not_in for judgment_id in snapshot.judgment_ids}
    ranked = judgments_counted(project=project).filter(n_pairs__gt=0, pk__lte=until_judgment_id)
    pairs: dict[str, dict[int, int]] = {
        half: defaultdict(int) for half in ((REWARD_HALF, JUDGE_HALF) if halves else ("",))
    }
    rows = ranked.values_list("pk", "n_pairs", "task__prompt", "task__prompt__group")
    for judgment_id, n_pairs, prompt_id, group in rows.iterator(chunk_size=2_000):
        if judgment_id not in left_out:
            pairs[half_of(group) if halves else ""][prompt_id] += n_pairs
    return {half: Usable(sum(by_prompt.values()), len(by_prompt)) for half, by_prompt in pairs.items()}
