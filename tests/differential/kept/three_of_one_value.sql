# both
# Three rows whose values become equal, in different chunks: two of them cannot be shown to be duplicates while the third
# stands in the ghost.
-- table
CREATE TABLE `t` (`id` INT NOT NULL PRIMARY KEY, `c` BIGINT UNSIGNED NOT NULL, UNIQUE KEY `u` (`c`))
INSERT INTO `t` VALUES (1,1),(2,2),(3,3),(4,4),(5,5),(6,6),(7,7),(8,8),(9,9),(10,10),(11,18446744073709551611),(12,18446744073709551612),(13,13),(14,14),(15,15),(16,16),(17,17),(18,18),(19,19),(20,20),(21,21),(22,22),(23,23),(24,24),(25,18446744073709551605)
INSERT INTO `t` VALUES (31,31),(32,32),(33,33),(34,34),(35,35),(36,36),(37,37),(38,38),(39,39),(40,40),(41,18446744073709551601),(42,18446744073709551602),(43,43),(44,44),(45,45),(46,46),(47,47),(48,48),(49,49),(50,50),(51,51),(52,52),(53,53),(54,54),(55,18446744073709551604)
-- session
SET sql_mode = ''
-- alter
ALTER TABLE `t` MODIFY `c` INT UNSIGNED NOT NULL
