//! The bodies that the API reads. Their comments are the text of the OpenAPI document.

use crate::email::Email;
use crate::request;
use crate::validation::{NewPassword, Password, Token};

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
