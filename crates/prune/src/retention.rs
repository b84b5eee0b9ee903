//! Counts and deletes old rows of the tables that only grow, in small batches.

use lanterne_database::{Connection, Error, Timestamp, params};

/// A table with rows to prune.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Table {
    /// Sessions age from the expiry of their refresh token, even if they were ended before.
    Sessions,
    /// Rows whose refresh token was used age from that use. Their access tokens have expired after a day, and the later
    /// rows of a chain need no first one: each has the chain's id.
    SpentSessions,
    /// Audit rows age from their creation.
    AuditLogs,
    /// Messages age from their creation; they are delivered for a day.
    Messages,
    /// One-time tokens age from their expiry.
    Tokens,
}

impl Table {
    /// Returns the name, and the column of the time from which a row ages.
    fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Sessions => ("sessions", "expires_at"),
            Self::SpentSessions => ("sessions", "rotated_at"),
            Self::AuditLogs => ("audit_logs", "created_at"),
            Self::Messages => ("outbox", "created_at"),
            Self::Tokens => ("one_time_tokens", "expires_at"),
        }
    }

    /// Counts the rows older than `cutoff`.
    pub(crate) async fn count(self, db: &dyn Connection, cutoff: Timestamp) -> Result<i64, Error> {
        let (table, time) = self.columns();
        let rows = db.query(&format!("SELECT count(*) FROM {table} WHERE {time} < ?1"), params![cutoff]).await?;
        rows.first().map_or(Ok(0), |row| row.get(0))
    }

    /// Finds the next batch of at most `count_max` rows older than `cutoff` with ids above `after`; returns its last id,
    /// `None` at the end. Takes no lock that a writer waits for.
    pub(crate) async fn next_batch(
        self,
        db: &dyn Connection,
        cutoff: Timestamp,
        after: i64,
        count_max: i64,
    ) -> Result<Option<i64>, Error> {
        let (table, time) = self.columns();
        let sql = format!(
            "SELECT max(id) FROM
               (SELECT id FROM {table} WHERE id > ?2 AND {time} < ?1 ORDER BY id LIMIT ?3)"
        );
        let rows = db.query(&sql, params![cutoff, after, count_max]).await?;
        rows.first().map_or(Ok(None), |row| row.get(0))
    }

    /// Deletes the rows older than `cutoff` with ids above `after` up to `last`; returns their number.
    pub(crate) async fn delete(
        self,
        db: &dyn Connection,
        cutoff: Timestamp,
        after: i64,
        last: i64,
    ) -> Result<usize, Error> {
        let (table, time) = self.columns();
        let sql = format!("DELETE FROM {table} WHERE id > ?2 AND id <= ?3 AND {time} < ?1 RETURNING id");
        Ok(db.query(&sql, params![cutoff, after, last]).await?.len())
    }
}
