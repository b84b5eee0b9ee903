-- Counters of attempts, and the issue of tokens as one statement.

CREATE TABLE throttle (
    -- The limit, and a keyed hash of what it is about: neither addresses nor networks can be read from it.
    key VARCHAR(40) NOT NULL PRIMARY KEY,
    count INTEGER NOT NULL,
    -- Unix time in milliseconds, like the two below.
    created_at INTEGER NOT NULL,
    window_ends_at INTEGER NOT NULL,
    -- 0: not paused.
    paused_until INTEGER NOT NULL,
    -- Whether this pause has refused an attempt.
    has_refused BOOLEAN NOT NULL
);
CREATE INDEX ix_throttle_expires_at ON throttle (max(window_ends_at, paused_until));

-- The table holds little more than the counters that have not expired, without any housekeeping.
CREATE TRIGGER throttle_expire AFTER INSERT ON throttle BEGIN
    DELETE FROM throttle
    WHERE key IN (SELECT key FROM throttle WHERE max(window_ends_at, paused_until) <= NEW.created_at LIMIT 2);
END;

-- Inserting here issues a pair of tokens. A login or a refresh is one statement, and so one round trip to a database on another
-- machine, where a transaction of several statements holds the only write lock during each of its round trips.
-- former_id: the row of `sessions` whose refresh token is exchanged; NULL for a login.
-- action, resource, details: the audit row; `details` are followed by the address.
-- hashed_password: a renewed hash of the same password, or NULL.
-- pair_key, account_key: the counters whose failures a right password forgets.
-- address_key, address_paused_until: the counter that it only takes back, and the pause that it ends.
-- refresh_key, refresh_limit, unix_millis, window_millis: the counter of refreshes, its limit, the time and the window.
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
