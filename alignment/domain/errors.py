"""Every way a request to this app may be turned down; the messages are shown to the person who asked.

They are refusals like those of feedback, so that pages and API answer both alike.
"""

from feedback.domain.errors import FeedbackError


class AlignmentError(FeedbackError):
    """Base of the errors whose message says what is wrong and what to do."""

    code = "alignment_error"


class RecipeError(AlignmentError):
    """A recipe that cannot be run: an unknown field or a value out of range."""

    code = "bad_recipe"


class RoundRefused(AlignmentError):  # noqa: N818 - what happens to the round, as people speak of it
    """The round cannot take this step now; nothing was changed."""

    code = "round_refused"


class RunRefused(AlignmentError):  # noqa: N818 - what happens to the run, as people speak of it
    """The run cannot take this step now; nothing was changed."""

    code = "run_refused"


class DeploymentRefused(AlignmentError):  # noqa: N818 - what happens to the deployment, as people speak of it
    """The version cannot be deployed; the pointer stays where it is."""

    code = "deployment_refused"


class EndpointDown(AlignmentError):  # noqa: N818 - the state of the endpoint
    """The policy endpoint cannot be reached or is not ready: worth trying again."""

    code = "endpoint_down"


class EndpointRefused(AlignmentError):  # noqa: N818 - what the endpoint did
    """The policy endpoint understood and said no: trying again ends the same way."""

    code = "endpoint_refused"


class PromptRefused(EndpointRefused):
    """The endpoint cannot answer this one prompt, most often because it is too long; others may be answered."""

    code = "prompt_refused"
