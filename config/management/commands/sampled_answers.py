"""Every answer that was sampled for a project's newest batch: what simulated annotators standardise over."""

import json
from typing import Any

from django.core.management import BaseCommand, CommandParser

from feedback.models import Batch, Response


class Command(BaseCommand):
    help = "Print prompt messages and answer text of each sampled answer of the newest batch."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", type=int)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        batch = Batch.objects.filter(project_id=options["project"]).latest("number")
        answers = Response.objects.filter(batch=batch).values_list("prompt__messages", "text")
        for messages, text in answers.order_by("pk"):
            self.stdout.write(json.dumps({"messages": messages, "text": text}))
