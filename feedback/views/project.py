"""Projects: the list, one project's front page, making one and changing it."""

import copy
import dataclasses
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods

from feedback.domain.errors import FeedbackError
from feedback.domain.protocol import ProtocolKind, ProtocolOptions
from feedback.domain.states import Role
from feedback.models import Project, User
from feedback.selectors.batch import batch_list, batch_progress
from feedback.selectors.progress import batches_closed, project_progress
from feedback.selectors.project import membership_roles, project_list, protocol_current
from feedback.selectors.prompt import prompt_count_up_to
from feedback.selectors.report import report_list
from feedback.selectors.task import queue_count
from feedback.services.project import project_create, project_update
from feedback.views.access import Request, project_page, signed_in
from feedback.views.protocol_form import ProtocolForm, protocol_initial
from feedback.views.rendering import go, page

PROMPTS_COUNTED = 10_000
"""Beyond that the overview says only that there are more."""
NUMBER_FIELDS = ("overlap", "lease_s", "answers_per_task", "prompts_per_batch")
DISAGREEMENT_FIELDS = ("max_overlap", "min_agreement", "daily_cap")
KNOWN_FIELDS = ("gold_share", "repeat_share", "qualification_pass")


@dataclasses.dataclass(frozen=True)
class Card:
    """A project as its tile on the home page shows it."""

    project: Project
    roles: list[str]
    can_annotate: bool
    queue: int


class ProjectForm(forms.ModelForm):
    guidelines = forms.CharField(
        label=gettext_lazy("Guidelines"),
        required=False,
        strip=False,
        max_length=50_000,
        widget=forms.Textarea(attrs={"rows": 10}),
        help_text=gettext_lazy("Markdown. What makes an answer better than another? Annotators read this first."),
    )

    class Meta:
        model = Project
        fields = ("name", "description", *NUMBER_FIELDS, *DISAGREEMENT_FIELDS, *KNOWN_FIELDS)
        labels = {
            "name": gettext_lazy("Name"),
            "description": gettext_lazy("Description"),
            "overlap": gettext_lazy("Judgments a task"),
            "lease_s": gettext_lazy("Lease, seconds"),
            "answers_per_task": gettext_lazy("Answers a task"),
            "prompts_per_batch": gettext_lazy("Prompts a batch"),
            "max_overlap": gettext_lazy("Most judgments a task"),
            "min_agreement": gettext_lazy("Agreement that is enough"),
            "daily_cap": gettext_lazy("Judgments a day"),
            "gold_share": gettext_lazy("Share of gold tasks"),
            "repeat_share": gettext_lazy("Share of repeats"),
            "qualification_pass": gettext_lazy("Share to qualify"),
        }
        help_texts = {
            "description": gettext_lazy("One or two sentences for the list of projects."),
            "overlap": gettext_lazy("How many people judge each task."),
            "lease_s": gettext_lazy("How long a shown task stays with its annotator before others may take it."),
            "answers_per_task": gettext_lazy(
                "From 2 to 9; a comparison always has two. Four ranked give six comparisons for one reading."
            ),
            "prompts_per_batch": gettext_lazy("How many tasks a round asks for."),
            "max_overlap": gettext_lazy(
                "Where people disagree, others are asked until a task has so many; then an adjudicator decides. "
                "Empty: nobody is asked."
            ),
            "min_agreement": gettext_lazy("From 0 to 1: the share of a task's pairs that must be judged alike."),
            "daily_cap": gettext_lazy("How many tasks each person may judge in a day of their own. Empty: no limit."),
            "gold_share": gettext_lazy("From 0 to 0.5. At 0.1 every tenth task has a known answer, hidden."),
            "repeat_share": gettext_lazy("From 0 to 0.5. Of the tasks that a person judged before and gets once more."),
            "qualification_pass": gettext_lazy("From 0 to 1. So many qualification tasks a newcomer must get right."),
        }
        widgets = {
            "description": forms.Textarea(attrs={"rows": 2}),
            "min_agreement": forms.NumberInput(attrs={"min": "0", "max": "1", "step": "0.01"}),
            "gold_share": forms.NumberInput(attrs={"min": "0", "max": "0.5", "step": "0.01"}),
            "repeat_share": forms.NumberInput(attrs={"min": "0", "max": "0.5", "step": "0.01"}),
            "qualification_pass": forms.NumberInput(attrs={"min": "0", "max": "1", "step": "0.01"}),
        }

    def clean_guidelines(self) -> str:
        """Undo what browsers do to the ends of lines: text that nobody changed must not become a new version."""
        return str(self.cleaned_data["guidelines"]).replace("\r\n", "\n")


@require_GET
@signed_in
def projects(request: Request) -> HttpResponse:
    """List what this person is a member of, with what waits for them."""
    cards = [_card(project, request.user) for project in project_list(user=request.user)]
    return page(
        request,
        "feedback/projects.html",
        {"cards": cards, "can_create": request.user.has_perm("feedback.create_project")},
    )


@require_GET
@project_page("feedback.view_project")
def overview(request: Request, project: Project) -> HttpResponse:
    """Show guidelines and progress; to those who run the project or read its data also the pace and each batch."""
    batch = batch_list(project=project).first()
    may_look = request.user.has_perm("feedback.export_project", project)
    moving = project_progress(project=project) if may_look else None
    context = {
        "moving": moving,
        "closed_batches": batches_closed(project=project) if may_look else [],
        "project": project,
        "protocol": protocol_current(project=project),
        "queue": queue_count(project=project, annotator=request.user),
        "batch": batch,
        "progress": batch_progress(batch=batch) if batch and not (moving and moving.batches) else None,
        "n_prompts": prompt_count_up_to(project=project, at_most=PROMPTS_COUNTED),
        "prompts_counted": PROMPTS_COUNTED,
        "n_reports": report_list(project=project).count(),
    }
    return page(request, "feedback/project.html", context)


@signed_in
@require_http_methods(["GET", "POST"])
def new(request: Request) -> HttpResponse:
    if not request.user.has_perm("feedback.create_project"):
        raise PermissionDenied
    form = ProjectForm(request.POST or None)
    asked = ProtocolForm(request.POST or None, initial=protocol_initial(ProtocolKind.RANK, ProtocolOptions()))
    if _are_valid(form, asked):
        try:
            project = project_create(created_by=request.user, **form.cleaned_data, **_asked(asked))
        except FeedbackError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, _("The project is made. Add people and prompts next."))
            return go(request, "feedback:project", project.pk)
    return _form_page(request, form, asked, {})


@require_http_methods(["GET", "POST"])
@project_page("feedback.manage_project")
def settings(request: Request, project: Project) -> HttpResponse:
    protocol = protocol_current(project=project)
    # The form works on a copy: a refused name must not stand in the page's heading.
    form = ProjectForm(request.POST or None, instance=copy.copy(project), initial={"guidelines": protocol.guidelines})
    options = ProtocolOptions.from_json(protocol.options)
    asked = ProtocolForm(request.POST or None, initial=protocol_initial(protocol.kind, options))
    if _are_valid(form, asked):
        try:
            project_update(project=project, by=request.user, **form.cleaned_data, **_asked(asked))
        except FeedbackError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, _("Saved."))
            return go(request, "feedback:project_settings", project.pk)
    return _form_page(request, form, asked, {"project": project, "protocol": protocol})


def _are_valid(*both: forms.BaseForm) -> bool:
    valid = [form.is_valid() for form in both]  # first all, so that the errors of both are shown
    return all(valid)


def _asked(form: ProtocolForm) -> dict[str, Any]:
    return {"kind": form.cleaned_data["kind"], "options": form.cleaned_data["options"]}


def _form_page(request: Request, form: ProjectForm, asked: ProtocolForm, context: dict[str, Any]) -> HttpResponse:
    status = 422 if form.is_bound and (form.errors or asked.errors) else 200
    return page(
        request,
        "feedback/project_form.html",
        {
            **context,
            "form": form,
            "asked": asked,
            "number_fields": NUMBER_FIELDS,
            "disagreement_fields": DISAGREEMENT_FIELDS,
            "known_fields": KNOWN_FIELDS,
        },
        fragment="feedback/fragments/project_form.html",
        status=status,
    )


def _card(project: Project, user: User) -> Card:
    # A few queries a project: people are members of a handful, and each count is an index scan.
    roles = membership_roles(user=user, project=project)
    can_annotate = Role.ANNOTATOR in roles
    return Card(
        project=project,
        roles=[str(role.label) for role in Role if role in roles],
        can_annotate=can_annotate,
        queue=queue_count(project=project, annotator=user) if can_annotate else 0,
    )
