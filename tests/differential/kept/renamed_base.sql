# both
# A declined form that renames the base of a generated column leaves nothing behind on MariaDB.
-- table
CREATE TABLE `t` (`k1` DATETIME NOT NULL, `Key0` INT GENERATED ALWAYS AS (LENGTH(`k1`)) VIRTUAL, PRIMARY KEY (`k1`))
-- session
-- alter
ALTER TABLE `t` CHANGE `k1` `n102` TIME NOT NULL DEFAULT '01:02:03'
