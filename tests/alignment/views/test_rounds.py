import re

import pytest
from django.urls import reverse

from alignment.domain.recipe import Gate
from alignment.domain.states import RoundState, RunState
from alignment.models import Deployment, Round, Run
from alignment.views.launch_form import LaunchForm
from feedback.domain.states import BatchState
from modeling.spec import DPOSpec, PPOSpec, RewardSpec, RLOOSpec
from tests.example import example_project, example_rounds, example_run

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}
STOP = 286


@pytest.fixture
def example():
    return example_project()


@pytest.fixture
def ada(client, example):
    client.force_login(example.admin)
    return client


def url(example, name, *args):
    return reverse(f"alignment:{name}", args=[example.project.pk, *args])


def defaults(**changes):
    form = LaunchForm()
    return {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()} | changes


def test_the_form_starts_from_the_specification_and_its_defaults_make_an_empty_recipe():
    form = LaunchForm(defaults())
    assert form.is_valid(), form.errors
    recipe = form.recipe()
    assert (recipe.method, recipe.start, recipe.reference) == ("ppo", "fresh", "sft")
    assert recipe.policy == recipe.reward == recipe.evaluation == {}


def test_only_what_differs_from_the_defaults_goes_into_the_recipe():
    form = LaunchForm(defaults(method="dpo", dpo_beta="0.2", rloo_n_steps="7", reward_folds="4"))
    assert form.is_valid(), form.errors
    assert form.recipe().policy == {"beta": 0.2}
    assert form.recipe().reward == {"folds": 4}


def test_a_method_is_set_by_the_fields_of_its_own_part():
    both = {"ppo_ppo_epochs": "4", "rloo_n_steps": "7", "grpo_n_steps": "8"}
    for method, policy in (("ppo", {"ppo_epochs": 4}), ("grpo", {"n_steps": 8}), ("rloo", {"n_steps": 7})):
        form = LaunchForm(defaults(method=method, **both))
        assert form.is_valid(), form.errors
        assert (form.recipe().method, form.recipe().policy) == (method, policy)


def test_a_hint_names_the_default_that_stands_in_its_field():
    form = LaunchForm()
    for name, spec in (("rloo", RLOOSpec), ("ppo", PPOSpec), ("dpo", DPOSpec), ("reward", RewardSpec)):
        assert f"about {spec.learning_rate:g};" in form.fields[f"{name}_learning_rate"].help_text
    assert f"{DPOSpec.beta:g} did not" in form.fields["dpo_beta"].help_text
    assert f"than {Gate.max_kl_nats:g}, policies" in form.fields["gate_max_kl_nats"].help_text
    assert not [name for name, field in form.fields.items() if "%(" in field.help_text]


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"method": "rloo", "rloo_samples_per_prompt": "1"}, "rloo_samples_per_prompt", "at least 2"),
        ({"ppo_ppo_epochs": "17"}, "ppo_ppo_epochs", "between 1 and 16"),
        ({"method": "dpo", "dpo_beta": "11"}, "dpo_beta", "(0, 10]"),
        ({"reward_learning_rate": "2"}, "reward_learning_rate", "(0, 1]"),
        ({"reward_folds": "x"}, "reward_folds", "whole number"),
        ({"reference": "previous"}, "reference", "needs start"),
        ({"gate_max_drop": "3"}, "gate_max_drop", "[0, 1]"),
    ],
)
def test_a_value_out_of_range_is_refused_beside_its_field(changes, field, said):
    form = LaunchForm(defaults(**changes))
    assert not form.is_valid()
    assert said in str(form.errors[field])


def test_launching_a_bad_recipe_changes_nothing(ada, example):
    round_ = example_rounds(example, state=RoundState.LABELING)
    response = ada.post(url(example, "round_launch"), defaults(ppo_kl_coef="101"), **HTMX)
    assert response.status_code == 422
    assert 'id="launch"' in response.content.decode()
    round_.refresh_from_db()
    assert round_.state == RoundState.LABELING


def test_launching_with_too_few_rankings_is_refused_with_the_reason(ada, example):
    round_ = example_rounds(example, state=RoundState.LABELING)
    response = ada.post(url(example, "round_launch"), defaults())
    assert response.status_code == 422
    assert response.context["form"].non_field_errors()
    round_.refresh_from_db()
    assert round_.state == RoundState.LABELING
    assert round_.batch.state == BatchState.OPEN


def test_the_rounds_page_says_what_the_live_round_waits_for(ada, example):
    round_ = example_rounds(example, state=RoundState.SAMPLING)
    Round.objects.filter(pk=round_.pk).update(waiting_for="Add other prompts <b>now</b>.")
    assert "Add other prompts &lt;b&gt;now&lt;/b&gt;." in ada.get(url(example, "rounds")).content.decode()


def test_a_round_at_the_gate_shows_its_evaluation_and_stops_polling(ada, example):
    example_rounds(example)
    response = ada.get(url(example, "round", 1), **HTMX)
    page = response.content.decode()
    assert response.status_code == STOP
    assert "hx-trigger" not in page
    for said in ("0.764", "0.689", "4.12", "modeling.world.gold:score", "1,000 held-out prompts", "passes the gate"):
        assert said in page
    assert "<strong>river path</strong>" in page


def test_the_evaluation_says_how_many_held_out_prompts_the_base_had_seen(ada, example):
    round_ = example_rounds(example)
    assert "left out" not in ada.get(url(example, "round", 1)).content.decode()
    Round.objects.filter(pk=round_.pk).update(n_heldout_left_out=3)
    page = ada.get(url(example, "round", 1)).content.decode()
    assert "3 held-out prompts are left out: the base was tuned on them." in page


def test_a_round_that_runs_is_polled(ada, example):
    example_rounds(example, state=RoundState.POLICY)
    response = ada.get(url(example, "round", 1), **HTMX)
    assert response.status_code == 200
    assert 'hx-trigger="every 2s"' in response.content.decode()


def test_deploying_against_the_gate_needs_a_reason_and_records_it(ada, example):
    round_ = example_rounds(example, passed=False)
    page = ada.get(url(example, "round", 1)).content.decode()
    assert "11.30 nats" in page
    assert "Deploy against the gate" in page

    ada.post(url(example, "round_deploy", 1), {"reason": " "})
    assert not Deployment.objects.filter(round=round_).exists()
    ada.post(url(example, "round_deploy", 1), {"reason": "We measure length on purpose."})
    deployment = Deployment.objects.get(round=round_)
    assert deployment.against_gate
    assert deployment.reason == "We measure length on purpose."


def test_rejecting_ends_the_round(ada, example):
    round_ = example_rounds(example)
    response = ada.post(url(example, "round_reject", 1), {"reason": ""})
    assert response.status_code == 303
    round_.refresh_from_db()
    assert round_.state == RoundState.REJECTED


def test_cancelling_keeps_the_rankings(ada, example):
    round_ = example_rounds(example, state=RoundState.POLICY)
    ada.post(url(example, "round_cancel", 1), {"reason": "wrong recipe"})
    round_.refresh_from_db()
    assert round_.state == RoundState.CANCELLED
    assert example.tasks[-1].judgments.count() == 1


def test_an_unknown_round_or_a_run_of_another_round_is_not_there(ada, example):
    example_rounds(example)
    run = Run.objects.get(purpose="policy")
    assert ada.get(url(example, "round", 9)).status_code == 404
    assert ada.get(url(example, "run", 0, run.pk)).status_code == 404
    assert ada.get(url(example, "run", 1, 10**9)).status_code == 404
    assert ada.get(url(example, "version", 10**9)).status_code == 404


def test_a_runs_page_draws_every_curve_and_escapes_what_it_printed(ada, example):
    example_rounds(example)
    page = ada.get(url(example, "run", 1, Run.objects.get(purpose="policy").pk)).content.decode()
    assert page.count("<polyline") == 4
    assert "rloo &lt;b&gt;begins&lt;/b&gt;" in page
    assert "rloo: step 40 of 40" in page
    assert re.search(r"<desc [^>]*>From [\d.-]+ to [\d.-]+; lowest", page)


def test_a_version_leads_back_to_rankings_people_and_base(ada, example):
    round_ = example_rounds(example)
    page = ada.get(url(example, "version", round_.policy_id)).content.decode()
    for said in ("policy-1", "sft-1", "base-1", "rloo in round 1", "1 rankings"):
        assert said in page


def test_the_build_page_is_polled_until_there_is_something_to_rank(ada, example):
    build = Round.objects.create(
        project=example.project, number=0, state=RoundState.BUILDING, is_build=True,
        recipe={"kind": "demo", "dialogues": []},
    )  # fmt: skip
    example_run(build, "corpus", "corpus", n_steps=0)
    example_run(build, "tokenizer", "tokenizer", n_steps=0)
    example_run(build, "pretrain", "pretrain", n_steps=100, done=25, state=RunState.RUNNING)
    response = ada.get(url(example, "build"), **HTMX)
    page = response.content.decode()
    assert response.status_code == 200
    assert 'hx-trigger="every 2s"' in page
    assert re.search(r'<progress max="100"\s+value="25"', page)
    assert "min left" in page
    assert page.count("<polyline") == 1
    assert "Watch it being built" in ada.get("/").content.decode()


def test_the_build_page_says_that_it_is_ready_and_stops(client, example):
    example_rounds(example, state=RoundState.LABELING)
    client.force_login(example.annotator)
    response = client.get(url(example, "build"), **HTMX)
    assert response.status_code == STOP
    assert "Judge answers" in response.content.decode()
