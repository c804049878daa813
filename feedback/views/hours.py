"""Hours and counts for payroll."""

from django import forms
from django.http import HttpResponse, StreamingHttpResponse
from django.views.decorators.http import require_GET

from feedback.formats.writing import csv_lines
from feedback.models import Project
from feedback.selectors.hours import COLUMNS, hours_rows
from feedback.views.access import Request, project_page


class DaysForm(forms.Form):
    first = forms.DateField(required=False)
    last = forms.DateField(required=False)


@require_GET
@project_page("feedback.manage_project")
def hours_csv(request: Request, project: Project) -> HttpResponse | StreamingHttpResponse:
    """Answer a row a person and day; `first` and `last` bound the days, as 2026-11-22."""
    form = DaysForm(request.GET)
    if not form.is_valid():
        reasons = [f"{field}: {' '.join(map(str, errors))}" for field, errors in form.errors.items()]
        return HttpResponse("\n".join(reasons), status=400, content_type="text/plain; charset=utf-8")
    rows = hours_rows(project=project, **form.cleaned_data)
    response = StreamingHttpResponse(csv_lines(rows, COLUMNS), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="project-{project.pk}-hours.csv"'
    return response
