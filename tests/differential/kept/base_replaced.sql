# mariadb
# A STORED generated column whose base is replaced keeps its values.
-- table
CREATE TABLE `t` (`id` INT PRIMARY KEY, `b` INT, `c1` TEXT, `c2` INT GENERATED ALWAYS AS (LENGTH(`c1`)) STORED)
INSERT INTO `t` (`id`,`c1`) VALUES (1,'abc')
-- session
-- alter
ALTER TABLE `t` DROP COLUMN `c1`, ADD COLUMN `c1` INT, DROP COLUMN `b`
