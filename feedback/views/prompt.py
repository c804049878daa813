"""A project's prompts: what is there, and the upload of more."""

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from feedback.domain.errors import FeedbackError
from feedback.domain.states import Split
from feedback.models import Project
from feedback.selectors.prompt import prompt_counts
from feedback.selectors.prompt_search import PromptFilter, prompt_search
from feedback.services.prompt import prompts_import
from feedback.views.access import Request, project_page, whole_number
from feedback.views.rendering import go, page, wants_fragment

PROMPTS_A_PAGE = 25
"""About two screens: enough to see what was uploaded."""


class UploadForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("File"),
        allow_empty_file=True,  # the service says why an empty one is refused
        widget=forms.ClearableFileInput(attrs={"accept": ".jsonl,.json,.txt,.csv"}),
    )


class PromptSearchForm(forms.Form):
    words = forms.CharField(label=gettext_lazy("Words"), required=False, max_length=200)
    tag = forms.CharField(label=gettext_lazy("Tag"), required=False, max_length=200)
    split = forms.ChoiceField(
        label=gettext_lazy("Split"), required=False, choices=[("", gettext_lazy("Any")), *Split.choices]
    )

    def asked(self) -> PromptFilter:
        """Return what the form asks for; a form with a mistake finds everything, and says what is wrong."""
        if not self.is_valid():
            return PromptFilter()
        split = self.cleaned_data["split"]
        return PromptFilter(
            words=self.cleaned_data["words"], tag=self.cleaned_data["tag"], split=Split(split) if split else None
        )


@require_http_methods(["GET", "POST"])
@project_page("feedback.manage_project")
def prompts(request: Request, project: Project) -> HttpResponse:
    """List the prompts that a search finds, and take a file of new ones or refuse it whole."""
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
    search = PromptSearchForm(request.GET)
    asked = search.asked()
    below = whole_number(request.GET.get("below", ""))
    found = prompt_search(project=project, asked=asked, below=below, limit=PROMPTS_A_PAGE)
    said = {"words": asked.words, "tag": asked.tag, "split": asked.split or ""}
    counts = prompt_counts(project=project)
    context |= {
        "project": project,
        "form": form,
        "counts": {split.value: n for split, n in counts.items()} | {"total": sum(counts.values())},
        "search": search,
        "query": urlencode({name: value for name, value in said.items() if value}),
        "found": found,
        "is_first": below is None,
    }
    status = 422 if form.is_bound and form.errors else 200
    return page(request, "feedback/prompts.html", context, fragment="feedback/fragments/prompts.html", status=status)
