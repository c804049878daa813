"""Every state of rounds, runs and deployments, and the one table of what may follow what."""

import enum
from collections.abc import Mapping

from django.db.models import TextChoices


class RoundState(TextChoices):
    BUILDING = "building", "Building the base"
    """Round 0 only: corpus, tokenizer, pretraining and SFT, or the import of an existing model."""
    SAMPLING = "sampling", "Sampling answers"
    """The deployed policies answer the round's prompts."""
    LABELING = "labeling", "Labeling"
    """People rank; nothing is launched yet."""
    SNAPSHOT = "snapshot", "Freezing the rankings"
    """Launched: the batch is closed, and what was ranked until then is pinned."""
    REWARD = "reward", "Training the reward model"
    POLICY = "policy", "Training the policy"
    EVALUATION = "evaluation", "Evaluating"
    GATE = "gate", "Waiting for a decision"
    """Everything is computed; an admin deploys or rejects."""
    DEPLOYED = "deployed", "Deployed"
    REJECTED = "rejected", "Rejected"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class RunState(TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class VersionKind(TextChoices):
    BASE = "base", "Base"
    """Pretrained, not yet tuned to answer."""
    SFT = "sft", "SFT policy"
    """The merged, frozen base under every later adapter; the policy of round 0."""
    REWARD = "reward", "Reward model"
    JUDGE = "judge", "Judge"
    """A reward model trained on other prompts than the one that is optimised against."""
    POLICY = "policy", "Policy"


class DeploymentState(TextChoices):
    LOADING = "loading", "Loading"
    LIVE = "live", "Live"
    RETIRED = "retired", "Retired"
    FAILED = "failed", "Failed"


FINAL_ROUND_STATES = frozenset(
    {RoundState.DEPLOYED, RoundState.REJECTED, RoundState.FAILED, RoundState.CANCELLED},
)
FINAL_RUN_STATES = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED})

_ENDED_EARLY = {RoundState.FAILED, RoundState.CANCELLED}

LEGAL: Mapping[enum.Enum, frozenset[enum.Enum]] = {
    RoundState.BUILDING: frozenset({RoundState.DEPLOYED, *_ENDED_EARLY}),
    RoundState.SAMPLING: frozenset({RoundState.LABELING, *_ENDED_EARLY}),
    RoundState.LABELING: frozenset({RoundState.SNAPSHOT, *_ENDED_EARLY}),
    RoundState.SNAPSHOT: frozenset({RoundState.REWARD, *_ENDED_EARLY}),
    RoundState.REWARD: frozenset({RoundState.POLICY, *_ENDED_EARLY}),
    RoundState.POLICY: frozenset({RoundState.EVALUATION, *_ENDED_EARLY}),
    RoundState.EVALUATION: frozenset({RoundState.GATE, *_ENDED_EARLY}),
    RoundState.GATE: frozenset({RoundState.DEPLOYED, RoundState.REJECTED, *_ENDED_EARLY}),
    RoundState.DEPLOYED: frozenset(),
    RoundState.REJECTED: frozenset(),
    RoundState.FAILED: frozenset(),
    RoundState.CANCELLED: frozenset(),
    RunState.QUEUED: frozenset({RunState.RUNNING, RunState.CANCELLED, RunState.FAILED}),
    RunState.RUNNING: frozenset({RunState.QUEUED, RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED}),
    RunState.SUCCEEDED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.CANCELLED: frozenset(),
    DeploymentState.LOADING: frozenset({DeploymentState.LIVE, DeploymentState.FAILED}),
    DeploymentState.LIVE: frozenset({DeploymentState.RETIRED}),
    DeploymentState.RETIRED: frozenset(),
    DeploymentState.FAILED: frozenset(),
}
