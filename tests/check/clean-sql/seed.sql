CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER, workspace TEXT, total INTEGER, note TEXT, open INTEGER);
