-- People of the client checks. `badge` is text because its first value, 2^53 + 1, is no exact number in JavaScript.
CREATE TABLE people (
    id    INTEGER PRIMARY KEY,
    name  TEXT NOT NULL,
    team  TEXT,
    badge TEXT NOT NULL
);

INSERT INTO people (id, name, team, badge) VALUES
    (1, 'Ines Okafor',   'engines', '9007199254740993'),
    (2, 'Jörg Ångström', 'engines', '12'),
    (3, 'Mei Tanaka',    NULL,      '13');
