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


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_best_of_n_by_a_reward_model_come_with_their_scores(loud_base, reward_folder, prompts, tmp_path):
    common = ("--base", loud_base, "--prompts", prompts, "--max-new-tokens", 5)
    assert sample(*common, "--best-of", 6, "-n", 2, "--reward", reward_folder, "--out", tmp_path / "best") == 0
    assert sample(*common, "-n", 6, "--out", tmp_path / "all") == 0
    best, everything = read(tmp_path / "best"), read(tmp_path / "all")
    assert [row["sample"] for row in best] == [0, 1] * 3
    assert all(first["score"] >= second["score"] for first, second in zip(best[::2], best[1::2], strict=True))
    assert {(row["id"], row["answer"]) for row in best} < {(row["id"], row["answer"]) for row in everything}


def test_beams_come_best_first_and_the_same_every_time(tiny_base, prompts, tmp_path):
    for seed in (1, 2):
        options = ("--num-beams", 3, "-n", 2, "--max-new-tokens", 5, "--seed", seed, "--logprobs")
        assert sample("--base", tiny_base, "--prompts", prompts, "--out", tmp_path / str(seed), *options) == 0
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    rows = read(tmp_path / "1")
    assert all(first["score"] >= second["score"] for first, second in zip(rows[::2], rows[1::2], strict=True))
    assert all(len(row["logprobs"]) == row["n_tokens"] for row in rows)


def test_a_bad_word_is_never_written(loud_base, prompts, tmp_path):
    options = ("--base", loud_base, "--prompts", prompts, "-n", 4, "--max-new-tokens", 20)
    assert sample(*options, "--out", tmp_path / "free") == 0
    words = {word for row in read(tmp_path / "free") for word in row["answer"] if word.isalpha() and word.isascii()}
    word = min(words)
    assert sample(*options, "--bad-word", word, "--out", tmp_path / "forbidden") == 0
    assert not any(word == text for row in read(tmp_path / "forbidden") for text in row["answer"].split())


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--num-beams", 2, "--top-p", 0.5, "--min-p", 0.1), "leave --num-beams or --top-p, --min-p out"),
        (("--num-beams", 2, "-n", 3), "lower -n"),
        (("--num-beams", 0), "-n"),
        (("--length-penalty", 2), "--num-beams"),
        (("--best-of", 4), "--reward"),
        (("--reward", "x"), "--best-of"),
        (("--best-of", 4, "--reward", "x", "-n", 5), "lower -n"),
        (("--min-p", 2), "min_p"),
        (("--repetition-penalty", 0), "repetition_penalty"),
        (("--bad-word", " "), "bad word"),
        (("--stop", ""), "stop"),
    ],
)
def test_what_cannot_be_asked_or_combined_gets_one_sentence(tiny_base, capsys, arguments, reason):
    assert sample("--base", tiny_base, "--prompt", "Fox?", *arguments) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1
