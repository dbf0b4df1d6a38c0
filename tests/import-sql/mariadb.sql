CREATE TABLE customers (id bigint PRIMARY KEY, name varchar(80) NOT NULL,
  email varchar(80) UNIQUE COMMENT 'Where invoices go', vip tinyint(1) NOT NULL COMMENT 'Whether they get a discount',
  grade varchar(1) CHECK (grade IN ('a', 'b')), password_hash text) COMMENT = 'People who have bought something.';
CREATE TABLE orders (id int PRIMARY KEY, customer_id bigint NOT NULL COMMENT 'Who pays',
  state enum('open', 'shipped', 'returned') NOT NULL, channel varchar(9) CHECK (channel IN ('web', 'shop')),
  total decimal(10, 2), note text, twice decimal(11, 2) AS (total * 2) STORED,
  FOREIGN KEY (customer_id) REFERENCES customers (id));
CREATE TABLE order_items (order_id int NOT NULL, line_no int NOT NULL, product varchar(80) NOT NULL, photo blob,
  level int CHECK (level IN (1, 2, 3)), extra json, PRIMARY KEY (order_id, line_no),
  FOREIGN KEY (order_id) REFERENCES orders (id));
CREATE TABLE `Order Details` (`Order Id` int, `select` varchar(20), `a"b:c` varchar(20), `größe` varchar(20),
  `tick``ed` varchar(20));
CREATE TABLE `order` (`group` uuid PRIMARY KEY, `limit` varchar(1) CHECK (`limit` IN ('x', 'y')));
CREATE TABLE log (message text);
CREATE TABLE files (data blob);
CREATE TABLE events (kind varchar(20) NOT NULL, at date NOT NULL, PRIMARY KEY (kind, at))
  PARTITION BY RANGE COLUMNS (at) (PARTITION p2024 VALUES LESS THAN ('2025-01-01'));
CREATE VIEW open_orders AS SELECT id, note FROM orders WHERE state = 'open';
-- Fails as soon as a row is read.
CREATE FUNCTION boom(i int) RETURNS text READS SQL DATA RETURN (SELECT note FROM orders WHERE id <> i);
CREATE VIEW trap AS SELECT boom(id) AS message FROM orders;
INSERT INTO customers VALUES (1, 'Ada', 'ada@example.com', 1, 'a', 'x'), (2, 'Bob', NULL, 0, NULL, 'y'),
  (3, 'Cy 100%', NULL, 0, 'b', 'z');
INSERT INTO orders (id, customer_id, state, channel, total, note) VALUES (1, 1, 'open', 'web', 9.99, 'gift'),
  (2, 1, 'shipped', 'shop', 5, NULL), (3, 2, 'open', NULL, 1, 'fragile');
INSERT INTO order_items VALUES (1, 1, 'lamp', 'x', 1, '{}'), (1, 2, 'shade', NULL, 2, NULL), (2, 1, 'bulb', NULL, NULL, NULL);
INSERT INTO `Order Details` VALUES (1, 'one', 'two', 'klein', 'z');
INSERT INTO `order` VALUES ('00000000-0000-0000-0000-000000000001', 'x');
INSERT INTO events VALUES ('visit', '2024-05-01');
