"""The demo's three logins, with random passwords in a file that only its owner can read."""

import secrets
from collections.abc import Iterator
from pathlib import Path

from django.db import transaction

from config.environment import write_private
from feedback.models import User
from feedback.services.person import user_create

PEOPLE = ("annotator", "admin", "researcher")
LOGINS_FILE = "demo-logins.txt"


def people_ensure(home: Path) -> dict[str, User]:
    """Return the demo's people, made the first time. A lost file of passwords is made again with new ones."""
    path = home / LOGINS_FILE
    people = {user.username: user for user in User.objects.filter(username__in=PEOPLE, is_demo=True)}
    known = dict(_logins(path))
    with transaction.atomic():
        for name in PEOPLE:
            if name in people and name in known:
                continue
            known[name] = secrets.token_urlsafe(9)
            people[name] = _person(name, known[name], people.get(name))
        write_private(path, "".join(f"{name:<12}{known[name]}\n" for name in PEOPLE))
    return people


def _person(name: str, password: str, user: User | None) -> User:
    if user is None:
        return user_create(username=name, password=password, is_demo=True, is_staff=name == "admin")
    user.set_password(password)
    user.save(update_fields=["password"])
    return user


def _logins(path: Path) -> Iterator[tuple[str, str]]:
    if path.is_file():
        for line in path.read_text(encoding="utf-8").splitlines():
            name, _, password = line.partition(" ")
            if password.strip():
                yield name, password.strip()
