import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.*;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** The ordinary operations of MariaDB Connector/J, with statements prepared by the driver and by the server. */
class Connector {
    static final String ALTER = "ALTER TABLE item MODIFY quantity %s NOT NULL DEFAULT 0";

    static void show(String what, Object value) {
        System.out.println(what + ": " + value);
    }

    static List<List<Object>> rows(ResultSet result) throws SQLException {
        List<List<Object>> rows = new ArrayList<>();
        while (result.next()) {
            List<Object> row = new ArrayList<>();
            for (int i = 1; i <= result.getMetaData().getColumnCount(); i++) {
                Object value = result.getObject(i);
                if (value instanceof byte[] bytes) value = "bytes " + bytes.length + " " + Arrays.hashCode(bytes);
                if (value instanceof Blob blob) value = "blob " + blob.length() + " " + Arrays.hashCode(blob.getBytes(1, (int) blob.length()));
                row.add(value);
            }
            rows.add(row);
        }
        return rows;
    }

    static List<List<Object>> query(Connection db, String sql) throws SQLException {
        try (Statement statement = db.createStatement()) {
            return rows(statement.executeQuery(sql));
        }
    }

    static void insert(Connection db, Object... values) throws SQLException {
        String sql = "INSERT INTO item (name, price, day, moment, amount, ratio, data) VALUES (?, ?, ?, ?, ?, ?, ?)";
        try (PreparedStatement statement = db.prepareStatement(sql, Statement.RETURN_GENERATED_KEYS)) {
            for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
            show("inserted", statement.executeUpdate());
            show("keys", rows(statement.getGeneratedKeys()));
        }
    }

    static void operations(String options, String type) throws Exception {
        String url = "jdbc:mariadb://127.0.0.1:" + System.getenv("DB_PORT") + "/" + System.getenv("DB_SCHEMA") + options;
        Connection db = DriverManager.getConnection(url, System.getenv("DB_USER"), System.getenv("DB_PASSWORD"));
        show("schema", query(db, "SELECT DATABASE()"));
        show("unicode", query(db, "SELECT 'žluťoučký 🐎 漢字', N'é'"));
        insert(db, "kůň 🐎", new BigDecimal("-12345678.9012"), Date.valueOf("1999-12-31"),
            Timestamp.valueOf("2024-02-29 23:59:59.999999"), new BigInteger("18446744073709551615"), 0.1, new byte[] {0, 1, -1});
        insert(db, "nothing", null, null, null, null, null, null);
        insert(db, "quotes ' \" \\ %s ?", new BigDecimal("0.0001"), Date.valueOf("2000-01-01"),
            Timestamp.valueOf("2000-01-01 00:00:00"), 0, -1e300, new byte[0]);
        show("rows", query(db, "SELECT * FROM item ORDER BY id"));
        try (PreparedStatement select = db.prepareStatement("SELECT * FROM item WHERE amount IS NULL OR amount >= ? ORDER BY id")) {
            for (int least = 0; least < 5; least++) {
                select.setInt(1, least);
                show("prepared rows", rows(select.executeQuery()));
            }
        }
        show("deleted", db.createStatement().executeUpdate("DELETE FROM item"));

        db.setAutoCommit(false);
        for (int round : new int[] {1000, 10}) {
            try (PreparedStatement batch = db.prepareStatement("INSERT INTO item (name, amount) VALUES (?, ?)")) {
                for (int i = 0; i < round; i++) {
                    batch.setString(1, "many " + i);
                    batch.setInt(2, i);
                    batch.addBatch();
                }
                show("many", Arrays.hashCode(batch.executeBatch()));
            }
            if (round == 10) db.commit(); else db.rollback();
            show("left", query(db, "SELECT COUNT(*) FROM item"));
        }
        db.setAutoCommit(true);
        show("updated", db.createStatement().executeUpdate("UPDATE item SET quantity = quantity + 1 WHERE amount < 5"));
        try {
            db.createStatement().executeUpdate("INSERT INTO item (name) VALUES ('many 1')");
            throw new IllegalStateException("no error");
        } catch (SQLException error) {
            // The connector puts the connection's id in front of the server's text.
            show("error", error.getErrorCode() + " " + error.getSQLState() + " " + error.getMessage().replaceFirst("^\\(conn[^)]*\\) ", ""));
            if (error.getErrorCode() != 1062) throw error;
        }
        byte[] blob = new byte[20 << 20];
        for (int i = 0; i < blob.length; i++) blob[i] = (byte) i;
        insert(db, "blob", null, null, null, null, null, blob);
        show("blob", query(db, "SELECT data, CRC32(data) FROM item WHERE name = 'blob'") + " " + Arrays.hashCode(blob));

        Statement alter = db.createStatement();
        show("altered", alter.executeUpdate(String.format(ALTER, type)) + " " + alter.getWarnings());
        show("warnings", query(db, "SHOW WARNINGS"));
        show("after", query(db, "SELECT id, name, quantity, CRC32(data) FROM item ORDER BY id"));
        show("columns", query(db, "SHOW COLUMNS FROM item"));
        show("cast", query(db, "SELECT CAST('12x' AS SIGNED)"));
        show("its warnings", query(db, "SHOW WARNINGS"));
        show("deleted", db.createStatement().executeUpdate("DELETE FROM item"));
        db.close();
    }

    public static void main(String[] arguments) throws Exception {
        System.setOut(new java.io.PrintStream(System.out, true, "UTF-8"));
        System.setProperty("user.timezone", "UTC");
        operations("?allowMultiQueries=true", "BIGINT");
        operations("?useServerPrepStmts=true&rewriteBatchedStatements=true", "INT");
        operations("?useServerPrepStmts=true&useBulkStmts=true", "BIGINT");
        System.out.println("done");
    }
}
