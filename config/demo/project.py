"""The demo project: its guidelines, its members, and the start of round 0."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from alignment.domain.recipe import BuildRecipe
from alignment.services.build import build_start
from config.environment import BASE_DIR
from feedback.domain.states import Role
from feedback.models import Project, User
from feedback.services.person import member_add
from feedback.services.project import project_create

NAME = "The valley"
GOLD = "modeling.world.gold:score"
_DESCRIPTION = (
    "Answers to questions about a small invented world, by a language model that was trained on this machine."
)
_PRINT_ALMANAC = "from modeling.world.almanac import almanac_write; print(almanac_write())"


def project_ensure(people: Mapping[str, User]) -> Project:
    """Return the demo project, made and building its base the first time."""
    admin = people["admin"]
    project = Project.objects.filter(name=NAME, is_demo=True).first()
    if project is None:
        project = demo_project_create(name=NAME, admin=admin)
    for name, role in (("annotator", Role.ANNOTATOR), ("admin", Role.ADMIN), ("researcher", Role.RESEARCHER)):
        member_add(project=project, user=people[name], role=role, by=admin)
    if not project.rounds.exists():
        build_start(project=project, recipe=BuildRecipe(kind="demo", gold=GOLD), by=admin)
    return project


def demo_project_create(*, name: str, admin: User, **settings: Any) -> Project:
    """Make a project about the demo world."""
    return project_create(
        name=name, description=_DESCRIPTION, guidelines=guidelines(), created_by=admin, is_demo=True, **settings
    )


def guidelines() -> str:
    """Return how to judge, with every fact of the world to look up.

    The world belongs to the modeling room, which no process of ours imports: its program is asked to print.
    """
    rules = (Path(__file__).parent / "guidelines.md").read_text(encoding="utf-8")
    printed = subprocess.run(
        [sys.executable, "-c", _PRINT_ALMANAC], cwd=BASE_DIR, capture_output=True, text=True, check=True, timeout=60
    )
    return rules + printed.stdout
