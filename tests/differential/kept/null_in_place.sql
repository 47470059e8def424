# both
# In place, MariaDB fills the default that a column had into its NULLs.
-- table
CREATE TABLE `t` (`id` INT NOT NULL PRIMARY KEY, `c` BIGINT DEFAULT 7)
INSERT INTO `t` VALUES (1,NULL),(2,5)
-- session
SET sql_mode = ''
-- alter
ALTER TABLE `t` MODIFY `c` BIGINT NOT NULL
