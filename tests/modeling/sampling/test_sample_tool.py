import json

import pytest

from modeling.sampling.cli import main
from modeling.sampling.options import parser


@pytest.fixture
def prompts(write_jsonl):
    rows = [{"id": f"p{i}", "messages": [{"role": "user", "content": f"Fox {i}?"}]} for i in range(3)]
    return write_jsonl(rows, "prompts.jsonl").path


def sample(*arguments):
    return main(parser().parse_args([str(argument) for argument in arguments]))


def test_a_file_of_prompts_gives_n_answers_each_the_same_every_time(tiny_base, prompts, tmp_path):
    for name in ("one", "two"):
        options = ("--base", tiny_base, "--prompts", prompts, "--out", tmp_path / name, "-n", 2, "--max-new-tokens", 5)
        assert sample(*options) == 0
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    rows = [json.loads(line) for line in (tmp_path / "one").read_text().splitlines()]
    assert [(row["id"], row["sample"]) for row in rows] == [(f"p{i}", n) for i in range(3) for n in range(2)]
    assert {row["finish_reason"] for row in rows} <= {"stop", "length"}


def test_one_prompt_is_answered_on_the_screen(tiny_base, capsys):
    assert sample("--base", tiny_base, "--prompt", "Fox?", "--max-new-tokens", 5) == 0
    assert capsys.readouterr().out.strip()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [(("--temperature", -1), "temperature"), (("--adapter", "/nowhere"), "not an adapter folder"), (("-n", 0), "n")],
)
def test_bad_options_get_one_sentence(tiny_base, capsys, arguments, reason):
    assert sample("--base", tiny_base, "--prompt", "Fox?", *arguments) == 2
    assert reason in capsys.readouterr().err


def test_a_broken_prompt_file_is_refused_by_line(tiny_base, tmp_path, capsys):
    (tmp_path / "prompts.jsonl").write_text('{"id": "a", "messages": [{"role": "user", "content": "x"}]}\n{oops\n')
    assert sample("--base", tiny_base, "--prompts", tmp_path / "prompts.jsonl") == 2
    assert "line 2" in capsys.readouterr().err
