import mysql.connector
import scenario

connection = mysql.connector.connect(**scenario.PLACE, database=scenario.SCHEMA)
scenario.run(connection, mysql.connector.Error, lambda: connection.cursor(prepared=True))
