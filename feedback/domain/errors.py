"""What the labeling app refuses. Every message is shown to the person who asked and says what to do."""
# ruff: noqa: N818 - they read as what happened, and callers catch FeedbackError

from django.utils.translation import gettext as _


class FeedbackError(Exception):
    """Something a person asked for that cannot be done as asked; nothing was changed."""

    code = "refused"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Invalid(FeedbackError):
    """A value is missing, of another kind, or out of range."""

    code = "invalid"


class RankError(Invalid):
    """Ranks that are no ranking of the shown answers."""

    code = "bad_ranks"


class UploadRefused(Invalid):
    """A file that is refused whole, with the line where it went wrong, if there is one."""

    code = "upload_refused"

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason if line is None else _("Line %(line)d: %(reason)s") % {"line": line, "reason": reason})
        self.line = line
        self.reason = reason


class UploadTooLarge(UploadRefused):
    code = "upload_too_large"


class NotAllowed(FeedbackError):
    """This person may not do this."""

    code = "not_allowed"


class Halted(FeedbackError):
    """This person gets no task now: paused, held back, not qualified, excluded, or done for today."""

    code = "halted"


class Conflict(FeedbackError):
    """It would contradict what is stored by now; looking again helps."""

    code = "conflict"


class LeaseLost(Conflict):
    """The assignment was given back; its task may be with somebody else."""

    code = "lease_lost"
