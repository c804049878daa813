"""Questions whose answers can be checked: how many the policy and SFT get right, greedy and at temperature 1."""

import random
from collections.abc import Iterator

from modeling.data.chat import encode_prompt
from modeling.data.checkable import is_right
from modeling.data.questions import read_questions
from modeling.errors import BadInput
from modeling.evaluation.models import Models
from modeling.evaluation.parts import POLICY, Part, Row, parts_cut
from modeling.evaluation.sides import Sides
from modeling.sampling.sampler import OnProgress
from modeling.spec import EvaluateSpec


class Examination:
    """A row for each question that leaves room for an answer; no rows where there are no questions."""

    def __init__(self, spec: EvaluateSpec, models: Models) -> None:
        questions = [question for file in spec.questions for question in read_questions(file)]
        if spec.questions and not questions:
            raise BadInput(f"{spec.questions[0].path} holds no questions.")
        random.Random(f"evaluate-{spec.seed}-questions").shuffle(questions)  # noqa: S311 - a seeded shuffle
        chosen = questions[: spec.n_questions]
        encoded = [(item, tuple(encode_prompt(models.tokenizer, item.messages))) for item in chosen]
        fitting = [(item, ids) for item, ids in encoded if len(ids) + spec.question_tokens <= models.context]
        if chosen and not fitting:
            raise BadInput(
                f"No question leaves room for {spec.question_tokens} tokens of answer in a context of "
                f"{models.context}: lower question_tokens or use a base with a longer context."
            )
        self.n_skipped = len(chosen) - len(fitting)
        self.sides = Sides(
            models.sampler, [ids for _, ids in fitting], max_new_tokens=spec.question_tokens,
            seed=f"questions-{spec.seed}",
        )  # fmt: skip
        self.rows: list[Row] = [
            {"kind": "question", "messages": list(item.messages), "expected": item.expected} for item, _ in fitting
        ]
        self.parts = list(_parts(spec, len(fitting)))

    def measure(self, part: Part, on_progress: OnProgress) -> None:
        """Sample the part's answers and check them."""
        answers = self.sides.sample(part, on_progress)
        right = [
            is_right(text, self.rows[position]["expected"])
            for text, position in zip(answers.texts, answers.positions, strict=True)
        ]
        for position, records in zip(part.prompts, answers.records(right=right), strict=True):
            self.rows[position][part.side] = records


def _parts(spec: EvaluateSpec, n_questions: int) -> Iterator[Part]:
    for side, adapter in ((POLICY, POLICY), ("sft", None)):
        for name, per_prompt, temperature in ((side, spec.samples_per_prompt, 1.0), (f"{side}_greedy", 1, 0.0)):
            yield from parts_cut(
                name, adapter, per_prompt=per_prompt, n_prompts=n_questions, max_new_tokens=spec.question_tokens,
                temperature=temperature,
            )  # fmt: skip
