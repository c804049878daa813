import django.db.models.deletion
from django.db import migrations, models


def fill_in(apps, schema_editor):
    """Rounds under way go on with the version that is live now, which is what they would have asked for."""
    Round, Deployment = apps.get_model("alignment", "Round"), apps.get_model("alignment", "Deployment")
    for live in Deployment.objects.filter(state="live"):
        under_way = ["snapshot", "reward", "policy", "evaluation", "gate"]
        Round.objects.filter(project=live.project_id, state__in=under_way).update(previous=live.version_id)


class Migration(migrations.Migration):
    dependencies = [("alignment", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="round",
            name="previous",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="alignment.modelversion",
            ),
        ),
        migrations.RunPython(fill_in, migrations.RunPython.noop, elidable=True),
    ]
