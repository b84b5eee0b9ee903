-- What administrators filter lists by. An index has the row's id behind its columns, so that a filtered list comes in the
-- order of the ids, and is counted, without reading the table.

CREATE INDEX ix_users_is_active ON users (is_active);
CREATE INDEX ix_users_is_admin ON users (is_admin);

CREATE INDEX ix_audit_logs_user_id ON audit_logs (user_id);
CREATE INDEX ix_audit_logs_action ON audit_logs (action);
