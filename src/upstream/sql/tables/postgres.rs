//! Floor 5. The catalog of PostgreSQL. What belongs to an extension, and a partition, which its table
//! shows, are of no use by themselves.

use super::Questions;
use crate::plan::sql::Dialect;

pub(super) const QUESTIONS: Questions = Questions {
    dialect: Dialect::Postgres,
    place: "SELECT current_database()::text AS database, current_schema()::text AS home",
    tables: "\
SELECT c.relname::text AS table_name,
  CASE WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'table' END AS kind,
  obj_description(c.oid, 'pg_class') AS comment,
  CASE
    WHEN EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
      AND d.deptype = 'e') THEN 'it belongs to an extension'
    WHEN c.relispartition THEN 'it is a partition, which its table shows'
    WHEN NOT has_schema_privilege(n.oid, 'USAGE') OR NOT has_any_column_privilege(c.oid, 'SELECT')
      THEN 'the user may not read it'
    WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'it was never filled'
  END AS obstacle
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :name AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
ORDER BY c.relname",
    columns: "\
SELECT c.relname::text AS table_name, a.attname::text AS column_name,
  format_type(a.atttypid, a.atttypmod) AS declared,
  CASE WHEN b.typtype = 'e' THEN 'enum' WHEN b.typelem <> 0 AND b.typlen = -1 AND b.typcategory = 'A' THEN 'array'
    WHEN b.typtype = 'c' THEN 'record' ELSE b.typname::text END AS base,
  a.attnotnull OR t.typnotnull AS not_null, col_description(c.oid, a.attnum) AS comment,
  (SELECT array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = b.oid) AS labels,
  has_column_privilege(c.oid, a.attnum, 'SELECT') AS readable
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_type u ON u.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END
  JOIN pg_type b ON b.oid = CASE WHEN u.typtype = 'd' THEN u.typbasetype ELSE u.oid END
WHERE n.nspname = :name AND c.relkind IN ('r', 'p', 'v', 'm', 'f') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY c.relname, a.attnum",
    alone: None,
    keys: "\
SELECT c.relname::text AS table_name, x.relname::text AS key_name, i.indisprimary AS is_primary,
  a.attname::text AS column_name
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
  CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, position)
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE n.nspname = :name AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
  AND k.position <= i.indnkeyatts
ORDER BY c.relname, i.indisprimary DESC, x.relname, k.position",
    references: "\
SELECT c.relname::text AS table_name, f.conname::text AS reference_name, a.attname::text AS column_name,
  tn.nspname::text AS to_schema, tc.relname::text AS to_table, ta.attname::text AS to_column
FROM pg_constraint f JOIN pg_class c ON c.oid = f.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class tc ON tc.oid = f.confrelid JOIN pg_namespace tn ON tn.oid = tc.relnamespace
  CROSS JOIN LATERAL unnest(f.conkey, f.confkey) WITH ORDINALITY AS k (here, there, position)
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.here
  JOIN pg_attribute ta ON ta.attrelid = tc.oid AND ta.attnum = k.there
WHERE n.nspname = :name AND f.contype = 'f' AND NOT tc.relispartition
ORDER BY c.relname, f.conname, k.position",
    checks: "\
SELECT c.relname::text AS table_name, NULL::text AS column_name, pg_get_constraintdef(k.oid) AS clause
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = :name AND k.contype = 'c'
UNION ALL
SELECT c.relname::text, a.attname::text, pg_get_constraintdef(k.oid)
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_constraint k ON k.contypid = a.atttypid AND k.contype = 'c'
WHERE n.nspname = :name AND a.attnum > 0 AND NOT a.attisdropped",
};
