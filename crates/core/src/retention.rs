//! Rows that nothing needs any more, in the tables that only ever grow: counted, found and deleted a few at a time.

use lanterne_database::Timestamp;
use lanterne_database::params;
use lanterne_database::{Connection, Error};

/// A kind of rows that grow old.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// Sessions, from when their refresh token expires. One that was ended before stays until then.
    Sessions,
    /// Lines of the audit log, from when they were written.
    AuditRows,
}

impl Kind {
    /// The table, and the column with the time from which its rows are old.
    fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Sessions => ("sessions", "expires_at"),
            Self::AuditRows => ("audit_logs", "created_at"),
        }
    }

    /// How many are older than `cutoff`.
    pub async fn count(self, db: &impl Connection, cutoff: Timestamp) -> Result<i64, Error> {
        let (table, time) = self.columns();
        let rows = db.query(&format!("SELECT count(*) FROM {table} WHERE {time} < ?1"), params![cutoff]).await?;
        rows.first().map_or(Ok(0), |row| row.get(0))
    }

    /// The last of the next `count_max` that are older than `cutoff`, by id from behind `after`; `None` if no more are.
    /// It only reads, and so keeps nobody waiting, however many other rows there are in between.
    pub async fn next(
        self,
        db: &impl Connection,
        cutoff: Timestamp,
        after: i64,
        count_max: i64,
    ) -> Result<Option<i64>, Error> {
        let (table, time) = self.columns();
        let rows = db
            .query(
                &format!(
                    "SELECT max(id) FROM
                       (SELECT id FROM {table} WHERE id > ?2 AND {time} < ?1 ORDER BY id LIMIT ?3)"
                ),
                params![cutoff, after, count_max],
            )
            .await?;
        rows.first().map_or(Ok(None), |row| row.get(0))
    }

    /// Deletes those with ids from behind `after` to `last` that are older than `cutoff`; returns how many.
    pub async fn delete(self, db: &impl Connection, cutoff: Timestamp, after: i64, last: i64) -> Result<usize, Error> {
        let (table, time) = self.columns();
        let rows = db
            .query(
                &format!("DELETE FROM {table} WHERE id > ?2 AND id <= ?3 AND {time} < ?1 RETURNING id"),
                params![cutoff, after, last],
            )
            .await?;
        Ok(rows.len())
    }
}
