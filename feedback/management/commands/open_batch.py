from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feedback.domain.errors import FeedbackError
from feedback.management.project_argument import project_of
from feedback.services.batch import batch_open_written


class Command(BaseCommand):
    help = "Open a batch of prompts whose answers people write, in a project of that kind; no policy is needed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="id or name")
        parser.add_argument("--seed", type=int, default=0, help="which prompts are drawn")

    def handle(self, *, project: str, seed: int, **_options: Any) -> None:
        try:
            batch = batch_open_written(project=project_of(project), seed=seed)
        except FeedbackError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{batch} is open with {batch.tasks.count()} prompts.")
