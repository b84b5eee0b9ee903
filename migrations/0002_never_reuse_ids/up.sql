-- An id that was given out once is never given out again, so that an old token never fits a new account. SQLite gives the
-- highest id anew when its row is deleted, unless the table says AUTOINCREMENT, which needs a new table.
--
-- The audit log outlives what it speaks of: its user_id stays when the account goes, and so refers to no table any more.

CREATE TABLE new_users (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    email VARCHAR(255) NOT NULL,
    hashed_password VARCHAR(255) NOT NULL,
    is_active BOOLEAN NOT NULL,
    is_admin BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL,
    updated_at DATETIME NOT NULL
);
INSERT INTO new_users (id, email, hashed_password, is_active, is_admin, created_at, updated_at)
    SELECT id, email, hashed_password, is_active, is_admin, created_at, updated_at FROM users;
-- Ids of accounts that were deleted before still stand in the other tables: they are not given out again either.
INSERT INTO sqlite_sequence (name, seq) SELECT 'new_users', 0
    WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'new_users');
UPDATE sqlite_sequence SET seq = max(
        seq,
        (SELECT coalesce(max(user_id), 0) FROM sessions),
        (SELECT coalesce(max(user_id), 0) FROM audit_logs),
        -- A refused request may have named an id that nobody ever had.
        (SELECT coalesce(max(CAST(resource_id AS INTEGER)), 0) FROM audit_logs
         WHERE resource = 'user' AND coalesce(details, '') NOT LIKE 'Refused%'))
    WHERE name = 'new_users';

CREATE TABLE new_sessions (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    access_token_jti VARCHAR(36) NOT NULL,
    refresh_token_jti VARCHAR(36) NOT NULL,
    is_valid BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    FOREIGN KEY(user_id) REFERENCES users (id)
);
-- A session that is older than its account was that of another one with the same id: it ends here.
INSERT INTO new_sessions (id, user_id, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at)
    SELECT id, user_id, access_token_jti, refresh_token_jti,
           is_valid AND NOT EXISTS (
               SELECT 1 FROM users WHERE users.id = sessions.user_id AND users.created_at > sessions.created_at),
           created_at, expires_at
    FROM sessions;

CREATE TABLE new_audit_logs (
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
INSERT INTO new_audit_logs
        (id, user_id, action, resource, resource_id, details, ip_address, user_agent, created_at)
    SELECT id, user_id, action, resource, resource_id, details, ip_address, user_agent, created_at FROM audit_logs;

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
