# both
# An ALTER of alterego's own has MySQL write the default of a TIMESTAMP anew: nobody else has changed the table.
-- table
CREATE TABLE `t` (`k` INT NOT NULL, `c` BIGINT NOT NULL, `s` TIMESTAMP(2) NULL DEFAULT '2020-02-02 02:02:02', `d` INT, PRIMARY KEY (`k`), UNIQUE KEY `u` (`c`, `s`), KEY `i2` (`d`, `s`))
INSERT INTO `t` VALUES (1,1,'2024-10-27 01:30:00',1),(2,9223372036854775807,'2024-10-27 01:30:00',1),(3,9223372036854775806,'2024-10-27 01:30:00',2)
-- session
SET sql_mode = ''
SET time_zone = '-08:00'
-- alter
ALTER TABLE `t` MODIFY `c` INT NOT NULL AFTER `k`
