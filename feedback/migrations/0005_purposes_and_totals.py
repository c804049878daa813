"""Say of the tasks that there are what they are for, and of each batch how much it holds."""

from django.db import migrations
from django.db.models import Count, Sum


def fill(apps, schema_editor):
    Task = apps.get_model("feedback", "Task")
    Batch = apps.get_model("feedback", "Batch")
    Task.objects.filter(turn__isnull=False).update(purpose="live")
    totals = Task.objects.values("batch").annotate(n=Count("pk"), wanted=Sum("overlap"))
    for batch_id, n, wanted in totals.order_by().values_list("batch", "n", "wanted"):
        Batch.objects.filter(pk=batch_id).update(n_tasks=n, n_wanted=wanted)


class Migration(migrations.Migration):
    dependencies = [("feedback", "0004_quality")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
