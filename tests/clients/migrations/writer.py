"""Writes to the table `account` until its standard input ends, or a given number of times.

usage: writer.py FIRST [COUNT]. Write number i is always the same, so what was done while the table was being
changed can be done again to another table. Prints how many writes were done; any error ends it.
"""

import os
import sys
import threading

import pymysql

connection = pymysql.connect(host="127.0.0.1", port=int(os.environ["DB_PORT"]), user=os.environ["DB_USER"],
                             password=os.environ["DB_PASSWORD"], database=os.environ["DB_SCHEMA"])
first = int(sys.argv[1])
count = int(sys.argv[2]) if len(sys.argv) > 2 else None
stopped = threading.Event()
if count is None:
    threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
cursor = connection.cursor()
done = 0
while done != count and not stopped.is_set():
    i = first + done
    row = i * 7919 % 200_000 + 1
    if i % 5 == 0:
        cursor.execute("INSERT INTO account (id, owner, counter) VALUES (%s, %s, %s)", (200_001 + i, f"nový {i}", i))
    elif i % 5 == 1:
        cursor.execute("DELETE FROM account WHERE id = %s", (row,))
    elif i % 5 == 2:
        cursor.execute("UPDATE account SET counter = counter + 1 WHERE id BETWEEN %s AND %s", (row, row + 9))
    else:
        cursor.execute("UPDATE account SET owner = %s WHERE id = %s", (f"🐎 {i}", row))
    done += 1
    # One after the other while the change goes on, as an application does; all at once when it is done again.
    if count is None:
        connection.commit()
        stopped.wait(0.005)
connection.commit()
print(done)
