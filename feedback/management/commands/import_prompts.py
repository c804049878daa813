from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feedback.domain.errors import FeedbackError
from feedback.management.project_argument import project_of
from feedback.services.prompt import prompts_import


class Command(BaseCommand):
    help = "Add a file's prompts to a project: .jsonl, .json (also Alpaca), .csv or .txt; whole or not at all."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="id or name")
        parser.add_argument("file", type=Path)

    def handle(self, *, project: str, file: Path, **_options: Any) -> None:
        try:
            with file.open("rb") as stream:
                imported = prompts_import(project=project_of(project), file=stream, filename=file.name)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from error
        except FeedbackError as error:
            raise CommandError(f"{file}: {error.message}") from error
        self.stdout.write(f"{imported.n_added} prompts added, {imported.n_known} were known.")
