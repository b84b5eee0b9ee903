//! The documented accounts. Nothing but their passwords' being documented makes them special.

/// An account to create.
pub(crate) struct Account {
    /// Normalised, as the table wants it.
    pub email: &'static str,
    /// For development: everybody can read it here.
    pub password: &'static str,
    /// Whether it may administer other accounts.
    pub is_admin: bool,
}

/// Those that the Python server's `scripts/seed_database.py` creates.
pub(crate) const ACCOUNTS: &[Account] = &[
    Account { email: "admin@lanterne-rouge.com", password: "admin_password_123", is_admin: true },
    Account { email: "tester@lanterne-rouge.com", password: "tester_password_123", is_admin: false },
];
