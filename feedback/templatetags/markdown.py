"""`{{ text|markdown }}`: untrusted Markdown as harmless HTML. `{{ text|markdown:2 }}` where an h2 may stand."""

from django import template
from django.utils.safestring import SafeString, mark_safe

from feedback.prose.render import render

register = template.Library()


@register.filter
def markdown(text: str, top_heading: int = 3) -> SafeString:
    return mark_safe(render(text, top_heading=top_heading))  # noqa: S308 - cleaned by feedback.prose
