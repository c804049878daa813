"""A project's prompts: what is there, and the upload of more."""

from typing import Any

from django import forms
from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from feedback.domain.errors import FeedbackError
from feedback.models import Project
from feedback.selectors.prompt import prompt_counts, prompt_list
from feedback.services.prompt import prompts_import
from feedback.views.access import Request, project_page
from feedback.views.rendering import go, page, wants_fragment

PROMPTS_A_PAGE = 25
"""About two screens: enough to see what was uploaded."""


class UploadForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        allow_empty_file=True,  # the service says why an empty one is refused
        widget=forms.ClearableFileInput(attrs={"accept": ".jsonl,.json,.txt,.csv"}),
    )


@require_http_methods(["GET", "POST"])
@project_page("feedback.manage_project")
def prompts(request: Request, project: Project) -> HttpResponse:
    """List prompts, and take a file of new ones or refuse it whole."""
    if request.method == "GET":
        return _page(request, project, UploadForm())
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return _page(request, project, form)
    file = form.cleaned_data["file"]
    try:
        result = prompts_import(project=project, file=file, filename=file.name, by=request.user)
    except FeedbackError as error:
        form.add_error("file", error.message)
        return _page(request, project, form)
    if wants_fragment(request):
        return _page(request, project, UploadForm(), result=result)
    messages.success(
        request,
        _("%(added)d added, %(known)d were there already.") % {"added": result.n_added, "known": result.n_known},
    )
    return go(request, "feedback:prompts", project.pk)


def _page(request: Request, project: Project, form: UploadForm, **context: Any) -> HttpResponse:
    found = Paginator(prompt_list(project=project), PROMPTS_A_PAGE).get_page(request.GET.get("page"))
    counts = prompt_counts(project=project)
    context |= {
        "project": project,
        "form": form,
        "counts": {split.value: n for split, n in counts.items()} | {"total": sum(counts.values())},
        "prompts": found.object_list,
        "page_obj": found,
    }
    status = 422 if form.is_bound and form.errors else 200
    return page(request, "feedback/prompts.html", context, fragment="feedback/fragments/prompts.html", status=status)
