import os
import sys

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

url = sa.URL.create("mysql+pymysql", os.environ["DB_USER"], os.environ["DB_PASSWORD"], "127.0.0.1",
                    int(os.environ["DB_PORT"]), os.environ["DB_SCHEMA"], {"charset": "utf8mb4"})


def upgrade(op):
    op.add_column("account", sa.Column("note", sa.String(100)))
    op.alter_column("account", "amount", type_=sa.BigInteger(), existing_type=sa.Integer(), existing_nullable=False,
                    existing_server_default="0")
    op.create_index("by_city", "account", ["city"])
    op.alter_column("account", "city", new_column_name="town", existing_type=sa.String(40), existing_nullable=True)


def downgrade(op):
    op.alter_column("account", "town", new_column_name="city", existing_type=sa.String(40), existing_nullable=True)
    op.drop_index("by_city", "account")
    op.alter_column("account", "amount", type_=sa.Integer(), existing_type=sa.BigInteger(), existing_nullable=False,
                    existing_server_default="0")
    op.drop_column("account", "note")


with sa.create_engine(url).begin() as connection:
    columns = sa.inspect(connection).get_columns("account")
    assert len(columns) == (5 if sys.argv[1] == "forth" else 6), columns
    (upgrade if sys.argv[1] == "forth" else downgrade)(Operations(MigrationContext.configure(connection)))
