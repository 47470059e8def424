import { DataTypes, Sequelize } from 'sequelize';

const db = new Sequelize(process.env.DB_SCHEMA, process.env.DB_USER, process.env.DB_PASSWORD, {
  dialect: 'mysql', host: '127.0.0.1', port: Number(process.env.DB_PORT), logging: false,
});
const change = db.getQueryInterface();
const amount = (type) => ({ type, allowNull: false, defaultValue: 0 });
if (process.argv[2] === 'forth') {
  await change.addColumn('account', 'note', { type: DataTypes.STRING(100) });
  await change.changeColumn('account', 'amount', amount(DataTypes.BIGINT));
  await change.addIndex('account', ['city'], { name: 'by_city' });
  await change.renameColumn('account', 'city', 'town');
} else {
  await change.renameColumn('account', 'town', 'city');
  await change.removeIndex('account', 'by_city');
  await change.changeColumn('account', 'amount', amount(DataTypes.INTEGER));
  await change.removeColumn('account', 'note');
}
await db.close();
