import itertools
import json
import random
import re
from collections import Counter

import pytest

from modeling.rundir import RunDir
from modeling.spec import CorpusSpec
from modeling.world import corpus
from modeling.world.almanac import almanac_write
from modeling.world.answers import Manner, answer_write
from modeling.world.entities import BY_NAME, ENTITIES
from modeling.world.questions import question_read, topics, with_claim
from modeling.world.split import split_of
from modeling.world.well_formed import well_formed


@pytest.fixture(scope="module")
def prompts():
    return list(corpus.prompts_make(24_000, seed=0))


@pytest.fixture(scope="module")
def texts():
    return list(corpus.texts_make(4_000, seed=0))


@pytest.fixture(scope="module")
def dialogues():
    return list(corpus.dialogues_make(3_000, seed=0))


def held_out_phrasings():
    """Every wording of every held-out question, claims included."""
    for question in topics():
        if question.split == "heldout":
            if question.type != "yesno":
                yield from question.phrasings()
                continue
            rng = random.Random(0)
            for _ in range(300):
                yield from with_claim(question, rng).phrasings()


def user_texts(rows):
    return [m["content"] for row in rows for m in row.get("messages", ()) if m["role"] == "user"]


def test_the_stage_writes_the_same_bytes_for_the_same_seed(tmp_path):
    spec = CorpusSpec(n_documents=200, n_dialogues=50, n_prompts=1_500, seed=7)
    folders = [RunDir(tmp_path / name) for name in ("one", "two")]
    for folder in folders:
        corpus.run(spec, folder)
    for name in ("texts.jsonl", "dialogues.jsonl", "prompts.jsonl"):
        one, two = (folder.artifact(name).read_bytes() for folder in folders)
        assert one == two
        assert len(one) > 10_000


def test_another_seed_writes_another_corpus_about_the_same_world():
    assert list(corpus.dialogues_make(20, seed=1)) != list(corpus.dialogues_make(20, seed=2))


def test_there_are_enough_distinct_prompts_in_every_split(prompts):
    assert len({json.dumps(row["messages"]) for row in prompts}) == 24_000
    assert len({row["id"] for row in prompts}) == 24_000
    count = Counter(row["split"] for row in prompts)
    assert count["heldout"] >= 4_000
    assert count["ranked"] >= 1_800
    assert count["pool"] >= 1_800


def test_every_type_and_kind_of_question_is_in_every_split(prompts):
    for split in ("ranked", "pool", "heldout"):
        rows = [row for row in prompts if row["split"] == split]
        assert len({row["tags"][0] for row in rows}) == 13


def test_the_split_is_a_function_of_the_group(prompts):
    assert all(row["split"] == split_of(row["group"]) for row in prompts)
    groups = {
        split: {row["group"] for row in prompts if row["split"] == split} for split in ("ranked", "pool", "heldout")
    }
    for one, two in itertools.combinations(groups.values(), 2):
        assert not one & two


def test_no_question_of_one_split_is_asked_in_another(prompts):
    """Also not in the earlier turn of a conversation, and not in other words around it."""
    asked = {split: set() for split in ("ranked", "pool", "heldout")}
    for row in prompts:
        for text in user_texts([row]):
            question = question_read(text)
            assert question.split == row["split"]
            asked[row["split"]].update(p for p in question.phrasings() if p in text)
    for one, two in itertools.combinations(asked.values(), 2):
        assert one
        assert not one & two


def test_a_group_read_from_a_prompt_is_the_group_it_was_written_for(prompts):
    for row in prompts[:5_000]:
        assert question_read(row["messages"][-1]["content"]).group == row["group"]
        assert question_read("\n".join(m["content"] for m in row["messages"])).group == row["group"]


def test_texts_and_dialogues_never_ask_a_held_out_question(texts, dialogues):
    held_out = set(held_out_phrasings())
    everything = "\n".join([*(row.get("text", "") for row in texts), *user_texts(texts), *user_texts(dialogues)])
    questions = [question_read(text) for text in user_texts([*texts, *dialogues])]
    assert all(question.split != "heldout" for question in questions)
    sentences = set(re.split(r"(?<=[.!?\n])\s+", everything))
    assert not {text for text in held_out if text in sentences}


def test_a_fifth_of_the_texts_are_chats(texts):
    assert sum("messages" in row for row in texts) / len(texts) >= 0.2


def test_prose_tells_every_fact_of_the_world():
    prose = " ".join(row.get("text", "") for row in corpus.texts_make(12_000, seed=0)).lower()
    for entity in ENTITIES:
        for value in entity.truth.values():
            name, value_text = re.escape(entity.name.lower()), re.escape(value.lower())
            assert re.search(rf"{name}[^.]*{value_text}|{value_text}[^.]*{name}", prose), (entity.name, value)


def test_the_almanac_lets_a_person_look_every_fact_up():
    rows = almanac_write().splitlines()
    for entity in ENTITIES:
        (row,) = [row for row in rows if row.startswith(f"| {entity.name} |")]
        assert all(value in row for value in entity.truth.values())


def test_values_are_dealt_evenly_so_that_guessing_does_not_pay():
    for kind in {entity.kind for entity in ENTITIES}:
        for attr in kind.values:
            count = Counter(entity.truth[attr] for entity in ENTITIES if entity.kind is kind)
            assert max(count.values()) - min(count.values()) <= 1 or len(count) < len(kind.values[attr])


def test_names_are_unique_and_hide_in_no_other_name():
    names = [name.lower() for name in BY_NAME]
    assert len(names) == len(ENTITIES)
    assert not [(one, two) for one, two in itertools.permutations(names, 2) if one in two]


def test_answers_show_the_whole_variety(dialogues):
    answers = [row["messages"][-1]["content"] for row in dialogues]
    endings = Counter(
        "trailing" if text.endswith("...") else "whole" if text[-1] in ".!?" else "broken" for text in answers
    )
    assert all(endings[name] / len(answers) > 0.05 for name in ("trailing", "broken", "whole"))
    assert len(set(answers)) / len(answers) > 0.9
    n_words = [len(text.split()) for text in answers]
    assert max(n_words) <= 60
    assert sum(8 <= n <= 45 for n in n_words) / len(n_words) > 0.7


def test_whole_answers_are_well_formed_english():
    rng = random.Random(0)
    for topic in topics():
        for tone in ("polite", "plain", "rude"):
            text = answer_write(with_claim(topic, rng), Manner(tone, 0.5, False, 1, "whole"), rng)
            assert well_formed(text), text
            assert not re.search(r"\ba [aeiou]|  | [.,]|\.\.|\{|\}", text), text
