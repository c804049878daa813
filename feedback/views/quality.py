"""Whether the labels can be trusted: the figures of the newest quality report, of a project and of one person."""

import dataclasses
from bisect import bisect_right
from typing import Any

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from feedback.domain.plot import IntervalRow
from feedback.domain.quality import AnnotatorFigures, Histogram, QualityFigures
from feedback.domain.quality_tables import OF_ANNOTATOR, SORTS, TABLES, annotators_sorted
from feedback.domain.states import QualityState
from feedback.formats.writing import csv_lines
from feedback.models import Project
from feedback.selectors.person import pseudonyms
from feedback.selectors.quality import (
    LIVE,
    annotator_flags,
    annotator_gold,
    annotator_seconds,
    report_computed,
    report_figures,
    report_newest,
    usernames,
)
from feedback.services.quality import quality_ask
from feedback.views.access import Request, project_page
from feedback.views.quality_texts import MEANINGS, Line, flag_label, method_text, project_lines, suspicions
from feedback.views.rendering import go, page, polled

WATCH = ("feedback.manage_project", "feedback.export_project")
ANNOTATORS_A_PAGE = 200
ROWS_IN_PLOT = 30
"""More intervals below each other are no picture any more; the table has them all."""
GOLD_SHOWN = 50


@require_GET
@project_page(*WATCH)
def quality(request: Request, project: Project) -> HttpResponse:
    """Show the newest figures; asked for again and again while new ones are computed."""
    newest = report_newest(project=project)
    report = report_computed(project=project)
    is_computing = newest is not None and newest.state in LIVE
    context: dict[str, Any] = {
        "project": project,
        "report": report,
        "is_computing": is_computing,
        "error": _(newest.error) if newest is not None and newest.state == QualityState.UNCOMPUTED else "",
        "here": request.get_full_path(),
    }
    if report is not None:
        context |= _project_context(request, project, report_figures(report))
    return polled(
        request, "feedback/quality.html", context, fragment="feedback/fragments/quality.html", is_final=not is_computing
    )


@require_POST
@project_page(*WATCH)
def ask(request: Request, project: Project) -> HttpResponse:
    """Have the figures computed now."""
    quality_ask(project=project, by=request.user)
    return go(request, "feedback:quality", project.pk)


@require_GET
@project_page(*WATCH)
def annotator(request: Request, project: Project, user_id: int) -> HttpResponse:
    """Show one person's figures beside the project's."""
    names = pseudonyms(project=project)
    if user_id not in names:
        raise Http404
    report = report_computed(project=project)
    figures = report_figures(report) if report is not None else None
    own = _own(figures, user_id)
    seconds = annotator_seconds(project=project, annotator_id=user_id)
    context = {
        "project": project,
        "report": report,
        "user_id": user_id,
        "pseudonym": names[user_id],
        "username": _usernames(request, project).get(user_id, ""),
        "own": own,
        "lines": _person_lines(figures, own) if figures is not None and own is not None else [],
        "suspicions": suspicions(own.suspicions) if own is not None else [],
        "copies": names.get(own.copies) if own is not None and own.copies is not None else None,
        "seconds_histogram": _like(figures.seconds_histogram, seconds) if figures is not None else None,
        "gold": annotator_gold(project=project, annotator_id=user_id, limit=GOLD_SHOWN),
        "flags": _flags(annotator_flags(project=project, annotator_id=user_id)),
    }
    return page(request, "feedback/quality_annotator.html", context)


@require_GET
@project_page(*WATCH)
def table_csv(request: Request, project: Project) -> StreamingHttpResponse:
    """Answer a `table` of the newest report as a file; before the first one it has a header alone."""
    table = request.GET.get("table", "figures")
    if table not in TABLES:
        raise Http404
    report = report_computed(project=project)
    rows = TABLES[table].rows(report_figures(report), pseudonyms(project=project)) if report is not None else iter(())
    response = StreamingHttpResponse(csv_lines(rows, TABLES[table].columns), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="project-{project.pk}-quality-{table}.csv"'
    return response


def _project_context(request: Request, project: Project, figures: QualityFigures) -> dict[str, Any]:
    names = pseudonyms(project=project)
    sort = request.GET.get("sort", "reliability")
    is_descending = sort.startswith("-")
    by = sort.removeprefix("-")
    if by not in SORTS:
        by, is_descending = "reliability", False
    people = annotators_sorted(figures.annotators, by=by, names=names, is_descending=is_descending)
    shown = Paginator(people, ANNOTATORS_A_PAGE).get_page(request.GET.get("page"))
    known = _usernames(request, project)
    best = figures.sources[0] if figures.sources else None
    return {
        "figures": figures,
        "lines": project_lines(figures),
        "flags": _flags(figures.flags),
        "page_obj": shown,
        "sort": f"-{by}" if is_descending else by,
        "columns": [_column(name, by, is_descending=is_descending) for name in SORTS],
        "people": [
            {
                "own": one,
                "pseudonym": names.get(one.annotator, ""),
                "username": known.get(one.annotator, ""),
                "suspicions": suspicions(one.suspicions),
            }
            for one in shown.object_list
        ],
        "people_plot": [
            IntervalRow(names.get(one.annotator, ""), one.reliability.low, one.reliability.value, one.reliability.high)
            for one in shown.object_list
            if one.reliability.value is not None
        ][:ROWS_IN_PLOT],
        "rating_method": method_text(best.rating.method) if best else "",
        "win_rate_method": method_text(best.win_rate.method) if best else "",
        "sources_plot": [
            IntervalRow(one.source, one.rating.low, one.rating.value, one.rating.high)
            for one in figures.sources
            if one.rating.value is not None
        ][:ROWS_IN_PLOT],
    }


def _column(name: str, by: str, *, is_descending: bool) -> dict[str, Any]:
    """Return a heading that sorts; a second press turns the order round."""
    is_chosen = name == by
    labels = {"annotator": _("Annotator"), "n_judgments": _("Judgments"), "weight": _("Weight")}
    return {
        "name": name,
        "label": labels[name] if name in labels else MEANINGS[name].label,
        "to": f"-{name}" if is_chosen and not is_descending else name,
        "aria_sort": ("descending" if is_descending else "ascending") if is_chosen else "",
    }


def _usernames(request: Request, project: Project) -> dict[int, str]:
    """Return people's names to those who run the project; a researcher knows them by their pseudonyms."""
    return usernames(project=project) if request.user.has_perm("feedback.manage_project", project) else {}


def _own(figures: QualityFigures | None, user_id: int) -> AnnotatorFigures | None:
    if figures is None:
        return None
    return next((one for one in figures.annotators if one.annotator == user_id), None)


def _person_lines(figures: QualityFigures, own: AnnotatorFigures) -> list[Line]:
    of_project = {"agreement": "pairwise_agreement"}
    return [
        Line(name, MEANINGS[name], getattr(own, name), getattr(figures, of_project.get(name, name), None))
        for name in OF_ANNOTATOR
    ]


def _flags(counts: Any) -> list[tuple[Any, int]]:
    return sorted(((flag_label(flag), n) for flag, n in counts.items()), key=lambda row: -row[1])


def _like(histogram: Histogram, values: list[float]) -> Histogram:
    """Return values in the bins of a histogram, so that the two can be compared; what lies outside is left out."""
    counts = [0] * len(histogram.counts)
    for value in values:
        place = bisect_right(histogram.edges, value) - 1
        if 0 <= place < len(counts):
            counts[place] += 1
    return dataclasses.replace(histogram, counts=tuple(counts))
