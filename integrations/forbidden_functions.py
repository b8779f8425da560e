"""Functions that a query must not call: they read or write files, wait, run SQL from a text, or change the session or server."""

from __future__ import annotations

from typing import Final

_POSTGRES_PREFIXES = (
    "pg_read_", "pg_ls_", "pg_stat_file", "pg_sleep", "pg_advisory", "pg_try_advisory", "pg_terminate", "pg_cancel",
    "pg_reload", "pg_rotate", "pg_switch", "pg_create_", "pg_drop_", "pg_logical", "pg_replication", "pg_copy", "pg_promote",
    "pg_backup", "pg_start_", "pg_stop_", "pg_wal_replay", "pg_export", "pg_notify", "pg_file_", "pg_stat_reset",
    "pg_stat_statements_reset", "pg_prewarm", "pg_background", "pg_hba", "pg_show_all_file", "pg_current_logfile", "pg_log_",
    "pg_extension_config", "pg_import_", "pg_restore_", "pg_clear_", "pg_set_", "pg_truncate", "pg_get_wal", "pg_reset",
    "pg_sync_", "pg_execute", "pg_surgery", "heap_force", "lo_", "dblink", "query_to_", "table_to_", "cursor_to_",
    "schema_to_", "database_to_", "crosstab", "http_", "plpy", "postgres_fdw", "aws_", "cron_", "autoprewarm",
    "brin_summarize", "brin_desummarize", "gin_clean",
)  # fmt: skip
_POSTGRES = {
    "set_config", "setval", "nextval", "loread", "lowrite", "lo", "ts_stat", "ts_rewrite", "connectby", "http", "copy",
    "currtid", "pg_stat_force_next_flush", "txid_current", "pg_current_xact_id",
}  # fmt: skip
_MYSQL = {
    "sleep", "benchmark", "load_file", "get_lock", "release_lock", "release_all_locks", "is_free_lock", "is_used_lock",
    "master_pos_wait", "source_pos_wait", "master_gtid_wait", "wait_for_executed_gtid_set", "wait_until_sql_thread_after_gtids",
    "wsrep_sync_wait_upto_gtid", "sys_exec", "sys_eval", "sys_get", "sys_set", "lib_mysqludf_sys_info", "nextval", "setval",
    "lastval", "set_user_var", "http_get", "http_post",
}  # fmt: skip
_SQLITE = {
    "load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "lsdir", "fsdir", "zipfile", "sqlar_compress",
}  # fmt: skip
_EXACT: Final = {"postgres": _POSTGRES, "mysql": _MYSQL, "sqlite": _SQLITE}
_PREFIXES: Final = {"postgres": _POSTGRES_PREFIXES, "mysql": ("sys_",), "sqlite": ("pragma_",)}


def forbidden(name: str, dialect: str) -> bool:
    """Whether a function of this name must not be called, however it is written."""
    plain = name.strip().lower()
    return plain in _EXACT[dialect] or plain.startswith(_PREFIXES[dialect])
