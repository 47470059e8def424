"""The ordinary operations of a DB-API driver. A program names its driver, and is told here what to do with it."""

import datetime
import decimal
import hashlib
import os
import warnings

PLACE = dict(host="127.0.0.1", port=int(os.environ["DB_PORT"]), user=os.environ["DB_USER"],
             password=os.environ["DB_PASSWORD"])
SCHEMA = os.environ["DB_SCHEMA"]
INSERT = "INSERT INTO item (name, price, day, moment, amount, ratio, data) VALUES (%s, %s, %s, %s, %s, %s, %s)"
ROWS = [
    ("kůň 🐎", decimal.Decimal("-12345678.9012"), datetime.date(1999, 12, 31),
     datetime.datetime(2024, 2, 29, 23, 59, 59, 999999), 2**64 - 1, 0.1, bytes(range(256))),
    ("nothing", None, None, None, None, None, None),
    ("quotes ' \" \\ %s ?", decimal.Decimal("0.0001"), datetime.date(2000, 1, 1),
     datetime.datetime(2000, 1, 1), 0, -1e300, b""),
]
BLOB = bytes(range(256)) * (int(os.environ.get("BLOB_MIB", 20)) * 1024 * 4)
ALTER = "ALTER TABLE item MODIFY quantity BIGINT NOT NULL DEFAULT 0, ADD note VARCHAR(20) DEFAULT 'žluť' AFTER name"
warnings.simplefilter("ignore")


def show(what, value):
    if isinstance(value, (bytes, bytearray)) and len(value) > 1000:
        value = (len(value), hashlib.sha256(value).hexdigest())
    print(f"{what}: {value!r}")


def run(connection, error_class, prepared_cursor=None):
    """Everything in turn. `prepared_cursor` makes a cursor that speaks the binary protocol, if the driver can."""
    cursor = connection.cursor()

    def query(sql, *parameters, by=cursor):
        by.execute(sql, parameters)
        return by.fetchall()

    show("schema", query("SELECT DATABASE()"))
    show("unicode", query("SELECT 'žluťoučký 🐎 漢字', N'é'"))
    for by in [cursor] + ([prepared_cursor()] if prepared_cursor else []):
        for row in ROWS:
            by.execute(INSERT, row)
            show("inserted", (by.rowcount, by.lastrowid))
        connection.commit()
        show("rows", query("SELECT * FROM item WHERE amount IS NULL OR amount >= %s ORDER BY id", 0, by=by))
        query_all = "SELECT COUNT(*) FROM item WHERE name LIKE %s"
        show("again", [query(query_all, pattern, by=by) for pattern in ("k%", "%", "🐎")])
        show("deleted", (by.execute("DELETE FROM item WHERE id > %s", (0,)), by.rowcount)[1])
        connection.commit()

    cursor.executemany("INSERT INTO item (name, amount) VALUES (%s, %s)", [(f"many {i}", i) for i in range(1000)])
    show("many", (cursor.rowcount, query("SELECT COUNT(*), SUM(amount) FROM item")))
    connection.rollback()
    show("rolled back", query("SELECT COUNT(*) FROM item"))
    cursor.executemany("INSERT INTO item (name, amount) VALUES (%s, %s)", [(f"many {i}", i) for i in range(10)])
    connection.commit()
    show("committed", query("SELECT COUNT(*) FROM item"))
    cursor.execute("UPDATE item SET quantity = quantity + 1 WHERE amount < 5")
    show("updated", cursor.rowcount)
    try:
        cursor.execute("INSERT INTO item (name) VALUES ('many 1')")
    except error_class as error:
        show("error", (error.args[0], str(error)))
        assert error.args[0] == 1062
    connection.commit()

    cursor.execute("INSERT INTO item (name, data) VALUES (%s, %s)", ("blob", BLOB))
    connection.commit()
    show("blob", query("SELECT data FROM item WHERE name = 'blob'")[0][0])
    show("server's blob", query("SELECT LENGTH(data), CRC32(data) FROM item WHERE name = 'blob'"))

    cursor.execute(ALTER)
    show("altered", cursor.rowcount)
    show("warnings", query("SHOW WARNINGS"))
    show("after", query("SELECT id, name, note, quantity, CRC32(data) FROM item ORDER BY id"))
    show("columns", query("SHOW COLUMNS FROM item"))
    cursor.execute("SELECT CAST('12x' AS SIGNED)")
    show("cast", cursor.fetchall())
    show("its warnings", query("SHOW WARNINGS"))
    connection.commit()
    cursor.close()
    connection.close()
    print("done")
