-- A quarantined trade may be sent to the trades topic again: when that was, and by whom.

ALTER TABLE quarantine ADD COLUMN retried_at timestamptz, ADD COLUMN retried_by text;
ALTER TABLE quarantine ADD CONSTRAINT quarantine_retried_check CHECK ((retried_at IS NULL) = (retried_by IS NULL));

GRANT UPDATE (retried_at, retried_by) ON quarantine TO volwatch_pipeline;
