import MySQLdb
import scenario

connection = MySQLdb.connect(**scenario.PLACE, database=scenario.SCHEMA, charset="utf8mb4")
scenario.run(connection, MySQLdb.MySQLError)
