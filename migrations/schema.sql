-- The schema as it should be once all migrations are applied: what to read to know the tables. Whoever adds a
-- migration makes the same change here; a test compares the two. Nothing runs this file.
--
-- Two tables are not in it: `schema_migrations` belongs to the migrator, which makes it and keeps it, and
-- `alembic_version` to the Python server's.

CREATE TABLE users (
    id INTEGER NOT NULL,
    email VARCHAR(255) NOT NULL,
    hashed_password VARCHAR(255) NOT NULL,
    is_active BOOLEAN NOT NULL,
    is_admin BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    PRIMARY KEY (id)
);
CREATE UNIQUE INDEX ix_users_email ON users (email);
CREATE INDEX ix_users_id ON users (id);

CREATE TABLE sessions (
    id INTEGER NOT NULL,
    user_id INTEGER NOT NULL,
    access_token_jti VARCHAR(36) NOT NULL,
    refresh_token_jti VARCHAR(36) NOT NULL,
    is_valid BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE UNIQUE INDEX ix_sessions_access_token_jti ON sessions (access_token_jti);
CREATE INDEX ix_sessions_id ON sessions (id);
CREATE UNIQUE INDEX ix_sessions_refresh_token_jti ON sessions (refresh_token_jti);

CREATE TABLE audit_logs (
    id INTEGER NOT NULL,
    user_id INTEGER,
    action VARCHAR(100) NOT NULL,
    resource VARCHAR(100) NOT NULL,
    resource_id VARCHAR(255),
    details TEXT,
    ip_address VARCHAR(45),
    user_agent VARCHAR(500),
    created_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    FOREIGN KEY(user_id) REFERENCES users (id)
);
CREATE INDEX ix_audit_logs_id ON audit_logs (id);
