"""`manage.py policy_host`: keep the embedded policy servers up."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from alignment.policies.endpoints import is_embedded
from alignment.policies.host import PolicyHost


class Command(BaseCommand):
    help = "Start a policy server for every base that is needed and keep it alive, until SIGTERM."

    def handle(self, *_args: Any, **_options: Any) -> None:
        if not is_embedded():
            raise CommandError("POLICY_URL names another policy server: there is nothing to host.")
        PolicyHost().run()
