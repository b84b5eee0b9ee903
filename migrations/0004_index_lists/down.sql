DROP INDEX ix_audit_logs_action;
DROP INDEX ix_audit_logs_user_id;
DROP INDEX ix_users_is_admin;
DROP INDEX ix_users_is_active;
