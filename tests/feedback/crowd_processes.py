"""A crowd as processes: each claims, prefetches and judges until nothing is left; some are killed anywhere, some sleep.

Run as `python -m tests.feedback.crowd_processes DATABASE PROJECT FOLDER SEED N_KILLED USERNAME...`. Every person writes
the ids of the judgments that they were told are stored to FOLDER/USERNAME.told. Each is a process of its own, forked
from this one, which never talks to the database. A killed person comes back at once, but for the first two: they never
do.
"""

import datetime as dt
import os
import random
import signal
import sys
import time
from pathlib import Path

import django
from django.conf import settings

LEASE_S = 1.5
"""Real leases last a minute and more; here they run out while the test runs."""
GONE = 2


def main(database: str, project_id: str, folder: str, seed: str, n_killed: str, *usernames: str) -> None:
    settings.DATABASES["default"]["NAME"] = database
    django.setup()
    chance = random.Random(seed)

    def start(username: str) -> int:
        life = chance.random()
        pid = os.fork()
        if pid:
            return pid
        try:
            work(username, project_id, Path(folder) / f"{username}.told", random.Random(life))
        except BaseException as error:  # noqa: BLE001 - a fork must never go on as its parent
            sys.stderr.write(f"{username}: {error!r}\n")
            os._exit(1)
        os._exit(0)

    people = {start(username): username for username in usernames}
    left = int(n_killed)
    while people:
        time.sleep(chance.uniform(0.02, 0.2))
        for pid in list(people):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                assert status == 0, f"{people[pid]} failed"
                del people[pid]
        if left and people and len(list(Path(folder).glob("*.told"))) == len(usernames):
            pid = chance.choice(list(people))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            username = people.pop(pid)
            left -= 1
            if int(n_killed) - left > GONE:
                people[start(username)] = username


def work(username: str, project_id: str, told: Path, chance: random.Random) -> None:
    from feedback.models import Assignment, Batch, Project, User  # noqa: PLC0415 - Django is set up by main
    from feedback.selectors.batch import batch_progress  # noqa: PLC0415
    from feedback.services.assignment import assignment_claim, assignment_prefetch  # noqa: PLC0415

    project = Project.objects.get(pk=project_id)
    batch = Batch.objects.get(project=project)
    annotator = User.objects.get(username=username)
    with told.open("a") as file:
        while True:
            assignment = assignment_claim(project=project, annotator=annotator, show=True)
            if assignment is None:
                progress = batch_progress(batch=batch)
                if progress.n_judgments >= progress.n_wanted:
                    return
                time.sleep(0.2)  # somebody else holds the rest, or was killed and holds it until the lease runs out
                continue
            until = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=LEASE_S)
            Assignment.objects.filter(pk=assignment.pk, lease_expires_at__gt=until).update(lease_expires_at=until)
            if chance.random() < 0.3:
                assignment_prefetch(project=project, annotator=annotator)
            if chance.random() < 0.02:
                time.sleep(LEASE_S * chance.uniform(0.9, 1.2))  # others may take the slot meanwhile
            judge(assignment, file, chance)


def judge(assignment, file, chance: random.Random) -> None:
    from feedback.domain.verdict import Verdict  # noqa: PLC0415
    from feedback.services.judgment import judgment_submit  # noqa: PLC0415

    ranks = chance.choice([(1, 2), (2, 1), (1, 1)])
    for _ in range(2 if chance.random() < 0.1 else 1):
        submitted = judgment_submit(
            assignment_id=assignment.pk,
            annotator=assignment.annotator,
            verdict=Verdict(ranks=ranks),
            client_key=f"key-{assignment.pk}",
        )
        file.write(f"{submitted.judgment.pk}\n")
        file.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
