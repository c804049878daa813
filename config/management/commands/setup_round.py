"""What `make round` needs before it can speak HTTP: people with keys, and a project that builds itself."""

import json
from typing import Any

from django.core.management import BaseCommand, CommandParser

from alignment.domain.recipe import BuildRecipe
from alignment.services.build import build_start
from config.demo.project import demo_project_create
from feedback.domain.states import Role, UserKind
from feedback.services.person import member_add, token_create, user_create


class Command(BaseCommand):
    help = "Set a home up for `make round`; prints one JSON object with the project and the keys."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--build", type=json.loads, default={}, help="BuildRecipe as JSON")
        parser.add_argument("--prompts", type=int, default=300)
        parser.add_argument("--annotators", type=int, default=5)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        admin = user_create(username="round-admin", kind=UserKind.SIMULATED, is_staff=True)
        project = demo_project_create(name="Round", admin=admin, overlap=1, prompts_per_batch=options["prompts"])
        keys = []
        for number in range(1, options["annotators"] + 1):
            annotator = user_create(username=f"simulated-{number}", kind=UserKind.SIMULATED)
            member_add(project=project, user=annotator, role=Role.ANNOTATOR, by=admin)
            keys.append(token_create(user=annotator, name="make round")[1])
        build_start(project=project, recipe=BuildRecipe.from_json(options["build"]), by=admin)
        admin_key = token_create(user=admin, name="make round")[1]
        self.stdout.write(json.dumps({"project": project.pk, "admin_key": admin_key, "annotator_keys": keys}))
