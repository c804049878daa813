from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feedback.formats.writing import csv_lines, jsonl_lines
from feedback.management.project_argument import project_of
from feedback.selectors.judgment import project_counts
from feedback.selectors.preference import COLUMNS, preference_rows


class Command(BaseCommand):
    help = "Write a project's judged pairs in trl's preference format, as .jsonl, or as .csv for spreadsheets."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", help="id or name")
        parser.add_argument("file", type=Path)

    def handle(self, *, project: str, file: Path, **_options: Any) -> None:
        chosen = project_of(project)
        rows = preference_rows(project=chosen)
        lines = csv_lines(rows, COLUMNS) if file.suffix == ".csv" else jsonl_lines(rows)
        partial = file.with_name(f"{file.name}.part")
        try:
            with partial.open("w", encoding="utf-8", newline="") as stream:
                stream.writelines(lines)
            partial.replace(file)
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}.") from error
        counts = project_counts(project=chosen)
        self.stdout.write(
            f"{counts.n_pairs} pairs of {counts.n_judgments} judgments written to {file}; "
            f"{counts.n_ties} ties counted, not written."
        )
