-- name: server_settings
-- What durability and failover hang on.
SELECT current_setting('server_version_num')::integer AS version,
       current_setting('fsync') = 'on' AS fsync,
       current_setting('full_page_writes') = 'on' AS full_page_writes,
       current_setting('synchronous_commit') IN ('on', 'remote_apply') AS synchronous_commit,
       current_setting('synchronous_standby_names') <> '' AS has_synchronous_standby,
       EXISTS (SELECT FROM pg_stat_replication) AS has_standby,
       pg_is_in_recovery() AS is_standby,
       current_setting('max_connections')::integer AS max_connections;
