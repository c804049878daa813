"""What a dataset is, in words that lie beside its files. The same dataset gives the same text."""

import datetime as dt
from collections.abc import Mapping

_COLUMNS = """\
- `prompt`, `chosen`, `rejected`: trl's conversational preference format. Ties are in files of their own, with one
  more column, `tie`, which is true; which answer stands as chosen there means nothing. Pairs by ratings are in further
  files, with `tie` and `dimension`, the scale that they were rated on.
- `task`, `prompt_id`, `protocol`: numbers of the task, its prompt and the version of the guidelines.
- `annotator`: a pseudonym of this project.
- `chosen_source`, `rejected_source`: what gave the answers; several that gave the same text are joined by a plus.
- `chosen_cut`, `rejected_cut`: whether the answer was cut at the length limit.
- `chosen_first`: whether the annotator was shown chosen before rejected. Null for improved answers.
- `strength`: how much better, from 1 to 3, where that was asked. `edited`: chosen is an improved version of rejected.
- `consensus`: whether all judgments of the task together, each weighed by its annotator's reliability, put chosen
  before rejected. Null where it ties them, and for ties and improved answers.
- `confidence`: how surely that consensus is known, from 0.5 to 1.
- `reliability`: the annotator's probability of getting two answers right; 0.5 is a coin.
- `weight`: of the annotator's judgments in the consensus: 0 for a spammer, 1 for a typical annotator.
"""


def datasheet(
    *, project: str, counts: Mapping[str, int], report_id: int | None, computed_at: dt.datetime | None
) -> str:
    """Return a dataset's description in Markdown: what is in it, its columns, and which report speaks of its people."""
    figures = ", ".join(f"{n} {name}" for name, n in counts.items())
    if report_id is None or computed_at is None:
        source = "No quality report had been computed when this was written, so the last four columns are null."
    else:
        source = f"The last four columns are of quality report {report_id}, computed {computed_at.isoformat()}."
    return f"# Preferences of {project}\n\n{figures}.\n\n## Columns\n\n{_COLUMNS}\n{source}\n"
