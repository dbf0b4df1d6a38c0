CREATE TABLE orders (id INTEGER PRIMARY KEY, note TEXT);
INSERT INTO orders (note) VALUES ('red shoes'), ('blue shoes'), ('acme');
