# both
# NULL becomes the present time, which is the session's, in a TIMESTAMP.
-- table
CREATE TABLE `t` (`k1` MEDIUMINT NOT NULL, `ORDER4` TIMESTAMP(2) NULL, PRIMARY KEY (`k1`))
INSERT IGNORE INTO `t` (`k1`,`ORDER4`) VALUES (21,NULL)
-- session
-- alter
ALTER TABLE `t` MODIFY `ORDER4` TIMESTAMP(3) NOT NULL
