//! The variables about keys and tokens.

use super::VariableReader;
use crate::token::{Key, Keys, SCOPE_BYTES_MAX, Scope};

/// The shortest secret, as long as the hash (RFC 7518, section 3.2).
const SECRET_BYTES_MIN: usize = 32;
/// Substrings of well-known secrets: from tutorials, from examples, and the Python server's default.
pub(super) const PLACEHOLDERS: [&str; 5] = [
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "your-secret-key",
    "change-me",
    "changeme",
    "secret-key-here",
];
/// The accepted forms of a private key.
const PRIVATE_KEY: &str = "the output of `openssl rand -hex 32`, or an Ed25519 key in PEM (PKCS #8)";

/// The values of `token_algorithm`, by their names in tokens (RFC 7518, RFC 8037).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Hs256,
    EdDsa,
}

impl VariableReader<'_> {
    pub(super) fn keys(&mut self) -> Keys {
        let secret = self.secret();
        let algorithm = self.algorithm();
        let private = self.private_key("token_private_key");
        let former = self.private_key("token_private_key_previous");
        self.check_private_keys(algorithm, private.as_ref(), former.as_ref());
        let former_secret = self.former_secret();
        let current = match (algorithm, private) {
            (Algorithm::EdDsa, Some(key)) => key,
            // Without a private key the configuration is invalid.
            (Algorithm::Hs256, _) | (Algorithm::EdDsa, None) => Key::hs256(secret.as_bytes()),
        };
        let former_secret = former_secret.map(|secret| Key::hs256(secret.as_bytes()));
        let scope = Scope { issuer: self.name("token_issuer"), audience: self.name("token_audience") };
        Keys::new(secret.as_bytes(), current, former.into_iter().chain(former_secret).collect(), scope)
    }

    /// Reads `secret_key`, which is not trimmed: the Python server used it as it was.
    fn secret(&mut self) -> String {
        const VARIABLE: &str = "secret_key";
        let allowed =
            format!("at least {SECRET_BYTES_MIN} bytes that nobody can guess, as `openssl rand -hex 32` prints");
        let secret = self.untrimmed(VARIABLE);
        match &secret {
            None => self.refuse(VARIABLE, "is not set", allowed),
            Some(secret) => self.check_secret(VARIABLE, secret, &allowed),
        }
        secret.unwrap_or_default()
    }

    fn former_secret(&mut self) -> Option<String> {
        const VARIABLE: &str = "secret_key_previous";
        let secret = self.untrimmed(VARIABLE)?;
        let allowed = format!("empty, or the former secret_key, which had at least {SECRET_BYTES_MIN} bytes too");
        self.check_secret(VARIABLE, &secret, &allowed);
        Some(secret)
    }

    fn untrimmed(&self, variable: &str) -> Option<String> {
        (self.lookup)(variable).filter(|value| !value.trim().is_empty())
    }

    fn check_secret(&mut self, variable: &'static str, secret: &str, allowed: &str) {
        let lower = secret.to_ascii_lowercase();
        if PLACEHOLDERS.iter().any(|placeholder| lower.contains(placeholder)) {
            self.refuse(variable, "is a placeholder that everybody knows", allowed);
        } else if secret.len() < SECRET_BYTES_MIN {
            self.refuse(variable, format!("has only {} bytes", secret.len()), allowed);
        }
    }

    fn algorithm(&mut self) -> Algorithm {
        const VARIABLE: &str = "token_algorithm";
        match self.text(VARIABLE).as_deref() {
            None | Some("HS256") => Algorithm::Hs256,
            Some("EdDSA") => Algorithm::EdDsa,
            Some(other) => {
                self.refuse(VARIABLE, format!("is {other:?}"), "HS256 or EdDSA");
                Algorithm::Hs256
            }
        }
    }

    fn private_key(&mut self, variable: &'static str) -> Option<Key> {
        let text = self.text(variable)?;
        // Services that verify HS256 tokens know the secret, and could sign with it.
        if ["secret_key", "secret_key_previous"]
            .iter()
            .any(|secret| self.text(secret).is_some_and(|secret| secret.eq_ignore_ascii_case(&text)))
        {
            self.refuse(variable, "is the value of a secret_key", PRIVATE_KEY);
            return None;
        }
        Key::ed25519(&text).map_err(|error| self.refuse(variable, error.to_string(), PRIVATE_KEY)).ok()
    }

    /// Refuses a missing key, one that is not used, and one that is its own predecessor.
    fn check_private_keys(&mut self, algorithm: Algorithm, private: Option<&Key>, former: Option<&Key>) {
        const VARIABLE: &str = "token_private_key";
        match algorithm {
            Algorithm::EdDsa if self.text(VARIABLE).is_none() => {
                self.refuse(VARIABLE, "is not set, although token_algorithm is EdDSA", PRIVATE_KEY);
            }
            Algorithm::Hs256 if private.is_some() => {
                let allowed = "empty, unless token_algorithm is EdDSA; a former key is token_private_key_previous";
                self.refuse(VARIABLE, "is set, although token_algorithm is HS256", allowed);
            }
            Algorithm::Hs256 | Algorithm::EdDsa => {}
        }
        if private.is_some() && private.and_then(Key::public) == former.and_then(Key::public) {
            self.refuse("token_private_key_previous", "is token_private_key", "empty, or the former token_private_key");
        }
    }

    /// Reads an issuer or an audience.
    fn name(&mut self, variable: &'static str) -> Option<String> {
        let value = self.text(variable)?;
        if value.len() > SCOPE_BYTES_MAX || value.chars().any(char::is_control) {
            let allowed =
                format!("empty, or a name or URL of at most {SCOPE_BYTES_MAX} bytes, such as https://auth.example.org");
            self.refuse(variable, "is too long or has control characters", allowed);
        }
        Some(value)
    }
}
