import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from tokenizers import Tokenizer, models, pre_tokenizers

from feedback.domain.protocol import ProtocolKind
from feedback.models import Judgment, Prompt
from tests.feedback.factories import ProjectFactory, PromptFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return ProjectFactory(name="Kindness")


def run(*arguments):
    out = StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def test_prompts_are_imported_by_name_or_id(project, tmp_path):
    file = tmp_path / "prompts.txt"
    file.write_text("Why?\nHow?\n")

    assert run("import_prompts", "Kindness", file) == "2 prompts added, 0 were known.\n"
    assert run("import_prompts", project.pk, file) == "0 prompts added, 2 were known.\n"


def test_a_bad_file_is_refused_with_its_name_line_and_reason(project, tmp_path):
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"prompt": "a"}\n{"answer": "b"}\n')

    with pytest.raises(CommandError, match=r"prompts.jsonl: Line 2: there is no prompt"):
        run("import_prompts", "Kindness", file)
    assert not Prompt.objects.exists()


def test_a_missing_file_or_project_is_said(project, tmp_path):
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        run("import_prompts", "Kindness", tmp_path / "none.txt")
    (tmp_path / "some.txt").write_text("x")
    with pytest.raises(CommandError, match=r"no project Unkindness; there are: \d+ \(Kindness\)"):
        run("import_prompts", "Unkindness", tmp_path / "some.txt")


def test_prompts_whose_answers_are_written_are_opened_without_a_policy(project):
    PromptFactory.create_batch(2, project=project)
    with pytest.raises(CommandError, match="needs at least one source"):
        run("open_batch", "Kindness")
    written = ProjectFactory(name="Words", protocol__kind=ProtocolKind.WRITE)
    with pytest.raises(CommandError, match="add some first"):
        run("open_batch", "Words")
    PromptFactory.create_batch(3, project=written)

    assert run("open_batch", "Words") == "Words, batch 1 is open with 3 prompts.\n"


def test_preferences_go_in_and_come_out(project, tmp_path):
    rows = [{"prompt": f"Question {n}", "chosen": "a good answer", "rejected": "bad"} for n in range(3)]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("\n".join(map(json.dumps, rows)))

    assert run("import_preferences", "Kindness", source).startswith("3 pairs added, 0 were known")
    assert "3 pairs of 3 judgments" in run("export_preferences", "Kindness", target)

    assert [json.loads(line)["chosen"][0]["content"] for line in target.open()] == ["a good answer"] * 3
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".part"] == []


def test_pairs_longer_than_the_context_are_skipped_by_the_bases_own_tokens(project, tmp_path):
    tokenizer = Tokenizer(models.WordLevel({"word": 0, "[UNK]": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    rows = [{"prompt": f"{n}", "chosen": "word " * n, "rejected": "word"} for n in (1, 10, 100)]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, rows)))

    said = run(
        "import_preferences", "Kindness", tmp_path / "in.jsonl",
        "--max-length", "40", "--tokenizer", tmp_path / "tokenizer.json",
    )  # fmt: skip

    assert said.startswith("2 pairs added, 0 were known; skipped: 1 too long")
    assert Judgment.objects.count() == 2


def test_a_key_is_made_and_printed(client, settings):
    settings.ROOT_URLCONF = "tests.feedback.api.urlconf"
    user = UserFactory(username="ann")

    key = run("token_create", "ann", "--scope", "export").strip()

    assert user.auth_token_set.get().scopes == ["export"]
    assert client.get("/api/v1/projects/", HTTP_AUTHORIZATION=f"Token {key}").status_code == 200
    with pytest.raises(CommandError, match="no active user bob"):
        run("token_create", "bob")
