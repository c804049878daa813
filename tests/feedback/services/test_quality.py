import datetime as dt
import math
import threading

import pytest
from celery import current_app
from django.db import connection, connections
from django.utils import timezone

from feedback.domain.quality import NOTHING, ConsensusFigures, Histogram, QualityFigures
from feedback.domain.quality_tables import ESTIMATES, OF_ANNOTATOR
from feedback.domain.states import QualityState, TaskPurpose
from feedback.jobs import compute_quality, refresh_quality, thin_quality
from feedback.models import Adjudication, Consensus, Gold, QualityReport, Transition
from feedback.selectors.quality import report_computed, report_figures
from feedback.services import quality as asking
from feedback.services import quality_computing
from feedback.services.quality import quality_ask, quality_refresh, quality_thin
from feedback.services.quality_computing import quality_compute
from feedback.views.quality_texts import METHODS
from tests.feedback.factories import (
    JudgmentFactory,
    ProjectFactory,
    ResponseFactory,
    SnapshotFactory,
    SourceFactory,
    TaskFactory,
    TaskItemFactory,
    UserFactory,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory()


@pytest.fixture
def seen(monkeypatch):
    """What the statistics were given; they answer with the task's first judgment as its consensus."""
    calls = []

    def compute(**given):
        calls.append(given)
        return FIGURES, [ConsensusFigures(int(task), (1, 2), 0.75, 3) for task in given["tasks"].task]

    monkeypatch.setattr(quality_computing.statistics, "quality_compute", compute)
    return calls


@pytest.fixture
def sent(monkeypatch):
    jobs = []
    monkeypatch.setattr(current_app, "send_task", lambda name, kwargs: jobs.append((name, kwargs["report_id"])))
    return jobs


FIGURES = QualityFigures(
    n_judgments=3, n_tasks=1, n_annotators=3, n_pairs=3, pairwise_agreement=NOTHING, kendall_tau=NOTHING,
    krippendorff_alpha=NOTHING, gold_accuracy=NOTHING, self_consistency=NOTHING, first_position=NOTHING,
    length_preference=NOTHING, seconds=NOTHING, flags={}, mean_confidence=NOTHING, annotators=(), sources=(), pairs=(),
    plan=(), seconds_histogram=Histogram((), ()), agreement_histogram=Histogram((), ()),
)  # fmt: skip


def judge(task, ranks, **more):
    annotator = more.pop("annotator", None) or UserFactory()
    return JudgmentFactory(assignment__task=task, assignment__annotator=annotator, ranks=ranks, **more)


def states(report):
    rows = Transition.objects.filter(object_type="feedback.qualityreport", object_id=report.pk).order_by("pk")
    return list(rows.values_list("to_state", flat=True))


def test_asking_twice_returns_the_report_that_is_under_way(project, sent, django_capture_on_commit_callbacks):
    ada = UserFactory()
    with django_capture_on_commit_callbacks(execute=True):
        first, second = quality_ask(project=project, by=ada), quality_ask(project=project)
        elsewhere = quality_ask(project=ProjectFactory())

    assert (first.state, first.asked_by) == (QualityState.QUEUED, ada)
    assert second.pk == first.pk != elsewhere.pk
    assert sent == [("feedback.quality_compute", first.pk), ("feedback.quality_compute", elsewhere.pk)]


def test_a_finished_report_is_followed_by_a_new_one(project):
    first = quality_ask(project=project)
    quality_compute(report_id=first.pk)

    assert quality_ask(project=project).pk != first.pk


@pytest.mark.django_db(transaction=True)
def test_many_who_ask_at_once_get_one_report(project, sent):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite lets one write at a time by itself")
    found = []

    def ask():
        found.append(quality_ask(project=project).pk)
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert set(found) == {QualityReport.objects.get().pk}


def test_a_report_holds_the_figures_and_what_they_rest_on(project, seen):
    task = TaskFactory(project=project)
    last = [judge(task, [1, 2]) for _ in range(3)][-1]
    report = quality_ask(project=project)

    quality_compute(report_id=report.pk)

    stored = report_computed(project=project)
    assert report_figures(stored) == FIGURES
    assert stored.last_judgment_id == last.pk
    assert stored.started_at <= stored.computed_at
    assert states(report) == ["queued", "computing", "computed"]
    consensus = Consensus.objects.get()
    assert (consensus.task, consensus.report, consensus.ranks, consensus.confidence) == (task, report, [1, 2], 0.75)


def test_a_new_report_replaces_the_consensus_of_its_project_alone(project, seen):
    elsewhere = TaskFactory()
    for task in (TaskFactory(project=project), elsewhere):
        judge(task, [1, 2])
        quality_compute(report_id=quality_ask(project=task.project).pk)
    judge(TaskFactory(project=project), [1, 2])

    again = quality_ask(project=project)
    quality_compute(report_id=again.pk)

    assert set(Consensus.objects.filter(task__project=project).values_list("report", flat=True)) == {again.pk}
    assert Consensus.objects.filter(task__project=project).count() == 2
    assert Consensus.objects.get(task=elsewhere).report.project == elsewhere.project


def test_the_statistics_see_each_persons_last_word_on_what_was_shown(project, seen):
    task = TaskFactory(project=project, n_answers=3)
    ann = UserFactory()
    first = judge(task, [1, 2, 3], annotator=ann, active_s=40)
    first.assignment.order = [2, 0, 1]
    first.assignment.save()
    JudgmentFactory(
        assignment=first.assignment, supersedes=first, ranks=[2, 1, None], cannot_judge=[], active_s=5,
        flags=[{"item": 0, "flag": "unsafe"}],
    )  # fmt: skip
    judge(task, [1, None, None], cannot_judge=[2], counted=False, flags=[{"item": 0, "flag": "off_topic"}])
    judge(task, [None, None, None], flags=[{"item": 1, "flag": "unsafe"}])  # says nothing about the order
    JudgmentFactory()

    quality_compute(report_id=quality_ask(project=project).pk)

    [given] = seen
    votes = given["votes"]
    assert votes.task.tolist() == [task.pk] * 2
    assert votes.annotator.tolist()[0] == ann.pk
    assert votes.ranks_JK[0].tolist() == [2, 1, math.inf]
    assert votes.ranks_JK[1].tolist()[:2] == [1, math.inf]
    assert str(votes.ranks_JK[1, 2]) == "nan"
    assert votes.shown_JK[0].tolist() == [1, 2, 0]
    assert votes.counted.tolist() == [True, False]
    assert votes.seconds.tolist()[0] == 45  # the correction is part of the work
    assert votes.n_flags.tolist() == [1, 1]
    assert votes.purpose.tolist() == ["label", "label"]
    assert given["flags"] == {"unsafe": 2}
    assert given["decided"] == {}
    assert given["seed"] == project.pk


def test_the_statistics_see_what_is_known_of_the_tasks(project, seen):
    task = TaskFactory(project=project, n_answers=0)
    sources = [SourceFactory(project=project, key=key) for key in ("b", "a")]
    for text, item, source in (("Yes.", 0, sources[0]), ("Yes.", 0, sources[1]), ("Never.", 1, sources[0])):
        response = ResponseFactory(prompt=task.prompt, source=source, text=text, sample=item)
        TaskItemFactory(task=task, response=response, item=item)
    known = TaskFactory(project=project, batch=None, overlap=30_000, purpose=TaskPurpose.GOLD, n_answers=3)
    Gold.objects.create(task=known, ranks=[2, 1, 3], tolerance=0.4, created_by=UserFactory())
    judge(task, [1, 2])
    judge(known, [1, 2, 3])

    quality_compute(report_id=quality_ask(project=project).pk)

    tasks = seen[0]["tasks"]
    assert tasks.task.tolist() == [task.pk, known.pk]
    assert tasks.prompt.tolist() == [task.prompt_id, known.prompt_id]
    assert tasks.lengths_TK[0].tolist()[:2] == [4, 6]
    assert str(tasks.lengths_TK[0, 2]) == "nan"
    assert tasks.sources[0] == (("a", "b"), ("b",))
    assert tasks.gold_TK[1].tolist() == [2, 1, 3]
    assert [str(rank) for rank in tasks.gold_TK[0]] == ["nan"] * 3
    assert tasks.tolerance.tolist() == [0, 0.4]
    assert seen[0]["votes"].ranks_JK.shape == (2, 3)


def test_a_repeat_counts_for_the_task_that_it_repeats(project, seen):
    task = TaskFactory(project=project)
    ann = UserFactory()
    judge(task, [1, 2], annotator=ann)
    judge(TaskFactory(project=project, purpose=TaskPurpose.REPEAT, repeat_of=task), [2, 1], annotator=ann)

    quality_compute(report_id=quality_ask(project=project).pk)

    votes = seen[0]["votes"]
    assert votes.task.tolist() == [task.pk, task.pk]
    assert votes.purpose.tolist() == ["label", "repeat"]
    assert seen[0]["tasks"].task.tolist() == [task.pk]


def test_what_an_adjudicator_decided_stands_also_when_it_was_corrected(project, seen):
    task = TaskFactory(project=project, n_answers=3)
    judge(task, [1, 2, 3])
    decided = judge(task, [3, 2, 1])
    Adjudication.objects.create(task=task, agreement=0.2, judgment=decided, state="decided")
    JudgmentFactory(assignment=decided.assignment, supersedes=decided, ranks=[2, 1, None])

    quality_compute(report_id=quality_ask(project=project).pk)

    assert seen[0]["decided"] == {task.pk: (2, 1, 3)}


def test_chunks_give_the_same_as_one_read(project, seen, monkeypatch):
    task = TaskFactory(project=project)
    for _ in range(5):
        judge(task, [1, 2])
    quality_compute(report_id=quality_ask(project=project).pk)
    monkeypatch.setattr("feedback.selectors.votes.CHUNK", 2)
    monkeypatch.setattr(quality_computing, "INSERT_CHUNK", 1)
    judge(TaskFactory(project=project), [1, 2])

    quality_compute(report_id=quality_ask(project=project).pk)

    whole, chunked = (given["votes"].annotator.tolist() for given in seen)
    assert chunked[:-1] == whole
    assert len(chunked) == 6
    assert Consensus.objects.count() == 2


def test_without_judgments_a_report_says_so(project):
    report = quality_ask(project=project)
    quality_compute(report_id=report.pk)

    report.refresh_from_db()
    assert report.state == QualityState.UNCOMPUTED
    assert "nobody has compared any answers" in report.error
    assert report_computed(project=project) is None


def test_a_report_that_fails_says_why_and_leaves_the_earlier_one(project, seen, monkeypatch):
    judge(TaskFactory(project=project), [1, 2])
    earlier = quality_ask(project=project)
    quality_compute(report_id=earlier.pk)

    def fail(**given):
        raise ZeroDivisionError("no rows")

    monkeypatch.setattr(quality_computing.statistics, "quality_compute", fail)
    report = quality_ask(project=project)
    quality_compute(report_id=report.pk)

    report.refresh_from_db()
    assert (report.state, report.error) == (
        QualityState.UNCOMPUTED, "ZeroDivisionError: no rows. The worker's log has more.",
    )  # fmt: skip
    assert report_computed(project=project) == earlier
    assert Consensus.objects.get().report == earlier


def test_real_figures_are_stored_and_read_back_and_every_method_has_words(project):
    people, sources = UserFactory.create_batch(4), [SourceFactory(project=project, key=key) for key in "ab"]
    tasks = []
    for number in range(12):
        task = TaskFactory(project=project, n_answers=0)
        for item, source in enumerate(sources):
            response = ResponseFactory(prompt=task.prompt, source=source, text="word " * (item + 1 + number % 3))
            TaskItemFactory(task=task, response=response, item=item)
        tasks.append(task)
        for index, person in enumerate(people):
            ranks = [2, 1] if (number + index) % 4 == 0 else [1, 2]
            judge(task, ranks, annotator=person, active_s=20 + number, flags=[{"item": 0, "flag": "untrue"}])
    known = TaskFactory(project=project, batch=None, overlap=30_000, purpose=TaskPurpose.GOLD)
    Gold.objects.create(task=known, ranks=[1, 2], created_by=people[0])
    repeat = TaskFactory(project=project, purpose=TaskPurpose.REPEAT, repeat_of=tasks[0])
    for person in people:
        judge(known, [1, 2], annotator=person)
    judge(repeat, [1, 2], annotator=people[0])

    report = quality_ask(project=project)
    quality_compute(report_id=report.pk)

    report.refresh_from_db()
    assert (report.state, report.error) == (QualityState.COMPUTED, "")
    figures = report_figures(report)
    assert figures.to_json() == report_figures(report_computed(project=project)).to_json()
    assert {one.annotator for one in figures.annotators} == {person.pk for person in people}
    assert (figures.gold_accuracy.value, figures.gold_accuracy.n) == (1, 4)
    assert figures.self_consistency.n == 1
    assert figures.flags == {"untrue": 48}
    assert {source.source for source in figures.sources} == {"a", "b"}
    assert set(Consensus.objects.values_list("task_id", flat=True)) >= {task.pk for task in tasks}
    estimates = [getattr(figures, name) for name in ESTIMATES]
    estimates += [getattr(one, name) for one in figures.annotators for name in OF_ANNOTATOR]
    estimates += [value for one in figures.sources for value in (one.rating, one.win_rate)]
    assert {one.method for one in estimates} - {""} <= set(METHODS)


def test_a_message_that_comes_twice_computes_once(project, seen):
    judge(TaskFactory(project=project), [1, 2])
    report = quality_ask(project=project)

    quality_compute(report_id=report.pk)
    compute_quality(report.pk)

    assert len(seen) == 1


def test_a_report_whose_worker_was_killed_is_taken_up_again(project, seen, sent, django_capture_on_commit_callbacks):
    judge(TaskFactory(project=project), [1, 2])
    report = quality_ask(project=project)
    long_ago = timezone.now() - dt.timedelta(hours=1)
    QualityReport.objects.filter(pk=report.pk).update(
        state=QualityState.COMPUTING, started_at=long_ago, created_at=long_ago
    )

    with django_capture_on_commit_callbacks(execute=True):
        refresh_quality()
    quality_compute(report_id=report.pk)

    assert sent[-1] == ("feedback.quality_compute", report.pk)
    assert report_computed(project=project) == report
    assert states(report)[-3:] == ["queued", "computing", "computed"]


def test_a_worker_that_was_given_up_does_not_overwrite_its_successor(project, seen, monkeypatch):
    judge(TaskFactory(project=project), [1, 2])
    report = quality_ask(project=project)
    statistics = quality_computing.statistics.quality_compute

    def slow(**given):
        monkeypatch.setattr(quality_computing.statistics, "quality_compute", statistics)
        QualityReport.objects.filter(pk=report.pk).update(state=QualityState.QUEUED)
        quality_compute(report_id=report.pk)  # the successor
        return statistics(**given)

    monkeypatch.setattr(quality_computing.statistics, "quality_compute", slow)
    quality_compute(report_id=report.pk)

    assert states(report) == ["queued", "computing", "computing", "computed"]
    assert Consensus.objects.count() == 1


def test_a_report_that_loses_every_worker_is_given_up(project):
    report = quality_ask(project=project)
    for _ in range(3):
        quality_refresh()
        report.refresh_from_db()
        asking.transition(
            obj=report, to=QualityState.COMPUTING, started_at=timezone.now() - dt.timedelta(hours=1), error=""
        )
    quality_refresh()

    report.refresh_from_db()
    assert report.state == QualityState.UNCOMPUTED
    assert "disappeared again and again" in report.error


def test_a_report_whose_message_was_lost_is_sent_again(project, sent, django_capture_on_commit_callbacks):
    report = quality_ask(project=project)
    with django_capture_on_commit_callbacks(execute=True):
        quality_refresh()
    assert sent == []

    QualityReport.objects.filter(pk=report.pk).update(created_at=timezone.now() - dt.timedelta(minutes=1))
    with django_capture_on_commit_callbacks(execute=True):
        quality_refresh()
    assert sent == [("feedback.quality_compute", report.pk)]


def test_figures_are_asked_for_once_enough_was_judged_and_the_last_ones_are_old(project, seen, monkeypatch):
    monkeypatch.setattr(asking, "NEW_JUDGMENTS", 2)
    task = TaskFactory(project=project)
    judge(task, [1, 2])
    quality_refresh()
    assert not project.quality_reports.exists()

    judge(task, [1, 2])
    quality_refresh()
    first = project.quality_reports.get()
    assert (first.state, first.asked_by) == (QualityState.QUEUED, None)
    quality_compute(report_id=first.pk)

    for _ in range(2):
        judge(task, [1, 2])
    quality_refresh()
    assert project.quality_reports.count() == 1  # too young

    hour = dt.timedelta(hours=1)
    now = timezone.now()
    project.quality_reports.update(created_at=now - hour, started_at=now - hour, computed_at=now - hour / 2)
    quality_refresh()
    assert project.quality_reports.count() == 1  # it took half an hour, so it rests for ten

    project.quality_reports.update(computed_at=now - hour)
    quality_refresh()
    assert project.quality_reports.count() == 2


def test_of_a_day_that_is_over_the_last_report_stays_and_what_something_rests_on(project):
    def reported(days_ago, state=QualityState.COMPUTED):
        report = QualityReport.objects.create(project=project, state=state)
        noon = timezone.now().replace(hour=12, minute=0, second=0) - dt.timedelta(days=days_ago)
        QualityReport.objects.filter(pk=report.pk).update(created_at=noon)
        return report

    gone, named, rested_on, failed = (reported(9) for _ in range(4))
    QualityReport.objects.filter(pk=failed.pk).update(state=QualityState.UNCOMPUTED)
    last = reported(9)
    failed_last = reported(9, QualityState.UNCOMPUTED)
    fresh = [reported(1), reported(1)]
    SnapshotFactory(project=project, filter={"quality_report": named.pk})
    SnapshotFactory(project=project, filter={"quality_report": None})
    Consensus.objects.create(task=TaskFactory(project=project), report=rested_on, ranks=[], confidence=1, n_judgments=1)

    assert quality_thin() == 2

    left = set(project.quality_reports.values_list("pk", flat=True))
    assert left == {report.pk for report in (named, rested_on, last, failed_last, *fresh)}
    assert gone.pk not in left


def test_the_jobs_have_the_names_by_which_they_are_called(settings):
    assert compute_quality.name == asking.JOB
    assert {refresh_quality.name, thin_quality.name} <= set(settings.CELERY_BEAT_SCHEDULE)
