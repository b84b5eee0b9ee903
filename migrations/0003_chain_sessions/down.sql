DROP INDEX ix_sessions_user_id_is_valid;
DROP INDEX ix_sessions_chain_id;
ALTER TABLE sessions DROP COLUMN user_agent;
ALTER TABLE sessions DROP COLUMN ip_address;
ALTER TABLE sessions DROP COLUMN rotated_at;
ALTER TABLE sessions DROP COLUMN started_at;
ALTER TABLE sessions DROP COLUMN chain_id;
