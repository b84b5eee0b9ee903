-- Verified addresses, one-time tokens for recovery, and messages to deliver.

-- Accounts that exist already count as verified, and so do those that the Python server creates.
ALTER TABLE users ADD COLUMN email_verified BOOLEAN NOT NULL DEFAULT 1;

-- One token for each account and purpose: a new one replaces the former. Only the SHA-256 of a token is stored.
CREATE TABLE one_time_tokens (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL,
    purpose VARCHAR(32) NOT NULL,
    token_hash VARCHAR(43) NOT NULL,
    -- The address that the token is good for.
    email VARCHAR(255) NOT NULL,
    -- Whether it was sent to that address, so that its use verifies the address.
    is_mailed BOOLEAN NOT NULL,
    created_at DATETIME NOT NULL,
    expires_at DATETIME NOT NULL,
    FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX ix_one_time_tokens_token_hash ON one_time_tokens (token_hash);
CREATE UNIQUE INDEX ix_one_time_tokens_user_id_purpose ON one_time_tokens (user_id, purpose);

-- Messages to people. The token leaves the row with the delivery.
CREATE TABLE outbox (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- Sent with every attempt, so that the receiver recognizes a repetition.
    message_id VARCHAR(40) NOT NULL,
    type VARCHAR(32) NOT NULL,
    -- No foreign key: the row outlives the account, since it counts against the limit of its recipient.
    -- NULL: somebody has asked for the message, and whether there is such an account is not known yet.
    user_id INTEGER,
    recipient VARCHAR(255) NOT NULL,
    token VARCHAR(43),
    expires_at DATETIME,
    created_at DATETIME NOT NULL,
    attempts INTEGER NOT NULL,
    -- NULL: delivered, or given up.
    next_attempt_at DATETIME,
    delivered_at DATETIME
);
CREATE INDEX ix_outbox_next_attempt_at ON outbox (next_attempt_at);
CREATE INDEX ix_outbox_user_id ON outbox (user_id);
CREATE INDEX ix_outbox_recipient ON outbox (recipient, type, created_at);
