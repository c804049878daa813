"""A worker that is killed in the middle of a report: a real process, a real kill, the real database."""

import datetime as dt
import os
import subprocess
import sys

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from feedback.domain.states import QualityState
from feedback.models import Consensus, QualityReport
from feedback.services.quality import quality_ask, quality_refresh
from feedback.services.quality_computing import quality_compute
from tests.feedback.factories import JudgmentFactory, TaskFactory

WORKER = """
import sys, time
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
import django
django.setup()
from feedback.services import quality_computing
def never(**given):
    print("computing", flush=True)
    time.sleep(300)
quality_computing.statistics.quality_compute = never
quality_computing.quality_compute(report_id=int(sys.argv[2]))
"""


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_report_whose_worker_is_killed_is_computed_once_by_the_next_one():
    task = TaskFactory()
    for _ in range(3):
        JudgmentFactory(assignment__task=task)
    report = quality_ask(project=task.project)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(connection.settings_dict["NAME"]), str(report.pk)],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings", "PLUMBLINE_HOME": str(settings.HOME)},
        stdout=subprocess.PIPE,
    )
    try:
        assert worker.stdout.readline() == b"computing\n"
    finally:
        worker.kill()
        worker.wait()

    report.refresh_from_db()
    assert report.state == QualityState.COMPUTING
    quality_refresh()
    quality_compute(report_id=report.pk)  # the worker may still live, as far as anybody knows
    report.refresh_from_db()
    assert report.state == QualityState.COMPUTING

    QualityReport.objects.update(started_at=timezone.now() - dt.timedelta(hours=1))
    quality_refresh()
    quality_compute(report_id=report.pk)

    report.refresh_from_db()
    assert report.state == QualityState.COMPUTED
    assert Consensus.objects.get().report == report
