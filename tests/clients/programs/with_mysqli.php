<?php
// PHP's own client library (mysqlnd), by mysqli and by PDO.
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
const ALTER = "ALTER TABLE item MODIFY quantity BIGINT NOT NULL DEFAULT 0, ADD note VARCHAR(20) DEFAULT 'žluť' AFTER name";

function show(string $what, mixed $value): void {
    echo $what, ': ', json_encode($value, JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION), "\n";
}

[$port, $user, $password, $schema] = array_map('getenv', ['DB_PORT', 'DB_USER', 'DB_PASSWORD', 'DB_SCHEMA']);
$db = new mysqli('127.0.0.1', $user, $password, $schema, (int)$port);
$db->set_charset('utf8mb4');
$all = fn(string $sql) => $db->query($sql)->fetch_all(MYSQLI_ASSOC);

show('schema', $all('SELECT DATABASE()'));
show('unicode', $all("SELECT 'žluťoučký 🐎 漢字', N'é'"));
$insert = $db->prepare('INSERT INTO item (name, price, day, moment, amount, ratio, data) VALUES (?, ?, ?, ?, ?, ?, ?)');
foreach ([
    ['kůň 🐎', '-12345678.9012', '1999-12-31', '2024-02-29 23:59:59.999999', '18446744073709551615', 0.1, 'bytes'],
    ['nothing', null, null, null, null, null, null],
    ["quotes ' \" \\ %s ?", '0.0001', '2000-01-01', '2000-01-01 00:00:00', 0, -1e300, ''],
] as $row) {
    $insert->bind_param('sssssds', ...$row);
    $insert->execute();
    show('inserted', [$insert->affected_rows, $insert->insert_id]);
}
$select = $db->prepare('SELECT * FROM item WHERE amount IS NULL OR amount >= ? ORDER BY id');
foreach ([0, 1] as $least) {
    $select->execute([$least]);
    show('rows', $select->get_result()->fetch_all(MYSQLI_ASSOC));
}
$db->multi_query('SELECT 1; SELECT 2; DELETE FROM item');
do {
    $result = $db->store_result();
    show('one of many', $result ? $result->fetch_all() : $db->affected_rows);
} while ($db->next_result());

$many = fn(int $count) => 'INSERT INTO item (name, amount) VALUES ' .
    implode(',', array_map(fn($i) => "('many $i', $i)", range(0, $count - 1)));
$db->begin_transaction();
$db->query($many(1000));
show('many', [$db->affected_rows, $db->insert_id, $db->info]);
$db->rollback();
show('rolled back', $all('SELECT COUNT(*) FROM item'));
$db->begin_transaction();
$db->query($many(10));
$db->commit();
show('committed', $all('SELECT COUNT(*) FROM item'));
$db->query('UPDATE item SET quantity = quantity + 1 WHERE amount < 5');
show('updated', [$db->affected_rows, $db->info]);
try {
    $db->query("INSERT INTO item (name) VALUES ('many 1')");
    exit(1);
} catch (mysqli_sql_exception $error) {
    show('error', [$error->getCode(), $error->getSqlState(), $error->getMessage()]);
    if ($error->getCode() != 1062) exit(1);
}
$blob = str_repeat(implode(array_map('chr', range(0, 255))), 20 * 1024 * 4);
$long = $db->prepare("INSERT INTO item (name, data) VALUES ('blob', ?)");
$nothing = null;
$long->bind_param('b', $nothing);
foreach (str_split($blob, 3_000_000) as $part) {
    $long->send_long_data(0, $part);
}
$long->execute();
$back = $db->query("SELECT data FROM item WHERE name = 'blob'", MYSQLI_USE_RESULT)->fetch_row()[0];
show('blob', [strlen($back), $back === $blob]);

$db->query(ALTER);
show('altered', [$db->affected_rows, $db->info, $db->warning_count]);
show('warnings', $all('SHOW WARNINGS'));
show('after', $all('SELECT id, name, note, quantity, CRC32(data) FROM item ORDER BY id'));
show('columns', $all('SHOW COLUMNS FROM item'));
show('cast', $all("SELECT CAST('12x' AS SIGNED)"));
show('its warnings', [$db->warning_count, $all('SHOW WARNINGS')]);
$db->change_user($user, $password, $schema);
show('again', $all('SELECT DATABASE(), COUNT(*) FROM item'));
$db->close();

foreach ([true, false] as $emulated) {
    $pdo = new PDO("mysql:host=127.0.0.1;port=$port;dbname=$schema;charset=utf8mb4", $user, $password, [
        PDO::ATTR_EMULATE_PREPARES => $emulated, PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
    ]);
    $statement = $pdo->prepare('SELECT ?, ?, ?, quantity FROM item WHERE name = ?');
    $statement->execute(['🐎', 1, null, 'many 1']);
    show('pdo', $statement->fetchAll(PDO::FETCH_NUM));
    $pdo->exec('ALTER TABLE item MODIFY quantity INT NOT NULL DEFAULT 0');
    $pdo->exec('ALTER TABLE item MODIFY quantity BIGINT NOT NULL DEFAULT 0');
    show('pdo altered', $pdo->query('SELECT name, quantity FROM item ORDER BY id')->fetchAll(PDO::FETCH_NUM));
}
echo "done\n";
