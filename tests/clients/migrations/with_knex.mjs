import knex from 'knex';

const change = {
  async up(db) {
    await db.schema.alterTable('account', (table) => { table.string('note', 100); });
    await db.schema.alterTable('account', (table) => { table.bigInteger('amount').notNullable().defaultTo(0).alter(); });
    await db.schema.alterTable('account', (table) => { table.index(['city'], 'by_city'); });
    await db.schema.alterTable('account', (table) => { table.renameColumn('city', 'town'); });
  },
  async down(db) {
    await db.schema.alterTable('account', (table) => { table.renameColumn('town', 'city'); });
    await db.schema.alterTable('account', (table) => { table.dropIndex(['city'], 'by_city'); });
    await db.schema.alterTable('account', (table) => { table.integer('amount').notNullable().defaultTo(0).alter(); });
    await db.schema.alterTable('account', (table) => { table.dropColumn('note'); });
  },
};
const migrationSource = {
  getMigrations: async () => ['change'], getMigrationName: (name) => name, getMigration: async () => change,
};
const db = knex({
  client: 'mysql2', migrations: { migrationSource },
  connection: {
    host: '127.0.0.1', port: Number(process.env.DB_PORT), user: process.env.DB_USER,
    password: process.env.DB_PASSWORD, database: process.env.DB_SCHEMA,
  },
});
await (process.argv[2] === 'forth' ? db.migrate.latest() : db.migrate.rollback());
await db.destroy();
