-- The schema after all migrations, for reference and for `migrate revision --autogenerate`. A migration makes the same
-- change here; a test compares the two. The server does not run this file.
--
-- Not listed: `schema_migrations`, which the component `migrate` creates, and `alembic_version`, which the Python
-- server's migrations create.

CREATE TABLE users (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    email VARCHAR(255) NOT NULL,
    hashed_password VARCHAR(255) NOT NULL,
    is_active BOOLEAN NOT NULL,
    is_admin BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    email_verified BOOLEAN NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX ix_users_email ON users (email);
CREATE INDEX ix_users_id ON users (id);
CREATE INDEX ix_users_is_active ON users (is_active);
CREATE INDEX ix_users_is_admin ON users (is_admin);

CREATE TABLE sessions (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    access_token_jti VARCHAR(36) NOT NULL,
    refresh_token_jti VARCHAR(36) NOT NULL,
    is_valid BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    chain_id INTEGER,
    started_at DATETIME,
    rotated_at DATETIME,
    ip_address VARCHAR(45),
    user_agent VARCHAR(500),
    FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE UNIQUE INDEX ix_sessions_access_token_jti ON sessions (access_token_jti);
CREATE INDEX ix_sessions_chain_id ON sessions (chain_id, is_valid);
CREATE INDEX ix_sessions_id ON sessions (id);
CREATE UNIQUE INDEX ix_sessions_refresh_token_jti ON sessions (refresh_token_jti);
CREATE INDEX ix_sessions_user_id_is_valid ON sessions (user_id, is_valid);

CREATE TABLE audit_logs (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER,
    action VARCHAR(100) NOT NULL,
    resource VARCHAR(100) NOT NULL,
    resource_id VARCHAR(255),
    details TEXT,
    ip_address VARCHAR(45),
    user_agent VARCHAR(500),
    created_at DATETIME NOT NULL
);
CREATE INDEX ix_audit_logs_action ON audit_logs (action);
CREATE INDEX ix_audit_logs_id ON audit_logs (id);
CREATE INDEX ix_audit_logs_user_id ON audit_logs (user_id);

CREATE TABLE one_time_tokens (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    purpose VARCHAR(32) NOT NULL,
    token_hash VARCHAR(43) NOT NULL,
    email VARCHAR(255) NOT NULL,
    is_mailed BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX ix_one_time_tokens_token_hash ON one_time_tokens (token_hash);
CREATE UNIQUE INDEX ix_one_time_tokens_user_id_purpose ON one_time_tokens (user_id, purpose);

CREATE TABLE outbox (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    message_id VARCHAR(40) NOT NULL,
    type VARCHAR(32) NOT NULL,
    user_id INTEGER,
    recipient VARCHAR(255) NOT NULL,
    token VARCHAR(43),
    expires_at DATETIME,
    created_at DATETIME NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_at DATETIME,
    delivered_at DATETIME
);
CREATE INDEX ix_outbox_next_attempt_at ON outbox (next_attempt_at);
CREATE INDEX ix_outbox_user_id ON outbox (user_id);
CREATE INDEX ix_outbox_recipient ON outbox (recipient, type, created_at);
