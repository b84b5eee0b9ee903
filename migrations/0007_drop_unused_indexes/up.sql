-- Indexes on the primary key, as SQLAlchemy creates them. SQLite finds rows by the primary key without them, and each had to be
-- written with every row. A database of the Python server may have lost them.
DROP INDEX IF EXISTS ix_users_id;
DROP INDEX IF EXISTS ix_sessions_id;
DROP INDEX IF EXISTS ix_audit_logs_id;
