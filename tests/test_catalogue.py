"""The Chinese catalogue holds every text of ours, word for word with its places for values, and is compiled."""

import ast
import gettext
import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from django.conf import settings
from django.template import engines
from django.template.base import Node
from django.templatetags.i18n import BlockTranslateNode, TranslateNode
from django.utils.translation import trim_whitespace

BASE = Path(settings.BASE_DIR)
CATALOGUE = BASE / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
ROOMS = ("feedback", "alignment", "config")
CALLS = {
    "_": 1, "gettext": 1, "gettext_lazy": 1, "gettext_noop": 1, "ngettext": 2, "ngettext_lazy": 2, "pgettext": 2,
    "pgettext_lazy": 2, "npgettext": 3,
}  # fmt: skip
"""By name: how many of the first arguments are texts."""
PLACE = re.compile(r"%\(\w+\)[a-z]|%%[a-z]?|%[a-z]|</?[a-z][^>]*>")
IN_TAGS = re.compile(r"""_\("([^"]+)"\)""")
SAME_IN_CHINESE = {"SFT", "Beta", "Python", "Markdown"}


def _texts_of_code():
    for room in ROOMS:
        for path in sorted((BASE / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    name = getattr(node.func, "id", getattr(node.func, "attr", ""))
                    first = node.args[0] if name in CALLS and node.args else None
                    if isinstance(first, ast.Constant) and isinstance(first.value, str):
                        yield first.value, path
                    elif isinstance(first, ast.JoinedStr):
                        pytest.fail(f"{path}:{node.lineno}: a text with values in it cannot be looked up")


def _texts_of_templates():
    for path in sorted((BASE / "templates").rglob("*.*")):
        source = path.read_text()
        yield from ((text, path) for text in IN_TAGS.findall(source))
        for node in _nodes(engines["django"].from_string(source).template.nodelist):
            if isinstance(node, BlockTranslateNode):
                text, _ = node.render_token_list(node.singular)
                yield trim_whitespace(text) if node.trimmed else text, path
            elif isinstance(node, TranslateNode) and isinstance(node.filter_expression.var.literal, str):
                yield node.filter_expression.var.literal.replace("%", "%%"), path  # as Django looks it up


def _nodes(nodelist):
    return [found for node in nodelist for found in [node, *node.get_nodes_by_type(Node)]]


@pytest.fixture(scope="module")
def catalogue():
    with CATALOGUE.open("rb") as file:
        return {
            message.id[0] if isinstance(message.id, tuple) else message.id: message
            for message in read_po(file, abort_invalid=True)
            if message.id
        }


def test_every_text_of_code_and_templates_is_in_the_catalogue(catalogue):
    missing = {
        (text, path.relative_to(BASE).as_posix())
        for text, path in [*_texts_of_code(), *_texts_of_templates()]
        if text not in catalogue
    }
    assert missing == set(), "run `make messages`, then translate what it added"


def test_the_catalogue_holds_nothing_that_is_not_used_any_more(catalogue):
    used = {text for text, _ in [*_texts_of_code(), *_texts_of_templates()]}
    assert set(catalogue) <= used


def test_every_text_is_translated_and_keeps_its_places_for_values(catalogue):
    wrong = []
    for text, message in catalogue.items():
        translated = message.string[0] if isinstance(message.string, tuple) else message.string
        original = message.id[1] if isinstance(message.id, tuple) else text
        if not translated or message.fuzzy or (translated == text and text not in SAME_IN_CHINESE):
            wrong.append(text)
        elif sorted(PLACE.findall(original)) != sorted(PLACE.findall(translated)):
            wrong.append(f"{text} -> {translated}")
    assert wrong == []


def test_what_is_compiled_is_what_is_written(catalogue):
    with CATALOGUE.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for text, message in catalogue.items():
        if isinstance(message.id, tuple):
            assert compiled.ngettext(*message.id, 5) == message.string[0]
        else:
            found = compiled.pgettext(message.context, message.id) if message.context else compiled.gettext(text)
            assert found == message.string
