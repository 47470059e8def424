# DBD::mysql and DBD::MariaDB; DBD says which.
use strict;
use warnings;
use utf8;
use DBI;
binmode STDOUT, ':utf8';

my $dbd = $ENV{DBD};
my $prefix = $dbd eq 'mysql' ? 'mysql' : 'mariadb';
my %utf8 = $dbd eq 'mysql' ? (mysql_enable_utf8mb4 => 1) : ();

sub show {
    my ($what, $value) = @_;
    print "$what: ", text($value), "\n";
}

sub text {
    my ($value) = @_;
    return 'NULL' unless defined $value;
    return '[' . join(', ', map { text($_) } @$value) . ']' if ref $value;
    return $value;
}

for my $binary (0, 1) {
    my $db = DBI->connect("DBI:$dbd:database=$ENV{DB_SCHEMA};host=127.0.0.1;port=$ENV{DB_PORT}", $ENV{DB_USER},
        $dbd eq 'mysql' ? $ENV{DB_PASSWORD} : do { my $p = $ENV{DB_PASSWORD}; utf8::decode($p); $p },
        { RaiseError => 1, PrintError => 0, %utf8, "${prefix}_server_prepare" => $binary });
    my $all = sub { $db->selectall_arrayref(@_) };
    show('schema', $all->('SELECT DATABASE()'));
    show('unicode', $all->("SELECT 'žluťoučký 🐎 漢字'"));
    my $insert = $db->prepare('INSERT INTO item (name, price, day, moment, amount, ratio) VALUES (?, ?, ?, ?, ?, ?)');
    for my $row (
        ['kůň 🐎', '-12345678.9012', '1999-12-31', '2024-02-29 23:59:59.999999', '18446744073709551615', 0.1],
        ['nothing', (undef) x 5],
        ["quotes ' \" \\ %s ?", '0.0001', '2000-01-01', '2000-01-01 00:00:00', 0, -1e300],
    ) {
        show('inserted', [$insert->execute(@$row), $db->last_insert_id(undef, undef, 'item', 'id')]);
    }
    show('rows', $all->('SELECT * FROM item WHERE amount IS NULL OR amount >= ? ORDER BY id', undef, 0));
    show('deleted', $db->do('DELETE FROM item'));

    $db->begin_work;
    show('many', $db->do('INSERT INTO item (name, amount) VALUES ' . join(',', map { "('many $_', $_)" } 0 .. 999)));
    $db->rollback;
    show('rolled back', $all->('SELECT COUNT(*) FROM item'));
    $db->begin_work;
    $insert->execute("many $_", (undef) x 3, $_, undef) for 0 .. 9;
    $db->commit;
    show('updated', $db->do('UPDATE item SET quantity = quantity + 1 WHERE amount < 5'));
    eval { $db->do("INSERT INTO item (name) VALUES ('many 1')"); 1 } and die 'no error';
    show('error', [$db->err, $db->state, $db->errstr]);
    die 'not a duplicate' unless $db->err == 1062;

    my $blob = join('', map { chr } 0 .. 127) x (20 * 1024 * 8);
    my $long = $db->prepare("INSERT INTO item (name, data) VALUES ('blob', ?)");
    $long->bind_param(1, $blob, DBI::SQL_BLOB);
    $long->execute;
    my $back = $all->("SELECT data FROM item WHERE name = 'blob'")->[0][0];
    show('blob', [length $back, $back eq $blob ? 'same' : 'different']);

    my $clause = $binary ? 'MODIFY quantity INT NOT NULL DEFAULT 0'
        : "MODIFY quantity BIGINT NOT NULL DEFAULT 0, ADD note VARCHAR(20) DEFAULT 'žluť' AFTER name";
    show('altered', $db->do("ALTER TABLE item $clause"));
    show('info', $db->{"${prefix}_info"});
    show('warnings', $all->('SHOW WARNINGS'));
    show('after', $all->('SELECT id, name, note, quantity, CRC32(data) FROM item ORDER BY id'));
    show('cast', $all->("SELECT CAST('12x' AS SIGNED)"));
    show('its warnings', $all->('SHOW WARNINGS'));
    show('deleted', $db->do('DELETE FROM item'));
    $db->disconnect;
}
print "done\n";
