import 'reflect-metadata';
import typeorm from 'typeorm';

const { DataSource, TableColumn, TableIndex } = typeorm;

class Change1700000000000 {
  async up(runner) {
    await runner.addColumn('account', new TableColumn({ name: 'note', type: 'varchar', length: '100', isNullable: true }));
    // changeColumn would drop the column and add it again, and with it the data: the documented way to keep them is SQL.
    await runner.query('ALTER TABLE account MODIFY amount BIGINT NOT NULL DEFAULT 0');
    await runner.createIndex('account', new TableIndex({ name: 'by_city', columnNames: ['city'] }));
    await runner.renameColumn('account', 'city', 'town');
  }

  async down(runner) {
    await runner.renameColumn('account', 'town', 'city');
    await runner.dropIndex('account', 'by_city');
    await runner.query('ALTER TABLE account MODIFY amount INT NOT NULL DEFAULT 0');
    await runner.dropColumn('account', 'note');
  }
}

const source = new DataSource({
  type: process.env.DB_FLAVOR, host: '127.0.0.1', port: Number(process.env.DB_PORT), username: process.env.DB_USER,
  password: process.env.DB_PASSWORD, database: process.env.DB_SCHEMA, charset: 'utf8mb4', migrations: [Change1700000000000],
});
await source.initialize();
await (process.argv[2] === 'forth' ? source.runMigrations() : source.undoLastMigration());
await source.destroy();
