from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [migrations.CreateModel("Account", [
        ("id", models.BigAutoField(primary_key=True)),
        ("owner", models.CharField(max_length=50)),
        ("amount", models.IntegerField(db_default=0)),
        ("city", models.CharField(max_length=40, null=True)),
        ("counter", models.BigIntegerField(db_default=0)),
    ], options={"db_table": "account"})]
