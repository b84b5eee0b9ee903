//! Lists of accounts for administrators, by id, so that an account that is made meanwhile comes last.
//!
//! Totals are counted, not estimated: by an index, which takes milliseconds even for a million accounts. Only the search
//! in addresses reads every one of them.

use crate::conditions::Conditions;
use lanterne_database::params;
use lanterne_database::{Connection, Error, Value};

use super::User;

/// Which accounts to show; `None` shows all.
#[derive(Clone, Debug, Default)]
pub struct Filters {
    /// Those with this text in their address, whatever the case of its ASCII letters.
    pub email_part: Option<String>,
    /// Those that may log in, or those that may not.
    pub is_active: Option<bool>,
    /// The administrators, or the others.
    pub is_admin: Option<bool>,
}

impl Filters {
    fn conditions(&self) -> (String, Vec<Value>) {
        Conditions::default()
            .and("email LIKE ? ESCAPE '\\'", self.email_part.as_deref().map(containing))
            .and("is_active = ?", self.is_active)
            .and("is_admin = ?", self.is_admin)
            .build()
    }
}

/// The pattern for texts that have `part` in them, with what is special in a pattern taken literally. SQLite reads a
/// pattern up to its first NUL, and no address has one: it becomes a character that none has either.
fn containing(part: &str) -> String {
    let mut pattern = String::from("%");
    for character in part.chars() {
        if matches!(character, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(if character == '\0' { '\u{1}' } else { character });
    }
    pattern.push('%');
    pattern
}

/// At most `limit` accounts after the first `offset`, by id.
pub async fn page(db: &impl Connection, filters: &Filters, limit: i64, offset: i64) -> Result<Vec<User>, Error> {
    let (conditions, mut params) = filters.conditions();
    params.extend(params![limit, offset]);
    let sql = format!(
        "SELECT id, email, hashed_password, is_active, is_admin, created_at FROM users
         {conditions} ORDER BY id LIMIT ? OFFSET ?"
    );
    db.query(&sql, params).await?.iter().map(User::from_row).collect()
}

/// How many accounts there are.
pub async fn count(db: &impl Connection, filters: &Filters) -> Result<i64, Error> {
    let (conditions, params) = filters.conditions();
    let rows = db.query(&format!("SELECT count(*) FROM users {conditions}"), params).await?;
    rows.first().map_or(Ok(0), |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::containing;

    #[test]
    fn what_is_special_in_a_pattern_is_taken_literally() {
        assert_eq!(containing("a.b@c"), "%a.b@c%");
        assert_eq!(containing(r"50%_\"), r"%50\%\_\\%");
        assert_eq!(containing("a\0"), "%a\u{1}%");
    }
}
