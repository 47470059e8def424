require 'logger'
require 'active_record'

class ChangeAccounts < ActiveRecord::Migration[ActiveRecord::Migration.current_version]
  def up
    add_column :account, :note, :string, limit: 100
    change_column :account, :amount, :bigint, null: false, default: 0
    add_index :account, :city, name: 'by_city'
    rename_column :account, :city, :town
  end

  def down
    rename_column :account, :town, :city
    remove_index :account, name: 'by_city'
    change_column :account, :amount, :integer, null: false, default: 0
    remove_column :account, :note
  end
end

ActiveRecord::Base.establish_connection(
  adapter: 'mysql2', host: '127.0.0.1', port: ENV['DB_PORT'].to_i, username: ENV['DB_USER'],
  password: ENV['DB_PASSWORD'], database: ENV['DB_SCHEMA'], encoding: 'utf8mb4'
)
ChangeAccounts.migrate(ARGV[0] == 'forth' ? :up : :down)
