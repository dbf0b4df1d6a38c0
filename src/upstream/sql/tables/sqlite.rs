//! Floor 5. The catalog of SQLite: table-valued pragmas, and the text that made each table, which alone
//! has its checks.

use super::Questions;
use crate::plan::sql::Dialect;

pub(super) const QUESTIONS: Questions = Questions {
    dialect: Dialect::Sqlite,
    place: "SELECT file AS database, 'main' AS home FROM pragma_database_list WHERE name = 'main'",
    tables: "\
SELECT name AS table_name,
  CASE WHEN type = 'view' THEN 'view' WHEN type = 'table' AND NOT wr THEN 'numbered' ELSE 'table' END AS kind,
  NULL AS comment, CASE WHEN type = 'shadow' THEN 'it belongs to a virtual table' END AS obstacle
FROM pragma_table_list WHERE schema = :name AND name NOT LIKE 'sqlite!_%' ESCAPE '!' ORDER BY name",
    columns: "\
SELECT t.name AS table_name, c.name AS column_name, c.type AS declared, c.type AS base,
  c.\"notnull\" AS not_null, NULL AS comment, NULL AS labels, 1 AS readable
FROM pragma_table_list t JOIN pragma_table_xinfo(t.name) c
WHERE t.schema = :name AND c.hidden <> 1 AND t.type = 'table' ORDER BY t.name, c.cid",
    // One view that names what is not there would spoil the list of all.
    alone: Some(
        "\
SELECT :name AS table_name, name AS column_name, type AS declared, type AS base, \"notnull\" AS not_null,
  NULL AS comment, NULL AS labels, 1 AS readable
FROM pragma_table_xinfo(:name) WHERE hidden <> 1 ORDER BY cid",
    ),
    keys: "\
SELECT t.name AS table_name, '' AS key_name, 1 AS is_primary, c.name AS column_name, 0 AS rank, c.pk AS position
FROM pragma_table_list t JOIN pragma_table_xinfo(t.name) c
WHERE t.schema = :name AND t.type = 'table' AND c.pk > 0
UNION ALL
SELECT t.name, i.name, 0, c.name, 1, c.seqno
FROM pragma_table_list t JOIN pragma_index_list(t.name) i JOIN pragma_index_info(i.name) c
WHERE t.type = 'table' AND i.\"unique\" AND NOT i.partial AND i.origin <> 'pk' AND c.name IS NOT NULL
ORDER BY 1, 5, 2, 6",
    references: "\
SELECT t.name AS table_name, CAST(f.id AS text) AS reference_name, f.\"from\" AS column_name,
  'main' AS to_schema, f.\"table\" AS to_table, f.\"to\" AS to_column
FROM pragma_table_list t JOIN pragma_foreign_key_list(t.name) f
WHERE t.schema = :name AND t.type = 'table' ORDER BY t.name, f.id, f.seq",
    checks: "\
SELECT name AS table_name, NULL AS column_name, sql AS clause FROM sqlite_schema
WHERE type = 'table' AND :name = 'main' AND sql LIKE '%check%'",
};
