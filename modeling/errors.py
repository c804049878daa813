"""Every way a stage may end on purpose. Anything else that is raised is a bug and leaves a traceback."""

from typing import ClassVar

from modeling.spec import ExitCode


class ModelingError(Exception):
    """Base of the errors whose message is written for the person who asked for the run."""

    exit_code: ClassVar[ExitCode] = ExitCode.CRASHED


class BadInput(ModelingError):  # noqa: N818 - the end of a run, named as people speak of it
    """The specification or its data cannot be used: the message says where and what to do."""

    exit_code = ExitCode.BAD_INPUT


class Refused(ModelingError):  # noqa: N818 - the end of a run, named as people speak of it
    """Training ended, but its result must not be used: it diverged or collapsed."""

    exit_code = ExitCode.REFUSED


class Stopped(ModelingError):  # noqa: N818 - the end of a run, named as people speak of it
    """The run was asked to stop and has written a checkpoint."""

    exit_code = ExitCode.STOPPED
