import mariadb from 'mariadb';
import { place, run } from './scenario.mjs';

const connection = await mariadb.createConnection(place);
await run({
  query: (sql, parameters) => connection.query(sql, parameters),
  prepared: (sql, parameters) => connection.execute(sql, parameters),
  batch: async (sql, rows) => (await connection.batch(sql, rows)).affectedRows,
  begin: () => connection.beginTransaction(),
  commit: () => connection.commit(),
  rollback: () => connection.rollback(),
  end: () => connection.end(),
});
