# both
# A warning of the definition names the table, not its alter ego.
-- table
CREATE TABLE `t0` (`k1` DATETIME(6) NOT NULL, `c0` ENUM('x','y'), PRIMARY KEY (`k1`), UNIQUE KEY `i0` (`c0`, `k1`))
-- session
-- alter
ALTER TABLE `t0` ADD UNIQUE KEY `n103` (`c0`, `k1`) COMMENT 'i; x'
