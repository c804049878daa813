"""A project with many open tasks and annotators with keys, made through the services; prints one JSON object.

Runs inside a site's environment (`claim_latency` starts it): the answers are invented, only their number matters.
"""

import argparse
import io
import json

import django

django.setup()

from django.conf import settings  # noqa: E402 - Django must be set up first
from django.test import Client  # noqa: E402

from feedback.domain.states import Role, UserKind  # noqa: E402
from feedback.models import Prompt, User  # noqa: E402
from feedback.services.batch import batch_create, batch_open  # noqa: E402
from feedback.services.person import member_add, token_create, user_create  # noqa: E402
from feedback.services.project import project_create  # noqa: E402
from feedback.services.prompt import prompts_import  # noqa: E402
from feedback.services.response import responses_add  # noqa: E402
from feedback.services.source import source_get_or_create  # noqa: E402

N_ANSWERS = 4


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, required=True)
    parser.add_argument("--annotators", type=int, required=True)
    parser.add_argument("--sessions", action="store_true", help="sign the annotators in, too: [cookie, value] of each")
    options = parser.parse_args()

    owner = user_create(username="bench-owner", kind=UserKind.SIMULATED, is_staff=True)
    project = project_create(name="Claims", created_by=owner, overlap=1, prompts_per_batch=options.tasks)
    rows = [{"prompt": f"Question {i}?", "split": "ranked"} for i in range(options.tasks)]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    prompts_import(project=project, file=io.BytesIO(lines.encode()), filename="bench.jsonl", by=owner)
    source = source_get_or_create(project=project, key="bench", name="bench")
    batch = batch_create(project=project, plan=[(source.pk, N_ANSWERS)], n_prompts=options.tasks, seed=0)
    responses_add(
        batch=batch,
        rows=[
            (pk, source.pk, n, f"Answer {n} to question {pk}. " + "It is about as long as an answer. " * 5, "stop", {})
            for pk in Prompt.objects.filter(project=project).values_list("pk", flat=True)
            for n in range(N_ANSWERS)
        ],
    )
    batch_open(batch=batch)
    keys, sessions = [], []
    for number in range(options.annotators):
        annotator = user_create(username=f"bench-{number}", kind=UserKind.SIMULATED)
        member_add(project=project, user=annotator, role=Role.ANNOTATOR, by=owner)
        keys.append(token_create(user=annotator, name="bench")[1])
        if options.sessions:
            sessions.append([settings.SESSION_COOKIE_NAME, session_of(annotator)])
    print(json.dumps({"project": project.pk, "keys": keys, "sessions": sessions}))


def session_of(user: User) -> str:
    """Sign somebody in without a form."""
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[-1])
    return client.cookies[settings.SESSION_COOKIE_NAME].value


if __name__ == "__main__":
    main()
