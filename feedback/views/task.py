"""Tasks for whoever runs a project: searching them, the history of one, and changing one or many."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import resolve_url
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from feedback.domain.errors import FeedbackError, Invalid
from feedback.domain.states import TaskPurpose
from feedback.domain.task_filter import TaskActionKind, TaskFilter, TaskState
from feedback.models import Project
from feedback.selectors.progress import task_action_latest
from feedback.selectors.task_history import PEOPLE, order_of, task_history
from feedback.selectors.task_search import task_get, task_ids_of, task_lines, task_search
from feedback.services.task import (
    MAX_PRIORITY,
    MAX_REASON_LENGTH,
    check_priority,
    task_overlap_raise,
    task_prioritise,
    task_requeue,
)
from feedback.services.task_action import task_action_ask, task_action_stop
from feedback.views.access import Request, project_page, whole_number
from feedback.views.rendering import go, page

TASKS_A_PAGE = 25
"""About two screens, and as many as one ticks off by hand."""
LOOK = ("feedback.manage_project", "feedback.export_project")
_ANY = ("", gettext_lazy("Any"))
_LARGEST = 10**18 - 1
"""What a column of 64 bits holds for sure."""


class SearchForm(forms.Form):
    words = forms.CharField(label=gettext_lazy("Words"), required=False, max_length=200)
    tag = forms.CharField(label=gettext_lazy("Tag"), required=False, max_length=200)
    state = forms.ChoiceField(label=gettext_lazy("State"), required=False, choices=[_ANY, *TaskState.choices])
    purpose = forms.ChoiceField(label=gettext_lazy("Purpose"), required=False, choices=[_ANY, *TaskPurpose.choices])
    batch = forms.IntegerField(label=gettext_lazy("Batch"), required=False, min_value=1, max_value=2**31 - 1)
    number = forms.IntegerField(label=gettext_lazy("Task number"), required=False, min_value=1, max_value=_LARGEST)
    prompt = forms.IntegerField(label=gettext_lazy("Prompt number"), required=False, min_value=1, max_value=_LARGEST)

    def asked(self) -> TaskFilter:
        """Return what the form asks for; a form with a mistake finds everything, and says what is wrong."""
        return TaskFilter.from_json(self.cleaned_data) if self.is_valid() else TaskFilter()


@require_GET
@project_page(*LOOK)
def tasks(request: Request, project: Project) -> HttpResponse:
    """List the tasks that a search finds; `below` is the id below which the page begins."""
    form = SearchForm(request.GET)
    asked = form.asked()
    below = whole_number(request.GET.get("below", ""))
    found = task_search(project=project, asked=asked, below=below, limit=TASKS_A_PAGE)
    query = urlencode(asked.to_json())
    context = {
        "project": project,
        "form": form,
        "lines": task_lines(tasks=found.rows),
        "found": found,
        "is_first": below is None,
        "is_filtered": bool(query),
        "query": query,
        "asked": asked.to_json(),
        "action": task_action_latest(project=project),
        "kinds": TaskActionKind.choices,
        "max_reason": MAX_REASON_LENGTH,
        "max_priority": MAX_PRIORITY,
    }
    return page(request, "feedback/task_list.html", context, fragment="feedback/fragments/task_list.html")


@require_GET
@project_page(*LOOK)
def history(request: Request, project: Project, task_id: int) -> HttpResponse:
    """Show all that ever happened to a task."""
    task = task_get(project=project, task_id=task_id)
    if task is None:
        raise Http404
    told = task_history(task=task)
    gold = getattr(task, "gold", None)
    context = {
        "project": project,
        "task": task,
        "line": task_lines(tasks=[task])[0],
        "history": told,
        "people": [(told.names.get(row.annotator_id, ""), row) for row in told.assignments],
        "most_people": PEOPLE,
        "reserved_for": told.names.get(task.reserved_for_id or 0, ""),
        "known": "" if gold is None else order_of(gold.ranks),
        "can_change": task.purpose == TaskPurpose.LABEL,
        "kinds": TaskActionKind.choices,
        "max_reason": MAX_REASON_LENGTH,
        "max_priority": MAX_PRIORITY,
    }
    return page(request, "feedback/task_history.html", context)


@require_POST
@project_page("feedback.manage_project")
def act(request: Request, project: Project) -> HttpResponse:
    """Change the ticked tasks, with `scope=all` whatever the search finds, or stop that; back to where it was asked."""
    form = SearchForm(request.POST)
    try:
        messages.success(request, _act(request, project, form))
    except FeedbackError as error:
        messages.error(request, error.message)
    if one := whole_number(request.POST.get("back", "")):
        return go(request, "feedback:task_history", project.pk, one)
    query = urlencode(form.asked().to_json())
    return go(request, f"{resolve_url('feedback:tasks', project.pk)}?{query}")


def _act(request: Request, project: Project, form: SearchForm) -> str:
    """Return what was done, in a sentence. Raises: FeedbackError."""
    said = request.POST
    if said.get("scope") == "stop":
        return _("It is stopped.") if task_action_stop(project=project) else _("It was done already.")
    if said.get("kind", "") not in TaskActionKind.values:
        raise Invalid(_("Choose what to do."))
    kind = TaskActionKind(said["kind"])
    how: dict[str, Any] = {"by": request.user, "reason": said.get("reason", "")}
    if said.get("scope") == "all":
        if not form.is_valid():
            raise Invalid(_("The search has a mistake; nothing was changed."))
        task_action_ask(project=project, kind=kind, asked=form.asked(), priority=_priority(said), **how)
        return _("It is under way for all tasks that the search finds.")
    ids = task_ids_of(project=project, task_ids=[whole_number(text) or 0 for text in said.getlist("task")])
    if not ids:
        raise Invalid(_("Tick the tasks first."))
    if kind == TaskActionKind.REQUEUE:
        n = task_requeue(task_ids=ids, **how)
    elif kind == TaskActionKind.RAISE:
        n = task_overlap_raise(task_ids=ids, **how)
    else:
        n = task_prioritise(task_ids=ids, priority=check_priority(_priority(said)), **how)
    return ngettext("%(n)d task was changed.", "%(n)d tasks were changed.", n) % {"n": n}


def _priority(said: QueryDict) -> int | None:
    try:
        return int(said.get("priority", "")[:6])
    except ValueError:
        return None
