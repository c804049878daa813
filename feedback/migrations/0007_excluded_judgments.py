from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("feedback", "0006_skipped_time"),
    ]

    operations = [
        migrations.AddField(
            model_name="judgment",
            name="is_excluded",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddIndex(
            model_name="judgment",
            index=models.Index(
                condition=models.Q(("is_excluded", True)), fields=["annotator"], name="judgment_excluded"
            ),
        ),
    ]
