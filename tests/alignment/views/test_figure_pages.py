"""The figures on the round's and the runs' pages: tables, drawings with a text, and words about what they mean."""

import pytest
from django.urls import reverse
from django.utils.html import escape

from alignment.models import Evaluation, Run
from tests.example import METRICS, example_project, example_rounds

pytestmark = pytest.mark.django_db


@pytest.fixture
def example():
    return example_project()


@pytest.fixture
def show(client, example):
    """Return the text of a page that the admin opens."""
    round_ = example_rounds(example)
    client.force_login(example.admin)

    def show(purpose=""):
        number = round_.number
        if not purpose:
            return client.get(reverse("alignment:round", args=[example.project.pk, number])).content.decode()
        run = round_.runs.get(purpose=purpose)
        return client.get(reverse("alignment:run", args=[example.project.pk, number, run.pk])).content.decode()

    return show


def measured(metrics):
    Evaluation.objects.update(metrics=metrics)
    Run.objects.filter(purpose="evaluate").update(metrics=metrics)


@pytest.mark.parametrize("purpose", ["", "evaluate"])
def test_every_figure_of_an_evaluation_is_in_its_table(show, purpose):
    page = show(purpose)
    for said in (
        "Win rate at equal length", "0.731", "0.702 to 0.758", "Win rate by the reward model itself", "0.912",
        "Best of 4 by the reward model", "0.803", "0.689", "Distinct pairs of words", "0.142", "0.171",
        "Repeated phrases of 4 words", "0.0040", "Forgotten since SFT, nats a token", "0.049",
        "Checkable answers that are right, greedy", "0.030", "Is it better", "At what price", "What it still knows",
        "docs/post-training.md",
    ):  # fmt: skip
        assert said in page


@pytest.mark.parametrize("purpose", ["", "evaluate"])
def test_the_curve_says_where_reward_and_judge_part_and_has_a_table(show, purpose):
    page = show(purpose)
    assert "They part after step 25: by step 40 the judge had fallen by more than noise" in page
    assert "Warning from step 20 on" in page
    assert page.count('id="plot-trajectory-judge-desc"') == 1
    assert "at 0: -0.3; at 0.7416: 0.1;" in page  # the square root of 0.55 nats
    assert page.count('class="chart-mark"') == 4  # two marks in each of two drawings
    assert '<td class="num">4.40</td>' in page


def test_a_training_that_does_not_part_is_said_to(show):
    measured({name: value for name, value in METRICS.items() if not name.endswith("_step")})
    page = show()
    assert "They do not part within this training." in page
    assert "chart-mark" not in page


def test_an_evaluation_from_before_these_figures_still_has_its_page(show):
    old = ("n_prompts", "win_rate", "win_rate_low", "win_rate_high", "kl_nats", "mean_tokens", "best_of_4")
    measured({name: METRICS[name] for name in old})
    page = show()
    assert "0.764" in page
    assert "0.689" in page
    for gone in ("Reward and judge along the training", "What it still knows", "Win rate at equal length"):
        assert gone not in page


def test_peoples_own_comparison_is_one_link_away(show, example):
    assert f'href="{reverse("feedback:quality", args=[example.project.pk])}#sources"' in show()


def test_a_reward_models_page_has_its_calibration_and_what_it_makes_of_length(show):
    page = show("reward")
    for said in (
        "On pairs that it was not trained on", "0.702", "0.679 to 0.727", "Calibration error", "0.031",
        "What length adds to people&#x27;s", "Agrees with people at strength 3", "130 pairs",
        "How often it is right, over how sure it is", "at 0.53: 0.55;",
    ):  # fmt: skip
        assert said in page
    assert "strength 2" not in page  # nobody said it


def test_lists_are_drawn_and_not_printed_among_the_results(show):
    for purpose in ("reward", "evaluate"):
        page = show(purpose)
        assert "<dt>calibration</dt>" not in page
        assert "<dt>snapshots</dt>" not in page
        assert escape("{'") not in page.split('id="log"')[0]


def test_a_policys_page_is_as_it_was(show):
    page = show("policy")
    assert "Is it better" not in page
    assert "KL to the reference, nats" in page
