# both
# The same for a CHECK.
-- table
CREATE TABLE `t0` (`50%0` INT NOT NULL AUTO_INCREMENT, `a``b2` VARCHAR(63), PRIMARY KEY (`50%0`), CONSTRAINT `i1` CHECK (LENGTH(`a``b2`) < 1000))
-- session
-- alter
ALTER TABLE `t0` RENAME COLUMN `a``b2` TO `n102`, DROP COLUMN `50%0`
