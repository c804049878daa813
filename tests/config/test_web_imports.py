"""A web process stays small and quick: nothing it can reach loads the training stack."""

import os
import subprocess
import sys

import pytest

from config.environment import BASE_DIR

HEAVY = ["torch", "transformers", "trl", "peft", "pandas", "sklearn", "datasets", "accelerate"]
COMPUTES = {"pandas"}
"""What workers may load beside: the figures of a quality report are computed with it."""

WEB_PROCESS = f"""
import sys
import config.wsgi
from django.urls import get_resolver

def walk(resolver):
    for entry in resolver.url_patterns:
        if hasattr(entry, "url_patterns"):
            walk(entry)

walk(get_resolver())
print(",".join(name for name in {HEAVY!r} if name in sys.modules))
"""
WORKER_PROCESS = f"""
import sys
import django
django.setup()
from config.celery import app
app.loader.import_default_modules()
assert "alignment.run_execute" in app.tasks, sorted(app.tasks)
print(",".join(name for name in {HEAVY!r} if name in sys.modules and name not in {COMPUTES!r}))
"""


@pytest.mark.parametrize("program", [WEB_PROCESS, WORKER_PROCESS], ids=["web", "worker"])
def test_a_process_that_serves_never_loads_the_training_stack(program, tmp_path):
    environment = {**os.environ, "PLUMBLINE_HOME": str(tmp_path), "SECRET_KEY": "4c1f0b7e2d9a6853a17c-for-one-test"}
    environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, cwd=BASE_DIR, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
