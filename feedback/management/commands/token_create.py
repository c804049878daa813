from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feedback.domain.errors import FeedbackError
from feedback.domain.scopes import Scope
from feedback.selectors.person import user_by_name
from feedback.services.person import token_create


class Command(BaseCommand):
    help = "Make a key for the API and print it once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="made on the command line")
        parser.add_argument(
            "--scope", action="append", default=[], choices=Scope.values, help="none: all of the user's"
        )

    def handle(self, *, username: str, name: str, scope: list[str], **_options: Any) -> None:
        user = user_by_name(username=username)
        if user is None:
            raise CommandError(f"There is no active user {username}.")
        try:
            _, clear_text = token_create(user=user, name=name, scopes=scope)
        except FeedbackError as error:
            raise CommandError(error.message) from error
        self.stdout.write(clear_text)
