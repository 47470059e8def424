# both
# Variables of the session that decide what a definition means.
-- table
CREATE TABLE `t` (`表1` TIMESTAMP(3) NOT NULL DEFAULT '2020-02-02 02:02:02', `c` INT, PRIMARY KEY (`表1`))
INSERT INTO `t` VALUES ('2021-01-01 00:00:00', 1)
-- session
SET explicit_defaults_for_timestamp = 0
SET default_collation_for_utf8mb4 = utf8mb4_general_ci
SET character_set_collations = 'utf8mb4=utf8mb4_bin'
-- alter
ALTER TABLE `t` ADD COLUMN `s` TIMESTAMP, CONVERT TO CHARACTER SET utf8mb4, MODIFY `c` BIGINT
