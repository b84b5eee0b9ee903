//! The writes that the server has acknowledged, and whether its database has them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::Connection;
use serde_json::Value;

/// The acknowledged writes of one server.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    /// Addresses of registered accounts, by id.
    accounts: HashMap<i64, String>,
    /// Ids of refresh tokens from logins.
    logins: Vec<String>,
    /// Ids of refresh tokens that replaced another, by the id of that.
    successors: HashMap<String, Vec<String>>,
}

/// What became of the acknowledged writes.
pub(crate) struct Verdict {
    pub(crate) acknowledged: usize,
    pub(crate) lost: usize,
    pub(crate) double_refreshes: usize,
}

impl Ledger {
    pub(crate) fn add_account(&self, id: i64, email: String) {
        self.lock().accounts.insert(id, email);
    }

    pub(crate) fn add_login(&self, refresh_token: &str) -> Result<()> {
        let id = token_id(refresh_token)?;
        self.lock().logins.push(id);
        Ok(())
    }

    pub(crate) fn add_refresh(&self, used_token: &str, new_token: &str) -> Result<()> {
        let (used, new) = (token_id(used_token)?, token_id(new_token)?);
        self.lock().successors.entry(used).or_default().push(new);
        Ok(())
    }

    /// Compares the database with the acknowledged writes.
    pub(crate) fn verify(&self, database: &Path) -> Result<Verdict> {
        let db = Connection::open(database)?;
        let integrity: String = db.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        ensure!(integrity == "ok", "the database is damaged: {integrity}");
        let entries = self.lock();
        let tokens = || entries.logins.iter().chain(entries.successors.values().flatten());
        let mut lost = 0;
        let mut account = db.prepare("SELECT 1 FROM users WHERE id = ?1 AND email = ?2")?;
        for (id, email) in &entries.accounts {
            lost += usize::from(!account.exists((id, email))?);
        }
        let mut session = db.prepare("SELECT 1 FROM sessions WHERE refresh_token_jti = ?1")?;
        for id in tokens() {
            lost += usize::from(!session.exists([id])?);
        }
        let twice = entries.successors.values().filter(|successors| successors.len() > 1).count();
        // A second successor that was not acknowledged.
        let sql = "SELECT count(*) FROM (SELECT 1 FROM sessions WHERE is_valid = 1
                   GROUP BY coalesce(chain_id, id) HAVING count(*) > 1)";
        let forked: u32 = db.query_row(sql, [], |row| row.get(0))?;
        Ok(Verdict {
            acknowledged: entries.accounts.len() + tokens().count(),
            lost,
            double_refreshes: twice.max(forked as usize),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the claim `jti` of a token.
fn token_id(token: &str) -> Result<String> {
    let claims = token.split('.').nth(1).context("a token has three parts")?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims)?)?;
    Ok(claims["jti"].as_str().context("a token has an id")?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(id: &str) -> String {
        format!("x.{}.x", URL_SAFE_NO_PAD.encode(format!(r#"{{"jti":"{id}"}}"#)))
    }

    #[test]
    fn lost_writes_and_double_refreshes_are_found() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let sql = "CREATE TABLE users (id, email);
                   CREATE TABLE sessions (id, chain_id, refresh_token_jti, is_valid);
                   INSERT INTO users VALUES (1, 'kept@example.com');
                   INSERT INTO sessions VALUES (1, NULL, 'first', 0), (2, 1, 'second', 1)";
        let db = Connection::open(file.path()).unwrap();
        db.execute_batch(sql).unwrap();
        let ledger = Ledger::default();
        let verify = || {
            let verdict = ledger.verify(file.path()).unwrap();
            (verdict.acknowledged, verdict.lost, verdict.double_refreshes)
        };
        ledger.add_account(1, "kept@example.com".to_owned());
        ledger.add_login(&token("first")).unwrap();
        ledger.add_refresh(&token("first"), &token("second")).unwrap();
        assert_eq!(verify(), (3, 0, 0));
        ledger.add_account(2, "lost@example.com".to_owned());
        ledger.add_refresh(&token("second"), &token("lost")).unwrap();
        assert_eq!(verify(), (5, 2, 0));
        db.execute("INSERT INTO sessions VALUES (3, 1, 'not acknowledged', 1)", []).unwrap();
        assert_eq!(verify(), (5, 2, 1));
        ledger.add_refresh(&token("first"), &token("not acknowledged")).unwrap();
        assert_eq!(verify(), (6, 2, 1));
    }
}
