//! The bodies and queries that the API reads. Their comments are the text of the OpenAPI document.

use crate::email::Email;
use crate::request;
use crate::validation::{Count, Filter, Flag, Id, Limit, NewPassword, Password, Time, Token};

request! {
    /// What a newcomer sends to make an account.
    pub struct RegisterRequest {
        /// The address to log in with. It is kept with its domain in lower case; nobody else can use it.
        pub email: Email,
        /// The password to log in with: 8 to 100 characters, of any kind, all of which count.
        pub password: NewPassword,
    }
}

request! {
    /// What an account holder sends to get tokens.
    pub struct LoginRequest {
        /// The address the account was made with.
        pub email: Email,
        /// The password of the account.
        pub password: Password,
    }
}

request! {
    /// What a client sends to get new tokens before the old ones expire.
    pub struct RefreshRequest {
        /// The refresh token from the last login or refresh. It works once.
        pub refresh_token: Token,
    }
}

request! {
    /// What an account holder sends to get another address.
    pub struct ChangeEmailRequest {
        /// The address to log in with from now on. Nobody else may have it.
        pub email: Email,
        /// The password of the account.
        pub current_password: Password,
    }
}

request! {
    /// What an account holder sends to get another password.
    pub struct ChangePasswordRequest {
        /// The password of the account until now.
        pub current_password: Password,
        /// The password from now on: 8 to 100 characters, of any kind, all of which count.
        pub new_password: NewPassword,
    }
}

request! {
    /// What an account holder sends to be forgotten.
    pub struct DeleteAccountRequest {
        /// The password of the account.
        pub current_password: Password,
    }
}

request! {
    /// What an administrator sends to make an account for somebody.
    pub struct CreateUserRequest {
        /// The address to log in with. Nobody else may have it.
        pub email: Email,
        /// The password to log in with: 8 to 100 characters, of any kind, all of which count.
        pub password: NewPassword,
        /// Whether the account can log in; it can if nothing is said.
        pub is_active: Option<bool>,
        /// Whether it may administer other accounts; it may not if nothing is said.
        pub is_admin: Option<bool>,
    }
}

request! {
    /// What an administrator sends to change an account. What is left out, or `null`, stays as it is.
    pub struct UpdateUserRequest {
        /// The address to log in with from now on. Nobody else may have it.
        pub email: Option<Email>,
        /// Whether the account can log in. One that no longer can loses its sessions.
        pub is_active: Option<bool>,
        /// Whether it may administer other accounts.
        pub is_admin: Option<bool>,
    }
}

request! {
    /// Which accounts to show.
    pub struct UsersQuery {
        /// How many at most.
        pub limit: Limit,
        /// After how many, counted from the lowest id.
        pub offset: Count,
        /// Only those with this in their address, whatever the case of its ASCII letters. No character is special.
        pub q: Option<Filter>,
        /// Only those that can log in, or only those that cannot.
        pub is_active: Option<Flag>,
        /// Only administrators, or only the others.
        pub is_admin: Option<Flag>,
    }
}

request! {
    /// Which lines of the audit log to show.
    pub struct AuditLogsQuery {
        /// Only what the account with this id did, and who tried to log in to it.
        pub user_id: Option<Id>,
        /// Only this action, such as `login_failed`.
        pub action: Option<Filter>,
        /// Only from this time on. Without a zone it is in UTC.
        pub since: Option<Time>,
        /// Only until before this time.
        pub until: Option<Time>,
        /// How many at most.
        pub limit: Limit,
        /// Only lines with a smaller id: `next_before` of the page before.
        pub before: Option<Id>,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::PartialSchema;

    use super::{LoginRequest, RegisterRequest};

    #[test]
    fn the_rules_of_a_new_password_are_in_the_schema_and_an_old_one_has_none() {
        let password = |schema| serde_json::to_value(schema).unwrap()["properties"]["password"].clone();
        let new = password(RegisterRequest::schema());
        assert_eq!((&new["minLength"], &new["maxLength"]), (&json!(8), &json!(100)));
        let old = password(LoginRequest::schema());
        assert_eq!((&old["minLength"], &old["type"]), (&json!(null), &json!("string")));
    }
}
