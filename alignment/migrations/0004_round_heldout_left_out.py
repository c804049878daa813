from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("alignment", "0003_round_last_judgment")]

    operations = [
        migrations.AddField(
            model_name="round", name="n_heldout_left_out", field=models.PositiveIntegerField(default=0)
        ),
    ]
