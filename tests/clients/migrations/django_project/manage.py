"""The part of a Django project that migrates: `forth` to the migration 0002, `back` to 0001."""

import os
import sys

import django
import pymysql
from django.conf import settings
from django.core.management import call_command

# Django takes PyMySQL for mysqlclient if it says it is a recent one.
pymysql.version_info = (2, 2, 7, "final", 0)
pymysql.install_as_MySQLdb()
settings.configure(INSTALLED_APPS=["accounts"], USE_TZ=True, DATABASES={"default": {
    "ENGINE": "django.db.backends.mysql", "HOST": "127.0.0.1", "PORT": os.environ["DB_PORT"],
    "NAME": os.environ["DB_SCHEMA"], "USER": os.environ["DB_USER"], "PASSWORD": os.environ["DB_PASSWORD"]}})
django.setup()
if sys.argv[1] == "forth":
    call_command("migrate", "accounts", "0001", fake=True)
call_command("migrate", "accounts", "0002" if sys.argv[1] == "forth" else "0001")
