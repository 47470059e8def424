-- What every program finds in its default schema.
CREATE TABLE item (
    id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    name VARCHAR(100) NOT NULL UNIQUE,
    price DECIMAL(12,4),
    day DATE,
    moment DATETIME(6),
    amount BIGINT UNSIGNED,
    ratio DOUBLE,
    data LONGBLOB,
    quantity INT NOT NULL DEFAULT 0
) DEFAULT CHARSET = utf8mb4;
