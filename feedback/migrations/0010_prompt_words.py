"""On PostgreSQL, find prompts by their words and tags without reading all of them.

`feedback.selectors.prompt_search` asks by exactly this expression. SQLite has no such index and is searched in parts.
"""

from django.db import migrations

WORDS = "to_tsvector('simple', jsonb_path_query_array(messages, '$[*].content'))"


def make(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"CREATE INDEX prompt_words ON feedback_prompt USING gin ({WORDS})")
        schema_editor.execute("CREATE INDEX prompt_tags ON feedback_prompt USING gin (tags jsonb_path_ops)")


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX prompt_words")
        schema_editor.execute("DROP INDEX prompt_tags")


class Migration(migrations.Migration):
    dependencies = [("feedback", "0009_task_search")]

    operations = [migrations.RunPython(make, drop)]
