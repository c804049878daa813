"""The rows of a labeling campaign that has been going on for a month; `bench.labeling_data` says what is in it.

They are made inside the server, since a million tasks come with fifteen million of them: triggers are off meanwhile,
so this needs a superuser, and is for databases that are thrown away. Django is set up before this is imported.
"""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from feedback.domain.states import Role, UserKind
from feedback.models import (
    Assignment,
    Batch,
    Judgment,
    Membership,
    Prompt,
    Response,
    Task,
    TaskItem,
    Transition,
    User,
)
from feedback.services.person import token_create, user_create
from feedback.services.project import project_create
from feedback.services.source import source_get_or_create

N_ANNOTATORS = 16
PAST = 5_000
OVERLAP = 3
N_ANSWERS = 4
LONGEST_STRETCH = 1_000
"""Open tasks in a row that one annotator has judged: a quick person a morning ahead of all others."""

_ASKED = """format('%%s %%s for a visitor who has %%s? Give the reason, and say what you would leave out (%%s).',
    (array['What is worth seeing in the harbour town', 'How do I plan a walk through the old quarter',
           'Which of the three bridges is the oldest', 'Where can one eat well near the lighthouse'])[1 + mod(i, 4)],
    (array['in spring', 'on a rainy day', 'with two children', 'without a car'])[1 + mod(i / 4, 4)],
    (array['one afternoon', 'little money', 'seen the museum already'])[1 + mod(i / 16, 3)], i)"""
_ANSWERED = """format('%%s the %%s first, because it is %%s. After that, take the path along the water for about %%s '
    'minutes; it is flat, well marked and passes the market hall. Leave out the tower when the wind is strong: it '
    'closes without notice, and the view from the hill costs nothing. Tickets are cheaper after four (%%s).',
    (array['Visit', 'I would see', 'Begin with', 'Go to'])[1 + mod(i + sample, 4)],
    (array['fish market', 'old shipyard', 'round church', 'botanical garden'])[1 + mod(i / 3 + sample, 4)],
    (array['quiet before noon', 'the oldest part of town', 'close to the station'])[1 + mod(i / 5 + sample, 3)],
    10 + mod(i * 7 + sample, 50), i * 4 + sample)"""
_RANKS = """(array['[1, 2, 3, 4]', '[1, 2, 4, 3]', '[2, 1, 3, 4]', '[1, 3, 2, 4]', '[1, 2, 3, 4]'])
    [1 + mod(j * 7, 5)]::jsonb"""
_ORDER = """(array['[0, 1, 2, 3]', '[2, 0, 3, 1]', '[3, 1, 0, 2]', '[1, 3, 2, 0]'])[1 + mod(j, 4)]::jsonb"""
_STALE, _EXPIRED = "mod(o, 50) = 7", "mod(o, 50) = 13"
"""Of the open tasks: held under a lease that ran out, and given back after one."""


def fill(n_tasks: int) -> dict[str, Any]:
    """Migrate the database and fill it; return ids, keys and the session of an admin."""
    call_command("migrate", verbosity=0)
    people = _People(n_tasks)
    project = people.project(f"Campaign of {n_tasks:,} tasks")
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        filler = _Filler(cursor, people, project)
        filler.batch(n_tasks, n_finished=people.n_finished, n_started=people.n_started, state="open")
        if people.n_elsewhere:
            elsewhere = people.project(f"What the annotators of {n_tasks:,} tasks did before", sixteen_only=True)
            filler = _Filler(cursor, people, elsewhere, n_people=N_ANNOTATORS)
            n_before = people.n_elsewhere * N_ANNOTATORS // OVERLAP
            filler.batch(n_before, n_finished=n_before, n_started=0, state="closed")
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute("VACUUM (ANALYZE)")  # as autovacuum does while a campaign grows over days
    return people.summary() | {"n_tasks": n_tasks, "project": project.pk}


class _People:
    """The admin, the sixteen, and so many others that nobody judged more than 5,000 tasks."""

    def __init__(self, n_tasks: int) -> None:

        self.n_finished = n_tasks * 7 // 10
        self.n_started = min(n_tasks // 10, LONGEST_STRETCH * N_ANNOTATORS)
        past = PAST - self.n_started // N_ANNOTATORS
        self.n = max(N_ANNOTATORS, -(-self.n_finished * OVERLAP // past))
        self.n_elsewhere = max(0, past - self.n_finished * OVERLAP // self.n)
        self.admin = user_create(username=f"bench-admin-{n_tasks}", is_staff=True)
        self.annotators = User.objects.bulk_create(
            User(username=f"bench-{n_tasks}-{i}", kind=UserKind.SIMULATED, password="!") for i in range(self.n)
        )
        self.keys = [token_create(user=user, name="bench")[1] for user in self.annotators[:N_ANNOTATORS]]
        self.admin_key = token_create(user=self.admin, name="bench")[1]

    def project(self, name: str, *, sixteen_only: bool = False) -> Any:

        project = project_create(name=name, created_by=self.admin, overlap=OVERLAP, guidelines="Rank what helps most.")
        members = self.annotators[:N_ANNOTATORS] if sixteen_only else self.annotators
        Membership.objects.bulk_create(
            Membership(project=project, user=user, role=Role.ANNOTATOR, pseudonym=f"p-{user.pk:010x}", n_claims=PAST)
            for user in members
        )
        return project

    def summary(self) -> dict[str, Any]:
        return {
            "admin": self.admin.pk,
            "admin_key": self.admin_key,
            "admin_session": session_of(self.admin),
            "annotators": [user.pk for user in self.annotators[:N_ANNOTATORS]],
            "keys": self.keys,
            "n_annotators": self.n,
        }


class _Filler:
    """Writes one batch of a project, table by table, with ids that are free."""

    def __init__(self, cursor: Any, people: _People, project: Any, n_people: int | None = None) -> None:
        self.cursor, self.project = cursor, project
        self.n_people = n_people or people.n
        self.first_person = people.annotators[0].pk
        self.protocol = project.protocols.get().pk

    def batch(self, n_tasks: int, *, n_finished: int, n_started: int, state: str) -> None:
        """Write `n_tasks` tasks in the order of their ids: the finished, those of the stretches, the untouched."""
        old, new = (source_get_or_create(project=self.project, key=key, name=key).pk for key in ("old", "new"))
        batch = Batch.objects.create(
            project=self.project, number=1, state=state, overlap=OVERLAP, n_tasks=n_tasks,
            plan=[{"source": old, "n": N_ANSWERS // 2}, {"source": new, "n": N_ANSWERS // 2}],
            n_wanted=n_tasks * OVERLAP, opened_at=timezone.now(),
        ).pk  # fmt: skip
        prompt, response, task = (self._last_id(model) for model in (Prompt, Response, Task))
        content = f"FROM generate_series(1, {n_tasks}) AS i, LATERAL (SELECT {_ASKED} AS content) AS asked"
        sha256 = "encode(sha256(content::bytea), 'hex')"
        self._insert(
            Prompt, content, id=f"{prompt} + i", project_id=str(self.project.pk), split="'ranked'",
            messages="jsonb_build_array(jsonb_build_object('role', 'user', 'content', content))",
            content_sha256=sha256, group=sha256,
        )  # fmt: skip
        self._insert(
            Batch.prompts.through, f"FROM generate_series(1, {n_tasks}) AS i",
            id=f"{self._last_id(Batch.prompts.through)} + i", batch_id=str(batch), prompt_id=f"{prompt} + i",
        )  # fmt: skip
        answers = f"FROM generate_series(1, {n_tasks}) AS i, generate_series(0, {N_ANSWERS - 1}) AS sample"
        self._insert(
            Response, answers, id=f"{response} + (i - 1) * {N_ANSWERS} + sample + 1", prompt_id=f"{prompt} + i",
            source_id=f"CASE WHEN sample < 2 THEN {old} ELSE {new} END", batch_id=str(batch), sample="mod(sample, 2)",
            text=_ANSWERED,
        )  # fmt: skip
        open_slots = f"""CASE WHEN o < 0 THEN 0 ELSE {OVERLAP} - CASE
            WHEN {_STALE} THEN 1 WHEN {_EXPIRED} THEN 0 WHEN o < {n_started} THEN 1 ELSE 0 END END"""
        self._insert(
            Task,
            f"FROM generate_series(1, {n_tasks}) AS i, LATERAL (SELECT i - 1 - {n_finished} AS o) AS place",
            id=f"{task} + i", project_id=str(self.project.pk), batch_id=str(batch), prompt_id=f"{prompt} + i",
            overlap=str(OVERLAP), open_slots=open_slots,
        )  # fmt: skip
        self._insert(
            TaskItem, answers, id=f"{self._last_id(TaskItem)} + (i - 1) * {N_ANSWERS} + sample + 1",
            task_id=f"{task} + i", response_id=f"{response} + (i - 1) * {N_ANSWERS} + sample + 1",
            item=f"mod(sample + i, {N_ANSWERS})",
        )  # fmt: skip
        n_judged = n_finished * OVERLAP
        self._judged(
            f"""(SELECT j, {task} + j / {OVERLAP} + 1 AS task, {self.first_person} + mod(j, {self.n_people}) AS person
                 FROM generate_series(0, {n_judged - 1}) AS j) AS done""",
            n_judged,
        )
        if n_started:
            self._open_part(task + n_finished + 1, n_started, n_tasks - n_finished)
        for model in (Prompt, Batch.prompts.through, Response, Task, TaskItem,
                      Assignment, Judgment, Transition):  # fmt: skip
            table = model._meta.db_table  # noqa: SLF001 - Django's public name for it
            self.cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), {self._last_id(model)})")

    def _open_part(self, first: int, n_started: int, n_open: int) -> None:
        """Write each person's stretch, and the leases that ran out between them."""
        person = f"{self.first_person} + o * {N_ANNOTATORS} / {n_started}"
        stretch = f"""(SELECT o AS j, {first} + o AS task, {person} AS person
            FROM generate_series(0, {n_started - 1}) AS o WHERE NOT {_STALE} AND NOT {_EXPIRED}) AS done"""
        self._judged(stretch, n_started)
        for state, which in (("held", _STALE), ("expired", _EXPIRED)):
            self._assign(
                f"FROM (SELECT o AS j, o FROM generate_series(0, {n_open - 1}) AS o WHERE {which}) AS left_alone",
                state, "o", task=f"{first} + o", person=f"{self.first_person} + mod(o, {self.n_people})",
                when="now() - interval '1 hour'", until="now() - interval '10 minutes'",
            )  # fmt: skip

    def _judged(self, done: str, n: int) -> None:
        """Write what belongs to judgments: `done` has j from 0, task and person."""
        assignment, judgment = self._last_id(Assignment), self._last_id(Judgment)
        when = f"now() - interval '30 days' * (1 - j / {n}.0)"
        self._assign(f"FROM {done}", "submitted", "j", task="task", person="person", when=when,
                     until=f"{when} + interval '30 minutes'")  # fmt: skip
        self._insert(
            Judgment, f"FROM {done}", id=f"{judgment} + j + 1", assignment_id=f"{assignment} + j + 1", task_id="task",
            annotator_id="person", protocol_id=str(self.protocol), ranks=_RANKS, n_pairs="6", n_ties="0",
            active_s="15 + mod(j * 13, 90)", client_key="format('past-%%s-%%s', task, person)", created_at=when,
        )  # fmt: skip

    def _assign(self, source: str, state: str, number: str, *, task: str, person: str, when: str, until: str) -> None:

        assignment = self._last_id(Assignment)
        self._insert(
            Assignment, source, id=f"{assignment} + {number} + 1", task_id=task, annotator_id=person,
            state=f"'{state}'", order=_ORDER, protocol_id=str(self.protocol), lease_expires_at=until,
            shown_at=when, created_at=when,
        )  # fmt: skip
        for before, after in (("", "held"), ("held", state)):
            if before == after:
                continue
            self._insert(
                Transition, source, id=f"{self._last_id(Transition)} + {number} + 1",
                object_type="'feedback.assignment'", object_id=f"{assignment} + {number} + 1",
                from_state=f"'{before}'", to_state=f"'{after}'",
                actor_id=person, created_at=when,
            )  # fmt: skip

    def _insert(self, model: Any, source: str, **expressions: str) -> None:
        """Insert a row for each of the source; columns that are not named get the model's defaults."""
        columns, values, parameters = [], [], []
        for field in model._meta.concrete_fields:  # noqa: SLF001 - Django's public name for it
            columns.append(f'"{field.column}"')
            if field.attname in expressions:
                values.append(expressions[field.attname])
            elif getattr(field, "auto_now_add", False):
                values.append("now()")
            else:
                values.append("%s")
                parameters.append(field.get_db_prep_save(field.get_default(), connection))
        table = model._meta.db_table  # noqa: SLF001
        self.cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} {source}",
            parameters,
        )

    def _last_id(self, model: Any) -> int:
        self.cursor.execute(f"SELECT coalesce(max(id), 0) FROM {model._meta.db_table}")  # noqa: SLF001 - our own
        return int(self.cursor.fetchone()[0])


def session_of(user: Any) -> list[str]:
    """Sign somebody in without a form; return the cookie's name and value."""
    client = Client()
    client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[-1])
    return [settings.SESSION_COOKIE_NAME, client.cookies[settings.SESSION_COOKIE_NAME].value]
