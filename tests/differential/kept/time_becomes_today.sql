# both
# A TIME becomes a time of the present day, which is the session's.
-- table
CREATE TABLE `t` (`c0` TIME, `id0` SMALLINT NOT NULL AUTO_INCREMENT, PRIMARY KEY (`id0`))
INSERT IGNORE INTO `t` (`c0`,`id0`) VALUES ('12:34:56',NULL)
-- session
-- alter
ALTER TABLE `t` CHANGE `c0` `C0` TIMESTAMP(6) NULL FIRST
