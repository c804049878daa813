"""One annotator as a process: claims, prefetches and judges until nothing is left, sometimes late, sometimes twice.

Run as `python -m tests.feedback.annotator_process DATABASE USERNAME PROJECT SEED`; prints the ids of the judgments that
it was told are stored.
"""

import datetime as dt
import random
import sys
import time

import django
from django.conf import settings


def main(database: str, username: str, project_id: str, seed: str) -> None:
    settings.DATABASES["default"]["NAME"] = database
    django.setup()
    from feedback.domain.states import AssignmentState  # noqa: PLC0415 - Django is set up just above
    from feedback.models import Assignment, Project, User  # noqa: PLC0415
    from feedback.services.assignment import assignment_claim, assignment_prefetch, assignment_show  # noqa: PLC0415

    chance = random.Random(seed)
    project = Project.objects.get(pk=project_id)
    annotator = User.objects.get(username=username)
    held = Assignment.objects.filter(task__project=project, state=AssignmentState.HELD)
    while True:
        is_quiet = not held.exists()
        assignment = assignment_claim(project=project, annotator=annotator)
        if assignment is None:
            if is_quiet:
                return
            time.sleep(0.05)  # somebody else holds the rest, or was killed and holds it until the lease runs out
            continue
        assignment_show(assignment=assignment)
        if chance.random() < 0.5:
            assignment_prefetch(project=project, annotator=annotator)
        judge(assignment, chance)


def judge(assignment, chance: random.Random) -> None:
    from django.utils import timezone  # noqa: PLC0415

    from feedback.domain.verdict import Verdict  # noqa: PLC0415
    from feedback.models import Assignment  # noqa: PLC0415
    from feedback.services.assignment import assignments_expire  # noqa: PLC0415
    from feedback.services.judgment import judgment_submit  # noqa: PLC0415

    if chance.random() < 0.1:  # asleep until after the lease; another may take the slot meanwhile
        Assignment.objects.filter(pk=assignment.pk).update(lease_expires_at=timezone.now() - dt.timedelta(seconds=1))
        assignments_expire(project=assignment.task.project)
        time.sleep(chance.random() * 0.2)
    ranks = chance.choice([(1, 2), (2, 1), (1, 1)])
    for _ in range(2 if chance.random() < 0.1 else 1):
        submitted = judgment_submit(
            assignment_id=assignment.pk,
            annotator=assignment.annotator,
            verdict=Verdict(ranks=ranks),
            client_key=f"key-{assignment.pk}",
        )
        print(submitted.judgment.pk, flush=True)  # noqa: T201 - what the test reads


if __name__ == "__main__":
    main(*sys.argv[1:])
