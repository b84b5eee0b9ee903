//! The table `throttle`.
//!
//! Times are Unix time in milliseconds: in whole seconds, a short pause could end at once. A counter expires when its window
//! has ended, and its pause too; the next attempt begins it anew.

use lanterne_database::{Connection, Error, Value, params};

use super::Paused;
use super::limits::{ACCOUNT, ADDRESS, AttemptLimit, PAIR, doubling_pause, pause_at_guessed_account};

/// The maximum number of tries of an attempt whose pause ends before it can be read.
const REPETITIONS_MAX: usize = 3;

/// The counters at one moment.
pub(super) struct Counters<'a> {
    pub(super) db: &'a dyn Connection,
    pub(super) now: i64,
}

/// A counter to change, by its key.
pub(super) enum Released<'a> {
    /// All of its attempts.
    Forgotten(&'a str),
    /// One attempt, and the pause until this time that it began; a pause of another attempt stays.
    TakenBack(&'a str, i64),
}

impl Counters<'_> {
    /// Counts an attempt in all three counters, or in none. Returns the ends of the pauses that it begins for `pair` and
    /// `address`, 0 without one, or the pause in which it is refused.
    pub(super) async fn attempt<'k>(
        &self,
        pair: &'k str,
        address: &'k str,
        account: &str,
    ) -> Result<Result<[i64; 2], Paused<'k>>, Error> {
        // An account has no pause of its own.
        let pauses = format!(
            "CASE key
               WHEN ?2 THEN max({}, iif((SELECT count FROM counters WHERE key = ?4) > {}, {}, 0))
               WHEN ?3 THEN {}
               ELSE 0
             END",
            doubling_pause(&PAIR),
            ACCOUNT.attempts,
            pause_at_guessed_account(),
            doubling_pause(&ADDRESS),
        );
        let sql = count_sql(&[&PAIR, &ADDRESS, &ACCOUNT], &pauses);
        self.repeat([(&ADDRESS, address), (&PAIR, pair)], async || {
            let rows = self.db.query(&sql, params![self.now, pair, address, account]).await?;
            let mut paused_until = [0; 2];
            for row in &rows {
                let key: String = row.get(0)?;
                match key.as_str() {
                    key if key == pair => paused_until[0] = row.get(1)?,
                    key if key == address => paused_until[1] = row.get(1)?,
                    _ => {}
                }
            }
            Ok((!rows.is_empty()).then_some(paused_until))
        })
        .await
    }

    /// Counts a request that is not a password guess; the trigger `token_pairs_insert` (migration 0006) counts refreshes by the
    /// same rule. The one that reaches the limit begins a pause for the rest of the window.
    pub(super) async fn admit<'k>(&self, limit: &AttemptLimit, key: &'k str) -> Result<Result<(), Paused<'k>>, Error> {
        let pause = format!("iif(count >= {}, window_ends_at - ?1, 0)", limit.attempts);
        let sql = count_sql(&[limit], &pause);
        self.repeat([(limit, key)], async || {
            let rows = self.db.query(&sql, params![self.now, key]).await?;
            Ok((!rows.is_empty()).then_some(()))
        })
        .await
    }

    /// Runs `count` until it counts, or one of `counters` tells for how long it does not.
    async fn repeat<'k, T, const N: usize>(
        &self,
        counters: [(&AttemptLimit, &'k str); N],
        count: impl AsyncFn() -> Result<Option<T>, Error>,
    ) -> Result<Result<T, Paused<'k>>, Error> {
        for _ in 0..REPETITIONS_MAX {
            if let Some(counted) = count().await? {
                return Ok(Ok(counted));
            }
            for (limit, key) in counters {
                if let Some(paused) = self.refuse(limit, key).await? {
                    return Ok(Err(paused));
                }
            }
        }
        // Other attempts begin a new pause each time.
        Ok(Err(Paused { key: counters[0].1, until: self.now + 1, is_first_refusal: false }))
    }

    /// Returns a counter if it is paused, and notes that the pause has refused an attempt. Shortens window and pause to
    /// the longest that can begin now: they began before the clock was set back.
    async fn refuse<'k>(&self, limit: &AttemptLimit, key: &'k str) -> Result<Option<Paused<'k>>, Error> {
        let sql = "SELECT count, paused_until, has_refused FROM throttle WHERE key = ?1 AND paused_until > ?2";
        let read = self.db.query_first(sql, params![key, self.now], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        let Some((count, stored_until, has_refused)): Option<(i64, i64, bool)> = read.await? else { return Ok(None) };
        let until = stored_until.min(self.now + limit.pause_max(count));
        let mut is_first_refusal = !has_refused;
        if is_first_refusal || until < stored_until {
            // Of simultaneous refusals, exactly one is the first.
            let sql = "UPDATE throttle SET has_refused = 1, paused_until = ?4, window_ends_at = min(window_ends_at, ?5)
                       WHERE key = ?1 AND paused_until = ?2 AND has_refused = ?3 RETURNING 1";
            let window_ends_at = self.now + limit.window_millis();
            let params = params![key, stored_until, has_refused, until, window_ends_at];
            is_first_refusal &= !self.db.query(sql, params).await?.is_empty();
        }
        Ok(Some(Paused { key, until, is_first_refusal }))
    }
}

/// Returns the statement that counts an attempt at the time `?1` in the counters of `limits`, whose keys are `?2` and so on,
/// unless one of them is paused. It returns keys and ends of pauses, or no rows. `pause` is the SQL of the pause in
/// milliseconds that a row of `counters` begins, in which the attempt is counted already.
fn count_sql(limits: &[&AttemptLimit], pause: &str) -> String {
    let asked: Vec<_> =
        limits.iter().zip(2..).map(|(limit, number)| format!("(?{number}, {})", limit.window_millis())).collect();
    format!(
        "WITH asked (key, window) AS (VALUES {}),
         counters AS (
           SELECT asked.key, coalesce(count, 0) + 1 AS count,
                  min(coalesce(window_ends_at, ?1 + window), ?1 + window) AS window_ends_at,
                  coalesce(paused_until, 0) AS paused_until
           FROM asked LEFT JOIN throttle
             ON throttle.key = asked.key AND max(throttle.window_ends_at, throttle.paused_until) > ?1)
         INSERT INTO throttle (key, count, created_at, window_ends_at, paused_until, has_refused)
         SELECT key, count, ?1, window_ends_at, coalesce(?1 + nullif({pause}, 0), 0), 0
         FROM counters
         WHERE NOT EXISTS (SELECT 1 FROM counters WHERE paused_until > ?1)
         ON CONFLICT (key) DO UPDATE
         SET count = excluded.count, window_ends_at = excluded.window_ends_at, paused_until = excluded.paused_until,
             has_refused = 0
         RETURNING key, paused_until",
        asked.join(", ")
    )
}

/// Changes the counters, which may have expired. The trigger `token_pairs_insert` (migration 0006) does the same after a login.
pub(super) async fn release<const N: usize>(db: &dyn Connection, counters: [Released<'_>; N]) -> Result<(), Error> {
    let (mut rows, mut params) = (Vec::new(), Vec::new());
    for (number, counter) in (1..).step_by(2).zip(counters) {
        let (key, paused_until) = match counter {
            Released::Forgotten(key) => (key, Value::Null),
            Released::TakenBack(key, paused_until) => (key, paused_until.into()),
        };
        rows.push(format!("(?{number}, ?{})", number + 1));
        params.extend([key.into(), paused_until]);
    }
    let sql = format!(
        "WITH released (key, until) AS (VALUES {})
         UPDATE throttle
         SET count = iif(until IS NULL, 0, max(count - 1, 0)),
             paused_until = iif(until IS NULL OR until = paused_until, 0, paused_until)
         FROM released WHERE released.key = throttle.key",
        rows.join(", ")
    );
    db.execute(&sql, params).await
}
