//! Floor 3. The tables of a live database as its catalog describes them: columns, keys, references and
//! checks, and never a row. Serves `import sql`.

/// What a database has to be read.
#[derive(Clone, Debug)]
pub struct Tables {
    /// Its name: of a file the name without the extension.
    pub database: String,
    /// The schema whose tables are found by their name alone. On MySQL that is the database.
    pub home: String,
    /// The tables, by schema and name.
    pub tables: Vec<Table>,
}

/// A table, or what is read like one.
#[derive(Clone, Debug)]
pub struct Table {
    /// Where it stands.
    pub schema: String,
    /// Its name, as it is.
    pub name: String,
    /// What it is.
    pub kind: TableKind,
    /// What its owner says of it.
    pub comment: Option<String>,
    /// Why it is of no use by itself: "it is a partition of `orders`".
    pub obstacle: Option<String>,
    /// Its columns, in order.
    pub columns: Vec<TableColumn>,
    /// What is found once at most: the primary key first, if there is one.
    pub keys: Vec<Key>,
    /// Its references to others, and to itself.
    pub references: Vec<Reference>,
    /// The conditions that every row fulfils, in the database's words.
    pub checks: Vec<Check>,
}

/// What is read like a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// A table, with rows of its own.
    Table,
    /// A table that has a number for each row, by which rows can be put in order.
    Numbered,
    /// A query that has a name.
    View,
}

/// A column of a table.
#[derive(Clone, Debug)]
pub struct TableColumn {
    /// Its name, as it is.
    pub name: String,
    /// Its type as it was declared: `numeric(10,2)`.
    pub declared: String,
    /// The name of the type alone, below its domains: `numeric`.
    pub base: String,
    /// Whether it is never NULL.
    pub not_null: bool,
    /// What its owner says of it.
    pub comment: Option<String>,
    /// The values of its type, if that lists them.
    pub labels: Vec<String>,
    /// Whether the user may read it.
    pub readable: bool,
}

/// Columns that together are found once at most.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Whether it is the primary key.
    pub primary: bool,
    /// The names of its columns, in order.
    pub columns: Vec<String>,
}

/// Columns whose values are a key of another table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The schema of the other table.
    pub schema: String,
    /// The other table.
    pub table: String,
    /// The columns here, each with the one there.
    pub columns: Vec<(String, String)>,
}

/// A condition that every row fulfils.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The column whose values it is about, where the database says so.
    pub column: Option<String>,
    /// The condition, or a text that holds conditions.
    pub clause: String,
}
