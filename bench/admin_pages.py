"""How long the pages of an admin take in a campaign of a million tasks; a table, and one JSON object in the last line.

Makes a private PostgreSQL (fsync on) and fills it with `bench.labeling_rows`, or takes a database that
`bench.labeling_data` has filled. Whole requests in one process, templates and all, the slowest of several each.

    python -m bench.admin_pages --tasks 1000000
    python -m bench.admin_pages --database postgresql://... --project 1
"""

import argparse
import contextlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator

import django

REPEATS = 5
PAGES = {
    "project": "",
    "tasks": "tasks/",
    "tasks, in the middle": "tasks/?below={middle}",
    "task number": "tasks/?number={middle}",
    "prompt number": "tasks/?prompt={middle}",
    "a rare word": "tasks/?words={middle}",
    "a frequent word": "tasks/?words=spring",
    "frequent words that never meet": "tasks/?words=spring+rainy",
    "a word that nobody wrote": "tasks/?words=zeppelin",
    "a tag that nobody gave": "tasks/?tag=zeppelin",
    "open": "tasks/?state=open",
    "held": "tasks/?state=held",
    "finished": "tasks/?state=finished",
    "more judgments asked for": "tasks/?state=disagreeing",
    "with the adjudicators": "tasks/?state=adjudication",
    "finished, of a rare word": "tasks/?state=finished&words={middle}",
    "a purpose that no task has": "tasks/?purpose=live",
    "batch": "tasks/?batch=1",
    "batch, held, frequent word": "tasks/?batch=1&state=held&words=spring",
    "history of a task": "tasks/{middle}/",
    "prompts": "prompts/",
    "prompts of a frequent word": "prompts/?words=spring",
    "prompts of a rare word": "prompts/?words={middle}",
    "prompts held out": "prompts/?split=heldout",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=1_000_000)
    parser.add_argument("--database", help="URL of one that is filled already")
    parser.add_argument("--project", type=int, default=1, help="in that database")
    options = parser.parse_args()
    os.environ.setdefault("SECRET_KEY", "bench-only-4c1f0b7e2d9a6853a17c")
    os.environ.setdefault("PLUMBLINE_HOME", tempfile.mkdtemp(prefix="plumbline-bench-"))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    with database(options) as project:
        times = {name: measured(project, path) for name, path in PAGES.items()}
    for name, (median_ms, slowest_ms) in times.items():
        print(f"{name:34} {median_ms:7.1f} {slowest_ms:7.1f} ms")
    pages = {name: {"median_ms": median, "slowest_ms": slowest} for name, (median, slowest) in times.items()}
    print(json.dumps({"n_tasks": options.tasks, "repeats": REPEATS, "pages": pages}))


@contextlib.contextmanager
def database(options: argparse.Namespace) -> Iterator[int]:
    """Yield the id of the project to look at, with Django set up for its database."""
    if options.database:
        os.environ["DATABASE_URL"] = options.database
        django.setup()
        yield options.project
        return
    from tests.private_postgres import private_postgres  # noqa: PLC0415 - only a bench without a database needs it

    with private_postgres(fsync="on") as url:
        os.environ["DATABASE_URL"] = url
        django.setup()
        from bench.labeling_rows import fill  # noqa: PLC0415 - needs Django

        yield fill(options.tasks)["project"]


def measured(project: int, path: str) -> tuple[float, float]:
    """Return the median and the slowest time of a page in ms, after one request that warms it up."""
    from django.test import Client  # noqa: PLC0415 - needs Django

    from feedback.models import Project, Task  # noqa: PLC0415 - needs Django

    client = Client()
    client.force_login(Project.objects.get(pk=project).created_by)
    tasks = Task.objects.filter(project=project)
    first, last = tasks.earliest("pk").pk, tasks.latest("pk").pk
    url = f"/projects/{project}/{path.format(middle=(first + last) // 2)}"
    times = []
    for _ in range(REPEATS + 1):
        begun = time.perf_counter()
        response = client.get(url)
        times.append(1_000 * (time.perf_counter() - begun))
        assert response.status_code == 200, (url, response.status_code)
    return round(statistics.median(times[1:]), 1), round(max(times[1:]), 1)


if __name__ == "__main__":
    main()
