import pymysql
import scenario

scenario.run(pymysql.connect(**scenario.PLACE, database=scenario.SCHEMA), pymysql.MySQLError)
