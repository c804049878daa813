"""Compute an evaluation's figures again from its `eval.jsonl`: `python -m modeling.evaluation.recompute eval.jsonl`.

Knows no model: what it prints follows from the answers and scores in the file, which anybody may read and judge anew.
"""

import json
import sys
from pathlib import Path

from modeling.evaluation.figures import evaluation_figures

N_BOOTSTRAP = 2_000
"""As `EvaluateSpec.n_bootstrap`; give another number as the second argument."""


def main(arguments: list[str]) -> int:
    """Print the figures as one JSON object."""
    if len(arguments) not in (1, 2):
        sys.stderr.write("Usage: python -m modeling.evaluation.recompute EVAL_JSONL [N_BOOTSTRAP]\n")
        return 2
    lines = Path(arguments[0]).read_text(encoding="utf-8").splitlines()
    n_bootstrap = int(arguments[1]) if len(arguments) == 2 else N_BOOTSTRAP
    figures = evaluation_figures([json.loads(line) for line in lines], n_bootstrap=n_bootstrap)
    sys.stdout.write(json.dumps(figures, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
