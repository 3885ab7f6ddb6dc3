-- A reconciliation may look at the newest hours only: from which one on; NULL: at everything. Objects that could not be
-- read are few among many, and are counted at every scrape.

ALTER TABLE reconciliations ADD COLUMN since timestamptz;
CREATE INDEX raw_objects_unreadable ON raw_objects (fault) WHERE fault IS NOT NULL;
