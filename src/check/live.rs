//! Floor 4. Plan and catalog: what the databases say about result columns goes into the
//! schemas that are published.

use super::output_schema::{self, Column, rows_as_they_are};
use crate::{
    catalog::Catalog,
    plan::{Operation, Plan, Structured, Transaction, sql::Returns},
};

/// Puts the columns of the catalog into the output schemas. Tools whose statement the catalog
/// does not know keep the schema that says only that rows come.
pub fn apply(plan: &mut Plan, catalog: &Catalog) {
    for tool in &mut plan.tools {
        let derived = tool.output.structured == Structured::Sent
            && rows_as_they_are(&tool.output)
            && tool.output.contract.is_none();
        match &tool.operation {
            Operation::Sql(query) if derived && query.returns != Returns::Affected => {
                let Some(columns) = columns(catalog, &tool.name) else { continue };
                let found = query.not_found.is_some();
                tool.output_schema = Some(output_schema::of_sql(query.returns, Some(&columns), &query.columns, found));
            }
            Operation::Transaction(transaction) if derived => {
                let columns = |at: usize| columns(catalog, &Transaction::key(&tool.name, at));
                tool.output_schema = Some(output_schema::of_transaction(transaction, &columns));
            }
            _ => {}
        }
    }
}

fn columns<'a>(catalog: &'a Catalog, key: &str) -> Option<Vec<Column<'a>>> {
    let columns = catalog.columns(key)?.iter().map(|column| Column {
        name: &column.name,
        declared: column.declared.as_deref(),
        schema: column.schema.as_ref(),
    });
    Some(columns.collect())
}
