CREATE INDEX ix_users_id ON users (id);
CREATE INDEX ix_sessions_id ON sessions (id);
CREATE INDEX ix_audit_logs_id ON audit_logs (id);
