require 'mysql2'
require 'bigdecimal'
require 'digest'

def show(what, value) = puts("#{what}: #{value.inspect}")

db = Mysql2::Client.new(host: '127.0.0.1', port: ENV['DB_PORT'].to_i, username: ENV['DB_USER'], encoding: 'utf8mb4',
                        password: ENV['DB_PASSWORD'], database: ENV['DB_SCHEMA'], flags: Mysql2::Client::MULTI_STATEMENTS)
all = ->(sql) { db.query(sql, as: :array).to_a }

show 'schema', all.('SELECT DATABASE()')
show 'unicode', all.("SELECT 'žluťoučký 🐎 漢字', N'é'")
insert = db.prepare('INSERT INTO item (name, price, day, moment, amount, ratio, data) VALUES (?, ?, ?, ?, ?, ?, ?)')
[
  ['kůň 🐎', BigDecimal('-12345678.9012'), Date.new(1999, 12, 31), Time.utc(2024, 2, 29, 23, 59, 59.999999r), 2**64 - 1, 0.1, 'bytes'],
  ['nothing', nil, nil, nil, nil, nil, nil],
  ["quotes ' \" \\ %s ?", BigDecimal('0.0001'), Date.new(2000, 1, 1), '2000-01-01', 0, -1e300, '']
].each do |row|
  insert.execute(*row)
  show 'inserted', [insert.affected_rows, insert.last_id]
end
select = db.prepare('SELECT * FROM item WHERE amount IS NULL OR amount >= ? ORDER BY id')
show 'rows', select.execute(0).to_a
show 'text rows', db.query('SELECT * FROM item ORDER BY id').to_a
show 'first of many', db.query('SELECT 1; SELECT 2; DELETE FROM item').to_a
while db.next_result
  result = db.store_result
  show 'next of many', result && result.to_a
end

many = ->(count) { 'INSERT INTO item (name, amount) VALUES ' + (0...count).map { |i| "('many #{i}', #{i})" }.join(',') }
db.query('BEGIN')
db.query(many.(1000))
show 'many', [db.affected_rows, db.last_id, db.query_info]
db.query('ROLLBACK')
show 'rolled back', all.('SELECT COUNT(*) FROM item')
db.query('BEGIN')
db.query(many.(10))
db.query('COMMIT')
show 'committed', all.('SELECT COUNT(*) FROM item')
db.query('UPDATE item SET quantity = quantity + 1 WHERE amount < 5')
show 'updated', [db.affected_rows, db.query_info]
begin
  db.query("INSERT INTO item (name) VALUES ('many 1')")
  exit 1
rescue Mysql2::Error => e
  show 'error', [e.error_number, e.sql_state, e.message]
  exit 1 unless e.error_number == 1062
end
blob = (0..255).to_a.pack('C*') * (20 * 1024 * 4)
db.prepare("INSERT INTO item (name, data) VALUES ('blob', ?)").execute(blob)
back = all.("SELECT data FROM item WHERE name = 'blob'")[0][0]
show 'blob', [back.bytesize, Digest::SHA256.hexdigest(back)]

db.query("ALTER TABLE item MODIFY quantity BIGINT NOT NULL DEFAULT 0, ADD note VARCHAR(20) DEFAULT 'žluť' AFTER name")
show 'altered', [db.affected_rows, db.query_info, db.warning_count]
show 'warnings', all.('SHOW WARNINGS')
show 'after', all.('SELECT id, name, note, quantity, CRC32(data) FROM item ORDER BY id')
show 'columns', all.('SHOW COLUMNS FROM item')
show 'cast', all.("SELECT CAST('12x' AS SIGNED)")
show 'its warnings', all.('SHOW WARNINGS')
db.close
puts 'done'
