from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tokenizers import Tokenizer

from feedback.domain.errors import FeedbackError
from feedback.management.project_argument import project_of
from feedback.services.preference import Measure, preferences_import

TOKENS_AROUND_A_MESSAGE = 5
"""What chat templates put around a message: role and turn marks, newlines. A little more than most need."""


class Command(BaseCommand):
    help = "Add a file's preference pairs (trl's shapes or ShareGPT) to a project as rankings; whole or not at all."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="id or name")
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--max-length", type=int, help="skip and count pairs of which an answer with its prompt is longer"
        )
        parser.add_argument(
            "--tokenizer", type=Path, help="a tokenizer.json; then --max-length counts its tokens, otherwise characters"
        )

    def handle(
        self, *, project: str, file: Path, max_length: int | None, tokenizer: Path | None, **_options: Any
    ) -> None:
        try:
            measure = _tokens_by(tokenizer) if tokenizer else _characters
            with file.open("rb") as stream:
                imported = preferences_import(
                    project=project_of(project),
                    file=stream,
                    filename=file.name,
                    measure=measure,
                    max_length=max_length,
                )
        except OSError as error:
            raise CommandError(f"{error.filename} cannot be read: {error.strerror}.") from error
        except FeedbackError as error:
            raise CommandError(f"{file}: {error.message}") from error
        self.stdout.write(
            f"{imported.n_added} pairs added, {imported.n_known} were known; skipped: "
            f"{imported.n_skipped_too_long} too long, {imported.n_skipped_equal} with equal answers, "
            f"{imported.n_skipped_split} with prompts that are held out or of the pool."
        )


def _characters(messages: Any) -> int:
    return sum(len(message["content"]) for message in messages)


def _tokens_by(path: Path) -> Measure:
    if not path.is_file():
        raise CommandError(f"{path} is not there; name the base's tokenizer.json.")
    tokenizer = Tokenizer.from_file(str(path))

    def measure(messages: Any) -> int:
        encoded = tokenizer.encode_batch([message["content"] for message in messages], add_special_tokens=False)
        return sum(len(one.ids) + TOKENS_AROUND_A_MESSAGE for one in encoded)

    return measure
