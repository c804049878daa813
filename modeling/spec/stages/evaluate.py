"""The specification of stage `evaluate`."""

import dataclasses

from modeling.spec.base import FileRef, Spec, require


@dataclasses.dataclass(frozen=True, kw_only=True)
class EvaluateSpec(Spec):
    """Compare a policy with the SFT base and the last deployed policy, at equal decoding, by a named judge."""

    stage = "evaluate"

    base: str
    policy: str
    """The policy's adapter."""
    previous: str = ""
    """The last deployed policy's adapter; empty when that is the SFT base itself."""
    reward: str = ""
    """The reward model that was optimised against: for best-of-n, and for how often it alone prefers the policy."""
    gold: str = ""
    """The judge as `module:function` of (prompt text, answer text); wins over `judge`."""
    judge: str = ""
    """The judge as a reward adapter trained on other prompts than `reward`."""
    prompts: FileRef
    n_prompts: int = 1_000
    samples_per_prompt: int = 4
    max_new_tokens: int = 64
    n_bootstrap: int = 2_000
    oracle_n: int = 16
    """With a gold judge, `oracle_share` compares with the best of this many SFT answers by gold."""
    n_oracle_prompts: int = 250
    snapshots: str = ""
    """The folder of snapshots that an online stage kept, for the over-optimisation curve."""
    n_snapshot_prompts: int = 100
    """The first of the held-out prompts; every snapshot answers each once."""
    texts: tuple[FileRef, ...] = ()
    """Held-out texts or dialogues, .txt or .jsonl, whose likelihood shows what the policy has forgotten."""
    n_texts: int = 200
    """Pieces of up to 256 tokens from the end of each file, where pretraining holds out."""
    questions: tuple[FileRef, ...] = ()
    """Questions with an `answer` that ends in a number: {"question", "answer"} or prompts with an `answer`."""
    n_questions: int = 200
    question_tokens: int = 256
    """Length limit of an answer to a question."""
    checkpoint_every_s: float = 15.0

    def validate(self) -> None:
        require(bool(self.gold) or bool(self.judge), "name a judge: a gold function or a held-out reward model.")
        require(self.judge == "" or self.judge != self.reward, "the judge must not be the optimised reward model.")
        require(self.n_prompts >= 1, "n_prompts must be at least 1.")
        require(self.samples_per_prompt >= 1, "samples_per_prompt must be at least 1.")
        require(self.gold == "" or self.gold.count(":") == 1, "gold must be written as module:function.")
        require(self.n_bootstrap >= 100, "n_bootstrap must be at least 100.")
        require(self.oracle_n > self.samples_per_prompt, "oracle_n must be more than samples_per_prompt.")
        require(self.n_oracle_prompts >= 0, "n_oracle_prompts must not be negative.")
        require(self.max_new_tokens >= 1, "max_new_tokens must be at least 1.")
        require(self.snapshots == "" or self.reward != "", "snapshots needs the reward model that they optimised.")
        require(self.n_snapshot_prompts >= 2, "n_snapshot_prompts must be at least 2.")
        require(self.n_texts >= 1, "n_texts must be at least 1.")
        require(self.n_questions >= 1, "n_questions must be at least 1.")
        require(self.question_tokens >= 1, "question_tokens must be at least 1.")
