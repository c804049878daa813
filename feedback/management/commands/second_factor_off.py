from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feedback.domain.errors import FeedbackError
from feedback.models import User
from feedback.selectors.person import user_by_name
from feedback.services.person import second_factor_remove


class Command(BaseCommand):
    help = "Let a person who lost their phone and their recovery codes sign in by password alone."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--by", required=True, help="user name of the site admin who does it, for the record")

    def handle(self, *, username: str, by: str, **_options: Any) -> None:
        user = user_by_name(username=username)
        if user is None:
            raise CommandError(f"There is no active user {username}.")
        admin = User.objects.filter(username=by, is_active=True, is_staff=True).first()
        if admin is None:
            raise CommandError(f"{by} is not an active site admin.")
        try:
            second_factor_remove(user=user, by=admin)
        except FeedbackError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{username} signs in by password alone now.")
