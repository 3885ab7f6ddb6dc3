-- Explaining an alert begins at a state of the engine that was kept before it; whoever may read alerts may read those.

GRANT SELECT ON engine_snapshots TO volwatch_dashboard, volwatch_readonly;
