//! Floor 5. The catalog of MySQL and MariaDB. Its views show to a user what the user has rights on.

use super::Questions;
use crate::plan::sql::Dialect;

/// MariaDB has the table in its list of checks, and shows its other one to fewer users.
pub(super) const MARIADB: Questions = Questions {
    checks: "\
SELECT TABLE_NAME AS table_name, NULL AS column_name, CHECK_CLAUSE AS clause
FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = :name",
    ..MYSQL
};

pub(super) const MYSQL: Questions = Questions {
    dialect: Dialect::Mysql,
    place: "SELECT DATABASE() AS `database`, DATABASE() AS home, VERSION() LIKE '%maria%' AS is_mariadb",
    tables: "\
SELECT TABLE_NAME AS table_name, IF(TABLE_TYPE LIKE '%VIEW%', 'view', 'table') AS kind,
  IF(TABLE_TYPE LIKE '%VIEW%', NULL, TABLE_COMMENT) AS comment,
  IF(TABLE_TYPE = 'SEQUENCE', 'it is a sequence', NULL) AS obstacle
FROM information_schema.TABLES WHERE TABLE_SCHEMA = :name ORDER BY TABLE_NAME",
    columns: "\
SELECT TABLE_NAME AS table_name, COLUMN_NAME AS column_name, COLUMN_TYPE AS declared, DATA_TYPE AS base,
  IS_NULLABLE = 'NO' AS not_null, COLUMN_COMMENT AS comment, NULL AS labels,
  PRIVILEGES = '' OR FIND_IN_SET('select', PRIVILEGES) > 0 AS readable
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = :name ORDER BY TABLE_NAME, ORDINAL_POSITION",
    alone: None,
    keys: "\
SELECT TABLE_NAME AS table_name, INDEX_NAME AS key_name, INDEX_NAME = 'PRIMARY' AS is_primary,
  COLUMN_NAME AS column_name
FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = :name AND NON_UNIQUE = 0 AND SUB_PART IS NULL AND COLUMN_NAME IS NOT NULL
ORDER BY TABLE_NAME, INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX",
    references: "\
SELECT TABLE_NAME AS table_name, CONSTRAINT_NAME AS reference_name, COLUMN_NAME AS column_name,
  REFERENCED_TABLE_SCHEMA AS to_schema, REFERENCED_TABLE_NAME AS to_table, REFERENCED_COLUMN_NAME AS to_column
FROM information_schema.KEY_COLUMN_USAGE
WHERE TABLE_SCHEMA = :name AND REFERENCED_TABLE_NAME IS NOT NULL
ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION",
    checks: "\
SELECT t.TABLE_NAME AS table_name, NULL AS column_name, c.CHECK_CLAUSE AS clause
FROM information_schema.CHECK_CONSTRAINTS c JOIN information_schema.TABLE_CONSTRAINTS t
  ON t.CONSTRAINT_SCHEMA = c.CONSTRAINT_SCHEMA AND t.CONSTRAINT_NAME = c.CONSTRAINT_NAME
WHERE t.TABLE_SCHEMA = :name AND t.CONSTRAINT_TYPE = 'CHECK'",
};
