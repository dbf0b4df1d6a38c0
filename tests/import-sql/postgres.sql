CREATE TYPE state AS ENUM ('open', 'shipped', 'returned');
CREATE DOMAIN grade AS text CHECK (VALUE IN ('a', 'b'));
CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, email text UNIQUE, vip boolean NOT NULL,
  grade grade, password_hash text);
COMMENT ON TABLE customers IS 'People who have bought something.';
COMMENT ON COLUMN customers.email IS 'Where invoices go';
COMMENT ON COLUMN customers.vip IS 'Whether they get a discount';
CREATE TABLE orders (id int PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, state state NOT NULL,
  channel text CHECK (channel IS NULL OR channel IN ('web', 'shop')), total numeric(10, 2), note text,
  twice numeric GENERATED ALWAYS AS (total * 2) STORED);
COMMENT ON COLUMN orders.customer_id IS 'Who pays';
CREATE TABLE order_items (order_id int NOT NULL REFERENCES orders, line_no int NOT NULL, product text NOT NULL,
  photo bytea, level int CHECK (level IN (1, 2, 3)), PRIMARY KEY (order_id, line_no));
CREATE TABLE "Order Details" ("Order Id" int, "select" text, "a""b:c" text, "größe" text);
CREATE TABLE "order" ("group" uuid PRIMARY KEY, "limit" text CHECK ("limit" IN ('x', 'y')));
CREATE TABLE log (message text);
CREATE TABLE files (data bytea);
CREATE TABLE hidden (id int PRIMARY KEY);
CREATE TABLE events (kind text NOT NULL, at date NOT NULL, PRIMARY KEY (kind, at)) PARTITION BY RANGE (at);
CREATE TABLE events_2024 PARTITION OF events FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE VIEW open_orders AS SELECT id, note FROM orders WHERE state = 'open';
CREATE FUNCTION boom() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'a row was read'; END $$;
CREATE VIEW trap AS SELECT boom() AS message;
CREATE SCHEMA sales;
CREATE TABLE sales.targets (year int PRIMARY KEY, customer_id bigint REFERENCES public.customers, goal text);
GRANT USAGE ON SCHEMA sales TO app;
GRANT SELECT ON ALL TABLES IN SCHEMA sales TO app;
INSERT INTO customers VALUES (1, 'Ada', 'ada@example.com', true, 'a', 'x'), (2, 'Bob', NULL, false, NULL, 'y'),
  (3, 'Cy 100%', NULL, false, 'b', 'z');
INSERT INTO orders VALUES (1, 1, 'open', 'web', 9.99, 'gift'), (2, 1, 'shipped', 'shop', 5, NULL),
  (3, 2, 'open', NULL, 1, 'fragile');
INSERT INTO order_items VALUES (1, 1, 'lamp', '\x00', 1), (1, 2, 'shade', NULL, 2), (2, 1, 'bulb', NULL, NULL);
INSERT INTO "Order Details" VALUES (1, 'one', 'two', 'klein');
INSERT INTO "order" VALUES ('00000000-0000-0000-0000-000000000001', 'x');
INSERT INTO events VALUES ('visit', '2024-05-01');
INSERT INTO sales.targets VALUES (2024, 1, 'more');
