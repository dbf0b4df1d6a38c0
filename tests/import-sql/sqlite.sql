CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL, email text UNIQUE, vip boolean NOT NULL,
  grade text CHECK (grade IN ('a', 'b')), password_hash text);
CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer NOT NULL REFERENCES customers,
  state text NOT NULL CHECK (state IN ('open', 'shipped', 'returned')), -- CHECK (state IN ('no'))
  channel text, total numeric(10, 2), note text, twice numeric AS (total * 2),
  CHECK (channel IS NULL OR channel IN ('web', 'shop')));
CREATE TABLE order_items (order_id integer NOT NULL REFERENCES orders (id), line_no integer NOT NULL,
  product text NOT NULL, photo blob, level integer CHECK (level IN (1, 2, 3)), PRIMARY KEY (order_id, line_no));
CREATE TABLE "Order Details" ("Order Id" int, "select" text, "a""b:c" text, "größe" text);
CREATE TABLE "order" ("group" text PRIMARY KEY, "limit" text CHECK ("limit" IN ('x', 'y'))) WITHOUT ROWID;
CREATE TABLE log (message text);
CREATE TABLE files (data blob);
CREATE TABLE events (kind text NOT NULL, at date NOT NULL, PRIMARY KEY (kind, at));
CREATE VIEW open_orders AS SELECT id, note FROM orders WHERE state = 'open';
CREATE VIEW trap AS SELECT json('a row was read' || id) AS message FROM orders;
CREATE VIEW broken AS SELECT nope FROM nowhere;
CREATE VIRTUAL TABLE pages USING fts5(title);
INSERT INTO pages VALUES ('Brass lamps');
INSERT INTO customers VALUES (1, 'Ada', 'ada@example.com', 1, 'a', 'x'), (2, 'Bob', NULL, 0, NULL, 'y'),
  (3, 'Cy 100%', NULL, 0, 'b', 'z');
INSERT INTO orders VALUES (1, 1, 'open', 'web', 9.99, 'gift'), (2, 1, 'shipped', 'shop', 5, NULL),
  (3, 2, 'open', NULL, 1, 'fragile');
INSERT INTO order_items VALUES (1, 1, 'lamp', x'00', 1), (1, 2, 'shade', NULL, 2), (2, 1, 'bulb', NULL, NULL);
INSERT INTO "Order Details" VALUES (1, 'one', 'two', 'klein');
INSERT INTO "order" VALUES ('00000000-0000-0000-0000-000000000001', 'x');
INSERT INTO events VALUES ('visit', '2024-05-01');
