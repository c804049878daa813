"""Every state of rounds, runs and deployments, and the one table of what may follow what."""

import enum
from collections.abc import Mapping

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class RoundState(TextChoices):
    BUILDING = "building", _("Building the base")
    """Round 0 only: corpus, tokenizer, pretraining and SFT, or the import of an existing model."""
    SAMPLING = "sampling", _("Sampling answers")
    """The deployed policies answer the round's prompts."""
    LABELING = "labeling", _("Labeling")
    """People rank; nothing is launched yet."""
    SNAPSHOT = "snapshot", _("Freezing the rankings")
    """Launched: the batch is closed, and what was ranked until then is pinned."""
    REWARD = "reward", _("Training the reward model")
    POLICY = "policy", _("Training the policy")
    EVALUATION = "evaluation", _("Evaluating")
    GATE = "gate", _("Waiting for a decision")
    """Everything is computed; an admin deploys or rejects."""
    DEPLOYED = "deployed", _("Deployed")
    REJECTED = "rejected", _("Rejected")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class RunState(TextChoices):
    QUEUED = "queued", _("Queued")
    RUNNING = "running", _("Running")
    SUCCEEDED = "succeeded", _("Succeeded")
    FAILED = "failed", _("Failed")
    CANCELLED = "cancelled", _("Cancelled")


class VersionKind(TextChoices):
    BASE = "base", _("Base")
    """Pretrained, not yet tuned to answer."""
    SFT = "sft", _("SFT policy")
    """The merged, frozen base under every later adapter; the policy of round 0."""
    REWARD = "reward", _("Reward model")
    JUDGE = "judge", _("Judge")
    """A reward model trained on other prompts than the one that is optimised against."""
    POLICY = "policy", _("Policy")


class DeploymentState(TextChoices):
    LOADING = "loading", _("Loading")
    LIVE = "live", _("Live")
    RETIRED = "retired", _("Retired")
    FAILED = "failed", _("Failed")


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
