# both
# In such a session ALTER keeps the spaces of a CHAR.
-- table
CREATE TABLE `t` (`k` INT NOT NULL, `c4` CHAR(20) NOT NULL, PRIMARY KEY (`k`))
INSERT INTO `t` VALUES (1,'a0')
-- session
SET sql_mode = 'PAD_CHAR_TO_FULL_LENGTH'
-- alter
ALTER TABLE `t` MODIFY `c4` MEDIUMTEXT NOT NULL
