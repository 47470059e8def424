import mysql from 'mysql2/promise';
import { place, run } from './scenario.mjs';

const connection = await mysql.createConnection({ ...place, supportBigNumbers: true, bigNumberStrings: true });
await run({
  query: async (sql, parameters) => (await connection.query(sql, parameters))[0],
  prepared: async (sql, parameters) => (await connection.execute(sql, parameters))[0],
  batch: async (sql, rows) => {
    const [result] = await connection.query(sql.replace('(?, ?)', '?'), [rows]);
    return result.affectedRows;
  },
  begin: () => connection.beginTransaction(),
  commit: () => connection.commit(),
  rollback: () => connection.rollback(),
  end: () => connection.end(),
});
