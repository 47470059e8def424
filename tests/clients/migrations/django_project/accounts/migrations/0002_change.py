from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [
        migrations.AddField("Account", "note", models.CharField(max_length=100, null=True)),
        migrations.AlterField("Account", "amount", models.BigIntegerField(db_default=0)),
        migrations.AddIndex("Account", models.Index(fields=["city"], name="by_city")),
        migrations.RenameField("Account", "city", "town"),
    ]
