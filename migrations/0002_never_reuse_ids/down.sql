-- The audit log's rows about accounts that are gone stay, and lose the number of the account, which refers again.

CREATE TABLE new_users (
    id INTEGER NOT NULL,
    email VARCHAR(255) NOT NULL,
    hashed_password VARCHAR(255) NOT NULL,
    is_active BOOLEAN NOT NULL,
    is_admin BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL,
    PRIMARY KEY (id)
);
INSERT INTO new_users (id, email, hashed_password, is_active, is_admin, created_at, updated_at)
    SELECT id, email, hashed_password, is_active, is_admin, created_at, updated_at FROM users;

CREATE TABLE new_sessions (
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
INSERT INTO new_sessions (id, user_id, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at)
    SELECT id, user_id, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at FROM sessions;

CREATE TABLE new_audit_logs (
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
INSERT INTO new_audit_logs
        (id, user_id, action, resource, resource_id, details, ip_address, user_agent, created_at)
    SELECT id, (SELECT id FROM users WHERE users.id = audit_logs.user_id),
           action, resource, resource_id, details, ip_address, user_agent, created_at
    FROM audit_logs;

DROP TABLE audit_logs;
DROP TABLE sessions;
DROP TABLE users;
ALTER TABLE new_users RENAME TO users;
ALTER TABLE new_sessions RENAME TO sessions;
ALTER TABLE new_audit_logs RENAME TO audit_logs;

CREATE UNIQUE INDEX ix_users_email ON users (email);
CREATE INDEX ix_users_id ON users (id);
CREATE UNIQUE INDEX ix_sessions_access_token_jti ON sessions (access_token_jti);
CREATE INDEX ix_sessions_id ON sessions (id);
CREATE UNIQUE INDEX ix_sessions_refresh_token_jti ON sessions (refresh_token_jti);
CREATE INDEX ix_audit_logs_id ON audit_logs (id);
