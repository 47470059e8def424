// The ordinary operations of a Node driver; a program says how its driver does each.
import { createHash } from 'node:crypto';
import assert from 'node:assert';

export const place = {
  host: '127.0.0.1', port: Number(process.env.DB_PORT), user: process.env.DB_USER,
  password: process.env.DB_PASSWORD, database: process.env.DB_SCHEMA, charset: 'utf8mb4',
};
const insert = 'INSERT INTO item (name, price, day, moment, amount, ratio, data) VALUES (?, ?, ?, ?, ?, ?, ?)';
const rows = [
  ['kůň 🐎', '-12345678.9012', '1999-12-31', '2024-02-29 23:59:59.999999', '18446744073709551615', 0.1, Buffer.from('a\0b')],
  ['nothing', null, null, null, null, null, null],
  ['quotes \' " \\ %s ?', '0.0001', new Date(Date.UTC(2000, 0, 1)), new Date(Date.UTC(2000, 0, 1)), 0, -1e300, Buffer.alloc(0)],
];
const blob = Buffer.alloc(20 * 1024 * 1024, Buffer.from(Array.from({ length: 256 }, (_, i) => i)));
const alter = "ALTER TABLE item MODIFY quantity BIGINT NOT NULL DEFAULT 0, ADD note VARCHAR(20) DEFAULT 'žluť' AFTER name";

const plain = (key, value) => (typeof value === 'bigint' ? `${value}n` : value);
const show = (what, value) => console.log(`${what}: ${JSON.stringify(value, plain)}`);

export async function run(driver) {
  show('schema', await driver.query('SELECT DATABASE() AS d'));
  show('unicode', await driver.query("SELECT 'žluťoučký 🐎 漢字' AS a, N'é' AS b"));
  for (const way of [driver.query, driver.prepared]) {
    for (const row of rows) {
      const result = await way(insert, row);
      show('inserted', [result.affectedRows, result.insertId]);
    }
    show('rows', await way('SELECT * FROM item WHERE amount IS NULL OR amount >= ? ORDER BY id', [0]));
    for (const pattern of ['k%', '%', '🐎']) {
      show('again', await way('SELECT COUNT(*) AS n FROM item WHERE name LIKE ?', [pattern]));
    }
    show('deleted', (await way('DELETE FROM item WHERE id > ?', [0])).affectedRows);
  }
  const many = (count) => Array.from({ length: count }, (_, i) => [`many ${i}`, i]);
  const insertMany = 'INSERT INTO item (name, amount) VALUES (?, ?)';
  await driver.begin();
  show('many', await driver.batch(insertMany, many(1000)));
  show('sum', await driver.query('SELECT COUNT(*) AS n, SUM(amount) AS s FROM item'));
  await driver.rollback();
  show('rolled back', await driver.query('SELECT COUNT(*) AS n FROM item'));
  await driver.begin();
  await driver.batch(insertMany, many(10));
  await driver.commit();
  show('committed', await driver.query('SELECT COUNT(*) AS n FROM item'));
  show('updated', (await driver.query('UPDATE item SET quantity = quantity + 1 WHERE amount < 5')).affectedRows);
  await assert.rejects(driver.query("INSERT INTO item (name) VALUES ('many 1')"), (error) => {
    show('error', [error.errno, error.sqlState, error.sqlMessage]);
    return error.errno === 1062;
  });
  await driver.prepared('INSERT INTO item (name, data) VALUES (?, ?)', ['blob', blob]);
  const [{ data }] = await driver.query("SELECT data FROM item WHERE name = 'blob'");
  show('blob', [data.length, createHash('sha256').update(data).digest('hex')]);
  show("server's blob", await driver.query("SELECT LENGTH(data) AS l, CRC32(data) AS c FROM item WHERE name = 'blob'"));

  const altered = await driver.query(alter);
  show('altered', altered);
  show('warnings', await driver.query('SHOW WARNINGS'));
  show('after', await driver.prepared('SELECT id, name, note, quantity, CRC32(data) AS c FROM item ORDER BY id'));
  show('columns', await driver.query('SHOW COLUMNS FROM item'));
  show('cast', await driver.query("SELECT CAST('12x' AS SIGNED) AS c"));
  show('its warnings', await driver.query('SHOW WARNINGS'));
  await driver.end();
  console.log('done');
}
