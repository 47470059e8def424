# both
# AUTO_INCREMENT by the client's own clause counts, also where it is lower than the source's.
-- table
CREATE TABLE `t` (`id` INT NOT NULL AUTO_INCREMENT PRIMARY KEY, `c` INT) AUTO_INCREMENT=1000
INSERT INTO `t` (`id`) VALUES (3),(7)
-- session
-- alter
ALTER TABLE `t` AUTO_INCREMENT=2, MODIFY `c` BIGINT
-- writer, pausing (ms) 20
-- transaction
INSERT INTO `t` (`id`) VALUES (90)
-- transaction
DELETE FROM `t` WHERE `id` = 90
-- transaction
INSERT INTO `t` (`c`) VALUES (1)
-- transaction
INSERT INTO `t` (`c`) VALUES (2)
