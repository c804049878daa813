"""Close the demo's logins before a site becomes public."""

from typing import Any

from django.core.management import BaseCommand

from feedback.models import User


class Command(BaseCommand):
    help = "Deactivate every demo login. What they did stays."

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        n_closed = User.objects.filter(is_demo=True, is_active=True).update(is_active=False)
        self.stdout.write(f"Closed {n_closed} demo logins.")
