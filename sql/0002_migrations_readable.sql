-- Every stage waits for the schema that its program needs before it starts, so each role may read which migrations are
-- applied. The table is the migration tool's own; the name of a migration is all that is told.

GRANT SELECT (migration_id) ON _yoyo_migration TO volwatch_pipeline, volwatch_dashboard, volwatch_readonly;
