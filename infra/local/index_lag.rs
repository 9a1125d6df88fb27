//! An index that shows the state of some writes ago, as DynamoDB's global secondary indexes may.

use std::collections::VecDeque;

use bytes::Bytes;
use dynoxide::Database;

use crate::Result;

/// A second database in which the newest writes are still missing. Queries of an index are answered from it.
pub(crate) struct LaggingIndex {
    behind: Database,
    missing: VecDeque<Write>,
    random: fastrand::Rng,
}

/// A write: its operation and input.
pub(crate) type Write = (String, Bytes);

impl LaggingIndex {
    /// The same tables with the same items as `tables`; `created` made the tables.
    pub(crate) fn of(tables: &Database, created: &[Bytes], seed: u64) -> Result<Self> {
        let behind = Database::memory()?;
        for table in created {
            let table: serde_json::Value = serde_json::from_slice(table)?;
            behind.create_table(serde_json::from_value(table.clone())?)?;
            let name = &table["TableName"];
            let scan = serde_json::json!({ "TableName": name });
            let items = tables.scan(serde_json::from_value(scan)?)?.items;
            for item in items.into_iter().flatten() {
                let put = serde_json::json!({ "TableName": name, "Item": item });
                behind.put_item(serde_json::from_value(put)?)?;
            }
        }
        Ok(Self { behind, missing: VecDeque::new(), random: fastrand::Rng::with_seed(seed) })
    }

    /// Notes a write that the tables have taken, in their order.
    pub(crate) fn note(&mut self, write: Write) {
        self.missing.push_back(write);
    }

    /// Returns the database as a query sees it now. Of the missing writes none have arrived as a rule, and else some of
    /// them.
    pub(crate) fn now(&mut self, run: impl Fn(&Database, &str, &[u8])) -> Database {
        if self.random.u8(..4) == 0 {
            let arrived = self.random.usize(..=self.missing.len());
            for (operation, input) in self.missing.drain(..arrived) {
                run(&self.behind, &operation, &input);
            }
        }
        self.behind.clone()
    }
}
