//! Changes of one account, each in a transaction with its audit row, which names no acting account.

use lanterne_core::audit::{self, Action, Entry};
use lanterne_core::client::Client;
use lanterne_core::config::MailConfig;
use lanterne_core::email::Email;
use lanterne_core::error::Error;
use lanterne_core::mail::{self, Issued};
use lanterne_core::one_time_tokens::Purpose;
use lanterne_core::users::{self, Changes, User};
use lanterne_core::{removal, sessions};
use lanterne_database::{Connection, Timestamp, transaction};

/// Finds an account.
///
/// # Errors
/// [`Error::UserNotFound`]
pub(crate) async fn find(db: &dyn Connection, email: &Email) -> Result<User, Error> {
    users::find_by_email(db, email.as_str()).await?.ok_or(Error::UserNotFound)
}

/// Changes an account; returns whether that made a difference. Deactivating it ends its sessions and one-time tokens.
///
/// # Errors
/// [`Error::UserNotFound`], [`Error::LastAdmin`].
pub(crate) async fn update(
    db: &dyn Connection,
    email: &Email,
    changes: &Changes,
    now: Timestamp,
) -> Result<bool, Error> {
    transaction(db, async {
        let user = find(db, email).await?;
        if changes.is_active == Some(false) || changes.is_admin == Some(false) {
            removal::keep_an_administrator(db, &user).await?;
        }
        let changed = users::update(db, user.id, changes, now).await?.ok_or(Error::UserNotFound)?;
        if (changed.is_active, changed.is_admin) == (user.is_active, user.is_admin) {
            return Ok(false);
        }
        if !changed.is_active {
            sessions::end_all(db, user.id, None).await?;
            mail::end_tokens(db, user.id).await?;
        }
        let User { is_active, is_admin, .. } = changed;
        let what = format!("User updated by the command users: {email}, active: {is_active}, admin: {is_admin}");
        record(db, Action::UserUpdate, user.id, what, now).await?;
        Ok(true)
    })
    .await
}

/// Creates a token to set a new password.
///
/// # Errors
/// [`Error::UserNotFound`]
pub(crate) async fn issue_password_reset(
    db: &dyn Connection,
    config: &MailConfig,
    email: &Email,
    now: Timestamp,
) -> Result<Issued, Error> {
    transaction(db, async {
        let user = find(db, email).await?;
        let issued = mail::issue(db, config, user.id, Purpose::PasswordReset, &user.email, false, now).await?;
        let what = format!("Token to reset the password created by the command users: {email}");
        record(db, Action::UserPasswordReset, user.id, what, now).await?;
        Ok(issued)
    })
    .await
}

/// Deletes an account with its sessions. Its audit rows stay.
///
/// # Errors
/// [`Error::UserNotFound`], [`Error::LastAdmin`], [`Error::UserReferenced`].
pub(crate) async fn delete(db: &dyn Connection, email: &Email, now: Timestamp) -> Result<(), Error> {
    transaction(db, async {
        let user = find(db, email).await?;
        removal::delete_account(db, &user).await?;
        record(db, Action::UserDelete, user.id, format!("User deleted by the command users: {email}"), now).await
    })
    .await
}

async fn record(
    db: &dyn Connection,
    action: Action,
    user_id: i64,
    details: String,
    now: Timestamp,
) -> Result<(), Error> {
    let entry = Entry { action, user_id: None, resource_id: Some(user_id), details };
    Ok(audit::insert(db, &entry, &Client::default(), now).await?)
}

#[cfg(test)]
mod tests {
    use futures_lite::future::block_on;
    use lanterne_database::SqliteFile;

    use super::*;

    fn database() -> SqliteFile {
        let db = SqliteFile::in_memory().unwrap();
        let schema = include_str!("../../../migrations/schema.sql");
        let users = "PRAGMA foreign_keys = ON;
            INSERT INTO users (email, hashed_password, is_active, is_admin, created_at, updated_at) VALUES
              ('admin@example.com', 'x', 1, 1, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000'),
              ('user@example.com', 'x', 1, 0, '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000');
            INSERT INTO sessions (user_id, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at)
            VALUES (2, 'a', 'r', 1, '2026-01-01 00:00:00.000000', '2099-01-01 00:00:00.000000')";
        db.with(|db| db.execute_batch(&format!("{schema}{users}"))).unwrap();
        db
    }

    fn email(name: &str) -> Email {
        Email::parse(&format!("{name}@example.com")).unwrap()
    }

    fn count(db: &SqliteFile, sql: &str) -> i64 {
        db.query_now(&format!("SELECT count(*) FROM {sql}"), vec![]).unwrap()[0].get(0).unwrap()
    }

    fn change(db: &SqliteFile, name: &str, is_active: Option<bool>, is_admin: Option<bool>) -> Result<bool, Error> {
        let changes = Changes { is_active, is_admin, ..Changes::default() };
        block_on(update(db, &email(name), &changes, Timestamp::now()))
    }

    #[test]
    fn an_active_administrator_is_left() {
        let db = database();
        for result in [change(&db, "admin", Some(false), None), change(&db, "admin", None, Some(false))] {
            assert!(matches!(result, Err(Error::LastAdmin)));
        }
        assert!(matches!(block_on(delete(&db, &email("admin"), Timestamp::now())), Err(Error::LastAdmin)));
        assert!(matches!(change(&db, "user", None, Some(true)), Ok(true)));
        assert!(matches!(change(&db, "admin", None, Some(false)), Ok(true)));
        assert_eq!(count(&db, "audit_logs WHERE action = 'user_update' AND user_id IS NULL AND resource_id = '1'"), 1);
    }

    #[test]
    fn a_deactivation_ends_sessions_and_a_repetition_changes_nothing() {
        let db = database();
        let issued = block_on(issue_password_reset(&db, &config(), &email("user"), Timestamp::now())).unwrap();
        assert_eq!(issued.url, Some(format!("https://app.example.org/reset?token={}", issued.token.expose())));
        assert_eq!(count(&db, "one_time_tokens"), 1);
        assert!(matches!(change(&db, "user", Some(false), None), Ok(true)));
        assert_eq!(count(&db, "sessions WHERE is_valid = 1") + count(&db, "one_time_tokens"), 0);
        assert!(matches!(change(&db, "user", Some(false), None), Ok(false)));
        assert_eq!(count(&db, "audit_logs"), 2);
    }

    #[test]
    fn a_deleted_account_leaves_audit_rows() {
        let db = database();
        block_on(delete(&db, &email("user"), Timestamp::now())).unwrap();
        assert_eq!((count(&db, "users"), count(&db, "sessions"), count(&db, "audit_logs")), (1, 0, 1));
        assert!(matches!(block_on(find(&db, &email("user"))), Err(Error::UserNotFound)));
    }

    fn config() -> MailConfig {
        let page = |name: &str| (name == "password_reset_url").then(|| "https://app.example.org/reset".to_owned());
        MailConfig::from_lookup(page).unwrap()
    }
}
