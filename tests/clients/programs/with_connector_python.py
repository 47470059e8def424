import os

import mysql.connector
import scenario

connection = mysql.connector.connect(**scenario.PLACE, database=scenario.SCHEMA, use_pure=os.environ["PURE"] == "yes")
scenario.run(connection, mysql.connector.Error, lambda: connection.cursor(prepared=True))
