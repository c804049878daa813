"""A round as people play it, through the services: build, rank, launch."""

import io
import json

from stages import prompt_rows

from alignment.domain.recipe import BuildRecipe, Recipe
from alignment.domain.states import VersionKind
from alignment.models import ModelVersion, Round
from alignment.selectors.round import round_live
from alignment.services.advance import rounds_advance_all
from alignment.services.build import build_start
from alignment.services.round import round_launch
from feedback.domain.verdict import Verdict
from feedback.models import Judgment
from feedback.services.assignment import assignment_claim
from feedback.services.judgment import judgment_submit
from feedback.services.prompt import prompts_import

GOLD = "tests.gold:score"
CONTINUED = Recipe(method="dpo", start="continue", reference="previous")


def build(project, boss, broker, policy_server, base="", *, gold=GOLD, dialogues=()) -> Round:
    """Round 0 up to the first tasks: of an imported base, which is quick, or from nothing."""
    recipe = BuildRecipe(kind="import" if base else "demo", base=base, gold=gold, dialogues=tuple(map(str, dialogues)))
    if base:
        lines = "".join(json.dumps(row) + "\n" for row in prompt_rows())
        prompts_import(project=project, file=io.BytesIO(lines.encode()), filename="prompts.jsonl", by=boss)
    build_start(project=project, recipe=recipe, by=boss)
    broker.drain()
    policy_server(ModelVersion.objects.get(kind=VersionKind.SFT))
    rounds_advance_all()
    broker.drain()
    return round_live(project=project)


def rank_all(project, annotator) -> int:
    """Prefer the answer with the greater text, wherever it stands."""
    n = 0
    while (assignment := assignment_claim(project=project, annotator=annotator)) is not None:
        texts = dict(assignment.task.items.values_list("item", "response__text"))
        shown = [texts[item] for item in assignment.order]
        ranks = [sorted(shown, reverse=True).index(text) + 1 for text in shown]
        judge(assignment, annotator, ranks, f"k{assignment.pk}")
        n += 1
    return n


def judge(assignment, annotator, ranks, key) -> Judgment:
    verdict = Verdict(ranks=tuple(ranks))
    return judgment_submit(assignment_id=assignment.pk, annotator=annotator, verdict=verdict, client_key=key).judgment


def launched(project, boss, broker, recipe=None) -> Round:
    round_ = round_launch(project=project, recipe=recipe or Recipe(), by=boss)
    broker.drain()
    round_.refresh_from_db()
    return round_
