from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feedback.domain.errors import FeedbackError
from feedback.models import User
from feedback.services.erasure import person_erase


class Command(BaseCommand):
    help = "Erase a person: their texts, name, address, keys and sessions go, their judgments stay on a tombstone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--by", required=True, help="user name of the site admin who does it, for the record")
        parser.add_argument("--yes", action="store_true", help="do it; without this nothing is changed")

    def handle(self, *, username: str, by: str, yes: bool, **_options: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user {username}.")
        admin = User.objects.filter(username=by, is_active=True, is_staff=True).first()
        if admin is None:
            raise CommandError(f"{by} is not an active site admin.")
        if not yes:
            raise CommandError(f"{username} would be erased, which cannot be undone. Add --yes to do it.")
        try:
            person_erase(user=user, by=admin)
        except FeedbackError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"Erased; what is left is {user.username}.")
