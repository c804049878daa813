"""Bring a home up to date before anything serves: database, static files, the demo. Quick when nothing changed."""

import hashlib
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import BaseCommand, CommandError, CommandParser, call_command

from config.environment import ensure_secret
from feedback.models import User


class Command(BaseCommand):
    help = "Migrate, collect static files that changed, and set up the demo with --demo."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        for folder in (settings.RUNS_ROOT, settings.ARTIFACTS_ROOT):
            folder.mkdir(parents=True, exist_ok=True)
        ensure_secret(settings.POLICY_KEY_FILE)
        call_command("migrate", interactive=False, verbosity=0)
        self._collect_static()
        if settings.PUBLIC_URL:
            refuse_demo_people(demo=options["demo"])
        if options["demo"]:
            call_command("setup_demo", stdout=self.stdout)

    def _collect_static(self) -> None:
        stamp_file = Path(settings.STATIC_ROOT) / ".stamp"
        stamp = _static_stamp()
        if stamp_file.is_file() and stamp_file.read_text(encoding="utf-8") == stamp:
            return
        call_command("collectstatic", interactive=False, clear=True, verbosity=0, ignore_patterns=["redoc"])
        stamp_file.write_text(stamp, encoding="utf-8")


def refuse_demo_people(*, demo: bool) -> None:
    """Demo logins have their passwords in a file and belong on one's own machine. Raises: CommandError."""
    if demo or User.objects.filter(is_demo=True, is_active=True).exists():
        raise CommandError(
            "PUBLIC_URL is set, and a public site must not have demo logins: "
            "run `manage.py retire_demo` and start with `--no-demo`.",
        )


def _static_stamp() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            status = Path(storage.path(path)).stat()
            digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
