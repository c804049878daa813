import os
import subprocess

import pytest

from alignment.runs.launcher import _let_others_first


@pytest.fixture
def sleeper():
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_training_is_nicer_than_the_site_that_starts_it_however_nice_that_is(sleeper):
    start = min(19, os.getpriority(os.PRIO_PROCESS, sleeper.pid) + 12)
    os.setpriority(os.PRIO_PROCESS, sleeper.pid, start)
    _let_others_first(sleeper.pid, 4)
    assert os.getpriority(os.PRIO_PROCESS, sleeper.pid) == min(19, start + 4)
    _let_others_first(sleeper.pid, 10)
    assert os.getpriority(os.PRIO_PROCESS, sleeper.pid) == 19
