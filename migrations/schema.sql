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

CREATE TABLE throttle (
    key VARCHAR(40) NOT NULL PRIMARY KEY,
    count INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    window_ends_at INTEGER NOT NULL,
    paused_until INTEGER NOT NULL,
    has_refused BOOLEAN NOT NULL
);
CREATE INDEX ix_throttle_expires_at ON throttle (max(window_ends_at, paused_until));
CREATE TRIGGER throttle_expire AFTER INSERT ON throttle BEGIN
    DELETE FROM throttle
    WHERE key IN (SELECT key FROM throttle WHERE max(window_ends_at, paused_until) <= NEW.created_at LIMIT 2);
END;
CREATE VIEW token_pairs AS
SELECT NULL AS user_id, NULL AS email, NULL AS former_id, NULL AS chain_id, NULL AS started_at,
       NULL AS access_token_jti, NULL AS refresh_token_jti, NULL AS created_at, NULL AS expires_at,
       NULL AS ip_address, NULL AS user_agent, NULL AS action, NULL AS resource, NULL AS details,
       NULL AS hashed_password, NULL AS pair_key, NULL AS account_key, NULL AS address_key, NULL AS address_paused_until,
       NULL AS refresh_key, NULL AS refresh_limit, NULL AS unix_millis, NULL AS window_millis
WHERE 0;

CREATE TRIGGER token_pairs_insert INSTEAD OF INSERT ON token_pairs BEGIN
    UPDATE sessions SET is_valid = 0, rotated_at = NEW.created_at WHERE id = NEW.former_id;
    INSERT INTO sessions
        (user_id, chain_id, started_at, access_token_jti, refresh_token_jti, is_valid, created_at, expires_at, ip_address,
         user_agent)
    VALUES
        (NEW.user_id, NEW.chain_id, NEW.started_at, NEW.access_token_jti, NEW.refresh_token_jti, 1, NEW.created_at,
         NEW.expires_at, NEW.ip_address, NEW.user_agent);
    INSERT INTO audit_logs (user_id, action, resource, details, ip_address, user_agent, created_at)
    VALUES (NEW.user_id, NEW.action, NEW.resource, NEW.details || NEW.email, NEW.ip_address, NEW.user_agent, NEW.created_at);
    UPDATE users SET hashed_password = NEW.hashed_password
    WHERE id = NEW.user_id AND NEW.hashed_password IS NOT NULL;
    UPDATE throttle
    SET count = iif(key = NEW.address_key, max(count - 1, 0), 0),
        paused_until = iif(key = NEW.address_key AND paused_until <> NEW.address_paused_until, paused_until, 0)
    WHERE key IN (NEW.pair_key, NEW.account_key, NEW.address_key);
    INSERT INTO throttle (key, count, created_at, window_ends_at, paused_until, has_refused)
    SELECT NEW.refresh_key, 1, NEW.unix_millis, NEW.unix_millis + NEW.window_millis, 0, 0 WHERE NEW.refresh_key IS NOT NULL
    ON CONFLICT (key) DO UPDATE
    SET count = iif(window_ends_at > excluded.created_at, count + 1, 1),
        window_ends_at = iif(window_ends_at > excluded.created_at, min(window_ends_at, excluded.window_ends_at),
                             excluded.window_ends_at),
        paused_until = iif(window_ends_at > excluded.created_at AND count + 1 >= NEW.refresh_limit,
                           min(window_ends_at, excluded.window_ends_at), 0),
        has_refused = 0;
END;
