"""`manage.py build_base PROJECT`: build or import a base; the one place to set a gold score, since it names code."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from alignment.domain.errors import AlignmentError
from alignment.domain.recipe import BuildRecipe
from alignment.services.build import build_start
from feedback.domain.errors import FeedbackError
from feedback.models import Project, User


class Command(BaseCommand):
    help = "Begin round 0 of a project. Workers and the policy host must run for it to get on."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("project", type=int, help="the project's number")
        parser.add_argument("--by", default="", help="user name of who answers for it; default: who made the project")
        parser.add_argument("--kind", choices=["demo", "texts", "import"], default="demo")
        parser.add_argument("--base", default="", help="folder in the Hugging Face layout, or hub id, to import")
        parser.add_argument("--texts", nargs="+", default=[], help="files to pretrain on")
        parser.add_argument("--dialogues", nargs="+", default=[], help="files to tune on")
        parser.add_argument("--gold", default="", help="true score as module:function of (prompt text, answer text)")
        parser.add_argument("--max-new-tokens", type=int, default=64)
        parser.add_argument("--seed", type=int, default=0)
        for stage in ("corpus", "tokenizer", "pretrain", "sft"):
            parser.add_argument(
                f"--{stage}", type=json.loads, default={}, help=f"JSON object: fields of the {stage} stage"
            )

    def handle(self, *_args: Any, **options: Any) -> None:
        project = Project.objects.filter(pk=options["project"]).select_related("created_by").first()
        if project is None:
            raise CommandError(f"There is no project {options['project']}.")
        by = User.objects.get(username=options["by"]) if options["by"] else project.created_by
        names = (
            "kind",
            "base",
            "texts",
            "dialogues",
            "gold",
            "max_new_tokens",
            "seed",
            "corpus",
            "tokenizer",
            "pretrain",
            "sft",
        )
        try:
            recipe = BuildRecipe.from_json({name: options[name] for name in names})
            round_ = build_start(project=project, recipe=recipe, by=by)
        except (AlignmentError, FeedbackError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Round {round_.number} of {project} has begun.")
