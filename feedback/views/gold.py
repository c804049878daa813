"""Tasks with a known answer, for whoever runs the project: the list, a new one from a task or a file, and retiring."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from feedback.domain.errors import FeedbackError
from feedback.domain.ranking import LETTERS, Rank
from feedback.domain.states import KNOWN, TaskPurpose
from feedback.formats.gold import MAX_EXPLANATION_LENGTH
from feedback.models import Gold, Project
from feedback.selectors.gold import TaskAnswer, gold_get, gold_list, gold_marks, task_answers, task_to_know
from feedback.selectors.prompt import prompt_excerpt
from feedback.services.gold import gold_add, gold_restore, gold_retire, golds_import
from feedback.views.access import Request, project_page, whole_number
from feedback.views.rendering import go, page, wants_fragment

NOTHING = "\N{EN DASH}"
GOLDS_A_PAGE = 25
"""A few screens; what thousands of people said about so many tasks is counted in a second."""


class UploadForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        allow_empty_file=True,  # the service says why an empty one is refused
        widget=forms.ClearableFileInput(attrs={"accept": ".jsonl,.json"}),
    )


class GoldForm(forms.Form):
    purpose = forms.ChoiceField(
        label=gettext_lazy("What for"),
        choices=[(purpose.value, purpose.label) for purpose in KNOWN],
        help_text=gettext_lazy(
            "Gold tasks hide among the others. Newcomers get training, which explains, then qualification."
        ),
    )
    tolerance = forms.FloatField(
        label=gettext_lazy("Tolerance"),
        initial=0,
        min_value=0,
        max_value=1,
        widget=forms.NumberInput(attrs={"step": "0.01"}),
        help_text=gettext_lazy("From 0 to 1: the share of pairs that one may get wrong and still be right."),
    )
    explanation = forms.CharField(
        label=gettext_lazy("Explanation"),
        required=False,
        max_length=MAX_EXPLANATION_LENGTH,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text=gettext_lazy("Markdown. Why it is so; newcomers read it after a training task."),
    )

    def __init__(self, *args: Any, answers: list[TaskAnswer], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        numbers = [(str(number), str(number)) for number in range(1, len(answers) + 1)]
        for answer in answers:
            self.fields[f"rank_{answer.letter}"] = forms.ChoiceField(
                label=_("Rank of answer %(letter)s") % {"letter": answer.letter},
                choices=[("", NOTHING), *numbers],
                required=False,
            )

    def ranks(self) -> list[Rank]:
        """Return the ranks in the order of the letters; None where there is none."""
        letters = [letter for letter in LETTERS if f"rank_{letter}" in self.fields]
        return [int(self.cleaned_data[f"rank_{letter}"] or 0) or None for letter in letters]


@require_http_methods(["GET", "POST"])
@project_page("feedback.manage_project")
def golds(request: Request, project: Project) -> HttpResponse:
    """List known answers, and take a file of new ones or refuse it whole."""
    if request.method == "GET":
        return _page(request, project, UploadForm())
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, project, form)
    file = form.cleaned_data["file"]
    try:
        done = golds_import(project=project, file=file, filename=file.name, by=request.user)
    except FeedbackError as error:
        form.add_error("file", error.message)
        return _page(request, project, form)
    messages.success(
        request, _("%(added)d added, %(known)d were there already.") % {"added": done.n_added, "known": done.n_known}
    )
    return _back(request, project)


@require_http_methods(["GET", "POST"])
@project_page("feedback.manage_project")
def new(request: Request, project: Project) -> HttpResponse:
    """Show an ordinary task, `?task=` its number, and take the known order of its answers."""
    number = whole_number(request.GET.get("task", ""))
    task = None if number is None else task_to_know(project=project, task_id=number)
    if task is None:
        is_unknown = bool(request.GET.get("task"))
        context = {"project": project, "is_unknown": is_unknown}
        return page(request, "feedback/gold_new.html", context, status=404 if is_unknown else 200)
    answers = task_answers(task=task)
    form = GoldForm(request.POST or None, answers=answers)
    if form.is_valid():
        try:
            gold_add(
                task=task,
                ranks=form.ranks(),
                purpose=TaskPurpose(form.cleaned_data["purpose"]),
                tolerance=form.cleaned_data["tolerance"],
                explanation=form.cleaned_data["explanation"].replace("\r\n", "\n"),
                by=request.user,
            )
        except FeedbackError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, _("The known answer is in use."))
            return go(request, "feedback:gold", project.pk)
    context = {
        "project": project,
        "task": task,
        "form": form,
        "answers": [{"answer": answer, "field": form[f"rank_{answer.letter}"]} for answer in answers],
        "other_fields": [form[name] for name in ("purpose", "tolerance", "explanation")],
    }
    status = 422 if form.is_bound and form.errors else 200
    return page(request, "feedback/gold_new.html", context, fragment="feedback/fragments/gold_form.html", status=status)


@require_POST
@project_page("feedback.manage_project")
def retire(request: Request, project: Project, gold_id: int) -> HttpResponse:
    """Show a known answer to nobody any more."""
    gold_retire(gold=_gold_or_404(project, gold_id), by=request.user)
    messages.success(request, _("The known answer is retired; what was judged stays."))
    return _back(request, project)


@require_POST
@project_page("feedback.manage_project")
def restore(request: Request, project: Project, gold_id: int) -> HttpResponse:
    """Bring a retired known answer back."""
    try:
        gold_restore(gold=_gold_or_404(project, gold_id), by=request.user)
    except FeedbackError as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("The known answer is in use."))
    return _back(request, project)


def _gold_or_404(project: Project, gold_id: int) -> Gold:
    gold = gold_get(project=project, gold_id=gold_id)
    if gold is None:
        raise Http404
    return gold


def _back(request: Request, project: Project) -> HttpResponse:
    """Show the list again after something was done."""
    if wants_fragment(request):
        return _page(request, project, UploadForm())
    return go(request, "feedback:gold", project.pk)


def _page(request: Request, project: Project, form: UploadForm) -> HttpResponse:
    found = Paginator(gold_list(project=project), GOLDS_A_PAGE).get_page(request.GET.get("page"))
    marks = gold_marks(tasks=[gold.task_id for gold in found.object_list])
    context = {
        "project": project,
        "form": form,
        "golds": [
            {
                "gold": gold,
                "excerpt": prompt_excerpt(prompt=gold.task.prompt),
                "n_right": marks.get(gold.task_id, (0, 0))[0],
                "n_judged": marks.get(gold.task_id, (0, 0))[1],
            }
            for gold in found.object_list
        ],
        "page_obj": found,
    }
    status = 422 if form.is_bound and form.errors else 200
    return page(request, "feedback/gold.html", context, fragment="feedback/fragments/gold.html", status=status)
