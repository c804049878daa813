"""What a stage's specification refuses, in the reader's language.

`modeling` is standard library alone and speaks English. Its refusals have a few forms, which are the texts here.
"""

import re

from django.utils.translation import gettext, gettext_noop

_FORMS = (  # where two fit, the longer one stands first
    gettext_noop("%(field)s must be between %(low)s and %(high)s, not %(value)s."),
    gettext_noop("%(field)s must be between %(low)s and %(high)s."),
    gettext_noop("%(field)s must be in %(range)s, not %(value)s."),
    gettext_noop("%(field)s must be in %(range)s."),
    gettext_noop("%(field)s must be at least %(least)s: the others are the baseline."),
    gettext_noop("%(field)s must be at least %(least)s."),
    gettext_noop("%(field)s must be more than %(other)s."),
    gettext_noop("%(field)s must be a multiple of %(other)s."),
    gettext_noop("%(field)s must be positive, not %(value)s."),
    gettext_noop("%(field)s must be positive."),
    gettext_noop("%(field)s must not be negative, not %(value)s."),
    gettext_noop("%(field)s must not be negative."),
    gettext_noop("%(field)s must be less than %(other)s."),
    gettext_noop("lora.dropout must be 0: the ratio of new to old policy would be its noise."),
    gettext_noop("kl_target_nats needs a kl_coef above 0 to start from."),
    gettext_noop("mix and mix_coef belong together: give both or neither."),
    gettext_noop("reward and prompts belong together: give both or neither."),
    gettext_noop("name one reward model (reward) or a list of sources (rewards)."),
    gettext_noop("rewards: each names one of model, function and answer."),
    gettext_noop("rewards: n_std needs a model that is an ensemble."),
    gettext_noop("%(field)s must be written as %(form)s."),
    gettext_noop("%(field)s: name at least one file."),
    gettext_noop("%(field)s: is missing."),
    gettext_noop("%(field)s: there is no such field. Known: %(known)s."),
    gettext_noop("%(field)s: must be one of %(known)s, not %(value)s."),
    gettext_noop("%(field)s: must be a finite number, not %(value)s."),
    gettext_noop("%(field)s: expected an object, not %(value)s."),
    gettext_noop("%(field)s: expected a list."),
    gettext_noop("%(field)s: expected %(kind)s, not %(value)s."),
    gettext_noop("reference 'adapter' needs an adapter to start from."),
    gettext_noop(
        "measure_smoothing needs label_smoothing 0 and labels 'hard' or 'weight': others hold the noise already."
    ),
    gettext_noop("name a judge: a gold function or a held-out reward model."),
    gettext_noop("the judge must not be the optimised reward model."),
    gettext_noop("snapshots needs the reward model that they optimised."),
)
_PLACE = re.compile(r"%\\\((\w+)\\\)s")
"""A place for a value in an escaped form."""
_PATTERNS = tuple((form, re.compile(_PLACE.sub(r"(?P<\1>.+)", re.escape(form)))) for form in _FORMS)


def spec_refusal(sentence: str) -> str:
    """Return the sentence in the reader's language; one of an unknown form stays as it is."""
    for form, pattern in _PATTERNS:
        if match := pattern.fullmatch(sentence):
            return gettext(form) % match.groupdict()
    return sentence
