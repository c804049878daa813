import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from feedback.domain.quality import Estimate
from feedback.domain.states import QualityState, Role, TaskPurpose
from feedback.models import Gold, QualityReport
from feedback.views import quality
from tests.feedback.factories import (
    JudgmentFactory,
    MembershipFactory,
    ProjectFactory,
    QualityReportFactory,
    TaskFactory,
    annotator_figures,
    quality_figures,
)
from tests.quality_example import example_figures

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


@pytest.fixture
def project():
    return ProjectFactory()


@pytest.fixture
def ann(project):
    return MembershipFactory(project=project, user__username="annie", pseudonym="p-ann").user


@pytest.fixture
def bob(project):
    return MembershipFactory(project=project, user__username="bob", pseudonym="p-bob").user


@pytest.fixture
def report(project, ann, bob):
    return QualityReportFactory(
        project=project, figures=example_figures(ann, bob).to_json(), last_judgment_id=77,
        computed_at=dt.datetime(2026, 11, 22, 6, 40, tzinfo=dt.UTC),
    )  # fmt: skip


@pytest.fixture
def sign_in(client, project):
    def as_(role):
        client.force_login(MembershipFactory(project=project, role=role).user)
        return client

    return as_


def url(project, name="quality", **query):
    return reverse(f"feedback:{name}", args=[project.pk], query=query)


def order(text, *names):
    """Return the names in the order in which they stand in the table of annotators."""
    table = text[text.index('id="annotators"') :]
    table = table[table.index("<tbody>") :]
    return sorted(names, key=table.index)


def test_before_the_first_report_the_page_says_when_figures_come(sign_in, project):
    text = sign_in(Role.RESEARCHER).get(url(project)).content.decode()
    assert "No figures yet" in text
    assert "after 50 judgments" in text


def test_the_page_shows_all_figures_with_what_they_rest_on(sign_in, project, report):
    text = sign_in(Role.ADMIN).get(url(project)).content.decode()

    assert f"Report {report.pk}" in text
    assert "Computed 2026-11-22 06:40 UTC from all judgments up to number 77" in text
    assert "1,234" in text
    assert "0.73 to 0.89" in text  # agreement on pairs
    assert "share of pairs, Wilson" in text
    assert text.count('role="img"') == 4
    assert "they differ" in text
    assert "over a million" in text
    assert "± 0.050" in text
    assert "Not true" in text  # a flag by its name


def test_suspicions_are_badges_and_lead_to_the_person(sign_in, project, report, bob):
    text = sign_in(Role.ADMIN).get(url(project)).content.decode()
    row = text[text.index(f"/quality/{bob.pk}/") :]
    row = row[: row.index("</th>")]
    assert "By position" in row
    assert "Copying" in row


def test_a_researcher_sees_pseudonyms_and_an_admin_names_too(sign_in, project, report, ann):
    for name in (url(project), reverse("feedback:quality_annotator", args=[project.pk, ann.pk])):
        as_researcher = sign_in(Role.RESEARCHER).get(name).content.decode()
        as_admin = sign_in(Role.ADMIN).get(name).content.decode()
        assert "p-ann" in as_researcher
        assert "annie" not in as_researcher
        assert "annie" in as_admin


def test_annotators_are_sorted_by_the_columns_that_there_are(sign_in, project, report):
    client = sign_in(Role.RESEARCHER)
    names = ("p-ann", "p-bob")
    for sort, expected in {
        "": ["p-bob", "p-ann"],  # the least reliable first
        "-reliability": ["p-ann", "p-bob"],
        "annotator": ["p-ann", "p-bob"],
        "annotator__password": ["p-bob", "p-ann"],
        "to_json": ["p-bob", "p-ann"],
    }.items():
        text = client.get(url(project, sort=sort)).content.decode()
        assert order(text, *names) == expected, sort


def test_more_annotators_than_a_page_holds_are_paged(sign_in, project, monkeypatch):
    monkeypatch.setattr(quality, "ANNOTATORS_A_PAGE", 2)
    people = MembershipFactory.create_batch(5, project=project)
    figures = quality_figures(
        annotators=tuple(annotator_figures(one.user, reliability=Estimate(0.5)) for one in people)
    )
    QualityReportFactory(project=project, figures=figures.to_json())
    client = sign_in(Role.RESEARCHER)

    first = client.get(url(project, sort="annotator")).content.decode()
    last = client.get(url(project, sort="annotator", page=3)).content.decode()

    assert people[0].pseudonym in first
    assert people[4].pseudonym not in first
    assert "?sort=annotator&amp;page=2" in first
    assert people[4].pseudonym in last


def test_pressing_the_button_asks_for_one_report(sign_in, project):
    client = sign_in(Role.RESEARCHER)
    answers = [client.post(url(project, "quality_ask")) for _ in range(2)]

    assert {(answer.status_code, answer["Location"]) for answer in answers} == {(303, url(project))}
    report = QualityReport.objects.get()
    assert (report.state, report.asked_by_id) == (QualityState.QUEUED, int(client.session["_auth_user_id"]))


def test_the_page_asks_again_while_figures_are_computed_and_stops_when_they_are_there(sign_in, project, report):
    client = sign_in(Role.ADMIN)
    assert client.get(url(project), **HTMX).status_code == 286

    newer = QualityReportFactory(project=project, state=QualityState.COMPUTING, figures={}, computed_at=None)
    answer = client.get(url(project, sort="-weight"), **HTMX)
    text = answer.content.decode()
    assert answer.status_code == 200
    assert f'hx-get="{url(project, sort="-weight")}"' in text
    assert f"Report {report.pk}" in text  # the earlier figures stay until then
    assert "Compute again" not in text
    assert "<html" not in text

    newer.state, newer.figures, newer.computed_at = QualityState.COMPUTED, report.figures, timezone.now()
    newer.save()
    answer = client.get(url(project), **HTMX)
    assert answer.status_code == 286
    assert f"Report {newer.pk}" in answer.content.decode()


def test_a_report_that_failed_is_told_beside_the_earlier_figures(sign_in, project, report):
    QualityReportFactory(project=project, state=QualityState.UNCOMPUTED, figures={}, error="<b>No memory</b>")
    text = sign_in(Role.ADMIN).get(url(project)).content.decode()
    assert "The last attempt ended without figures: &lt;b&gt;No memory&lt;/b&gt;" in text
    assert f"Report {report.pk}" in text


def test_a_persons_page_shows_their_figures_beside_the_projects(sign_in, project, report, ann, bob):
    client = sign_in(Role.RESEARCHER)

    honest = client.get(reverse("feedback:quality_annotator", args=[project.pk, ann.pk])).content.decode()
    assert "Judgments: 617. Weight of each in the consensus: 1.00." in honest
    assert "0.80 to 0.96" in honest  # the person's reliability
    assert '<td class="num">0.81</td>' in honest  # the project's agreement
    spammer = client.get(reverse("feedback:quality_annotator", args=[project.pk, bob.pk])).content.decode()
    assert "The place of an answer decides" in spammer
    assert "<code>p-ann</code>" in spammer


def test_a_persons_page_shows_known_answers_flags_and_times(sign_in, project, report, ann):
    known = [
        TaskFactory(project=project, batch=None, overlap=30_000, purpose=TaskPurpose.GOLD, n_answers=2)
        for _ in range(2)
    ]
    for task, ranks in zip(known, ([1, 2], [2, 1]), strict=True):
        Gold.objects.create(task=task, ranks=[1, 2], created_by=project.created_by)
        JudgmentFactory(
            assignment__task=task, assignment__annotator=ann, ranks=ranks, active_s=12,
            flags=[{"item": 0, "flag": "unsafe"}],
        )  # fmt: skip

    text = sign_in(Role.ADMIN).get(reverse("feedback:quality_annotator", args=[project.pk, ann.pk])).content.decode()

    assert text.count(">right<") == text.count(">wrong<") == 1
    assert "1 of 1" in text
    assert "Unsafe" in text
    assert "2 Judgments; most of them, 2, from 10 to 20 seconds." in text


def test_a_person_without_figures_has_a_page(sign_in, project, report):
    new = MembershipFactory(project=project).user
    answer = sign_in(Role.ADMIN).get(reverse("feedback:quality_annotator", args=[project.pk, new.pk]))
    assert "has no figures of this person" in answer.content.decode()


def test_somebody_who_was_never_a_member_has_no_page(sign_in, project):
    stranger = MembershipFactory().user
    assert (
        sign_in(Role.ADMIN).get(reverse("feedback:quality_annotator", args=[project.pk, stranger.pk])).status_code
        == 404
    )


def test_each_table_is_a_file_without_formulas(sign_in, project, report):
    client = sign_in(Role.RESEARCHER)
    answer = client.get(url(project, "quality_csv", table="sources"))
    lines = b"".join(answer.streaming_content).decode().splitlines()
    assert answer["Content-Disposition"] == f'attachment; filename="project-{project.pk}-quality-sources.csv"'
    assert lines[0].startswith("source,rating,rating_low")
    assert lines[1].startswith("policy-2,0.42,0.2,")
    assert lines[2].startswith("'=sft,-0.42,")
    assert client.get(url(project, "quality_csv", table="secrets")).status_code == 404


def test_before_the_first_report_a_file_is_a_header(sign_in, project):
    answer = sign_in(Role.RESEARCHER).get(url(project, "quality_csv"))
    assert b"".join(answer.streaming_content).decode().splitlines() == ["figure,value,low,high,n,method"]


def test_more_people_need_no_more_queries(sign_in, project, report):
    client = sign_in(Role.ADMIN)

    def n_queries():
        with CaptureQueriesContext(connection) as queries:
            client.get(url(project))
        return len(queries)

    few = n_queries()
    people = MembershipFactory.create_batch(20, project=project)
    figures = quality_figures(annotators=tuple(annotator_figures(one.user) for one in people))
    QualityReportFactory(project=project, figures=figures.to_json())

    assert n_queries() == few


def test_the_page_of_data_says_which_report_the_files_speak_of(sign_in, project, report):
    client = sign_in(Role.RESEARCHER)
    text = client.get(url(project, "data")).content.decode()
    assert f"By quality report {report.pk}, computed 2026-11-22 06:40 UTC." in text

    QualityReport.objects.all().delete()
    assert "Empty until the first quality report" in client.get(url(project, "data")).content.decode()
