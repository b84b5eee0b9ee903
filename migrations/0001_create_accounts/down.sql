DROP TABLE audit_logs;
DROP TABLE sessions;
DROP TABLE users;
-- Alembic's note that its first revision is applied, in a database that the Python server made: no longer true.
DROP TABLE IF EXISTS alembic_version;
