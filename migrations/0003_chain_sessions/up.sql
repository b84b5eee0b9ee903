-- Every refresh makes a new row, and together they are one session to its owner: a chain, which begins with the row of
-- the login. A row of the Python server, which knows none of these columns, is a chain by itself.

-- The id of the row that the chain began with; in that row itself NULL.
ALTER TABLE sessions ADD COLUMN chain_id INTEGER;
-- When the chain began; NULL: with this row.
ALTER TABLE sessions ADD COLUMN started_at DATETIME;
-- When the refresh token was traded for the next; NULL: it was not. A token that comes back later was stolen.
ALTER TABLE sessions ADD COLUMN rotated_at DATETIME;
-- Where the login or refresh came from, and with which program.
ALTER TABLE sessions ADD COLUMN ip_address VARCHAR(45);
ALTER TABLE sessions ADD COLUMN user_agent VARCHAR(500);

-- The one row of a chain that is valid, and the few of an account, among the many that were.
CREATE INDEX ix_sessions_chain_id ON sessions (chain_id, is_valid);
CREATE INDEX ix_sessions_user_id_is_valid ON sessions (user_id, is_valid);
