from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("alignment", "0002_round_previous")]

    operations = [
        migrations.AddField(model_name="round", name="last_judgment_id", field=models.BigIntegerField(default=0)),
    ]
