"""Settings of a worker process that a test starts: the test's home and database, the fake stages, a quick heart."""

import os
import sys

from tests.settings import *  # noqa: F403

MODELING_COMMAND = [sys.executable, os.environ["FAKE_MODELING"]]
RUN_HEARTBEAT_S = 0.2
RUN_STOP_GRACE_S = 5.0
ANSWER_PATIENCE_S = 3.0
DATABASES["default"]["NAME"] = os.environ["TEST_DATABASE"]  # noqa: F405
