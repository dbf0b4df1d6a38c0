CREATE TABLE tickets (
  id INTEGER PRIMARY KEY,
  subject TEXT NOT NULL,
  customer TEXT NOT NULL,
  state TEXT NOT NULL DEFAULT 'open',
  answer TEXT
);
INSERT INTO tickets (subject, customer, state, answer) VALUES
  ('The printer prints stripes', 'mara@customer.example', 'open', NULL),
  ('Password forgotten', 'jon@customer.example', 'closed', 'A new one was sent.'),
  ('The printer is on fire', 'mara@customer.example', 'open', NULL);
