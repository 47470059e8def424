# mariadb
# In place, the CHECK of a new column is not asked about the rows that are there.
-- table
CREATE TABLE `t` (`id` INT NOT NULL PRIMARY KEY, `c` INT)
INSERT INTO `t` (`id`) VALUES (3),(7)
-- session
-- alter
ALTER TABLE `t` ADD COLUMN `j` JSON NOT NULL, DROP COLUMN `c`
