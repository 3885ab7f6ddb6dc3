-- What people do about alerts: acknowledge, note, judge, silence. They act through functions alone, and every act leaves
-- who and when behind. A silence hides nothing from the record: alerts open as usual, are shown as silenced, not told.

ALTER TABLE stock_alerts
    ADD COLUMN false_positive    boolean,                             -- what people say of it; NULL: nothing
    ADD COLUMN false_positive_by text,
    ADD COLUMN false_positive_at timestamptz;
ALTER TABLE stock_alerts ADD CONSTRAINT stock_alerts_false_positive_check CHECK (
    (false_positive IS NULL) = (false_positive_by IS NULL) AND (false_positive IS NULL) = (false_positive_at IS NULL));

CREATE TABLE alert_silences (                                         -- their own audit: a row is ended, never deleted
    silence_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    made_by      text        NOT NULL,
    made_at      timestamptz NOT NULL DEFAULT now(),
    reason       text        NOT NULL,
    source       text,                                                -- of what; NULL: of any
    symbol       text,
    kind         text,
    everything   boolean     NOT NULL,
    starts_at    timestamptz NOT NULL,
    ends_at      timestamptz NOT NULL,
    ended_by     text,                                                -- who ended it before its time
    ended_at     timestamptz,
    CONSTRAINT alert_silences_scope_check CHECK (everything = (coalesce(source, symbol, kind) IS NULL)),
    CONSTRAINT alert_silences_time_check CHECK (ends_at > starts_at AND ends_at <= starts_at + interval '90 days'),
    CONSTRAINT alert_silences_ended_check CHECK ((ended_by IS NULL) = (ended_at IS NULL))
);
CREATE INDEX alert_silences_by_end ON alert_silences (ends_at);
CREATE INDEX alert_events_by_alert ON alert_events (alert_id, event_id);

-- Which alerts are silenced now, and by what: the one place that knows what a silence matches.
CREATE VIEW silenced_alerts AS
SELECT alert.alert_id, silence.silence_id
FROM alert_silences AS silence
JOIN stock_alerts AS alert ON (silence.source IS NULL OR silence.source = alert.source)
    AND (silence.symbol IS NULL OR silence.symbol = alert.symbol)
    AND (silence.kind IS NULL OR silence.kind = alert.kind)
WHERE silence.ended_at IS NULL AND silence.starts_at <= now() AND silence.ends_at > now();

CREATE FUNCTION is_silenced(alert uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT EXISTS (SELECT FROM silenced_alerts WHERE alert_id = alert)
$$;

-- Nobody is told of a silenced alert.
CREATE OR REPLACE FUNCTION may_tell(alert uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT state <> 'SUPPRESSED' AND NOT is_silenced(alert_id) FROM stock_alerts WHERE alert_id = alert
$$;

-- Who acts has a name that can be read, and a text has an end.
CREATE FUNCTION told_by(person text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = public, pg_temp AS $$
BEGIN
    IF coalesce(btrim(person), '') = '' THEN
        RAISE EXCEPTION 'a name is needed: it is written to the history' USING ERRCODE = 'invalid_parameter_value';
    ELSIF length(btrim(person)) > 100 OR person ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION 'a name has at most 100 characters, all of which can be seen'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN btrim(person);
END $$;

CREATE FUNCTION told_text(remark text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = public, pg_temp AS $$
BEGIN
    IF length(btrim(remark)) > 2000 THEN
        RAISE EXCEPTION 'a text has at most 2000 characters' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN nullif(btrim(remark), '');
END $$;

CREATE FUNCTION needed_text(remark text, what text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = public, pg_temp AS $$
BEGIN
    IF told_text(remark) IS NULL THEN
        RAISE EXCEPTION '% is needed', what USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN told_text(remark);
END $$;

CREATE OR REPLACE FUNCTION acknowledge_alert(alert uuid, person text, remark text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE stock_alerts
    SET acknowledged_by = told_by(person), acknowledged_at = now(), note = coalesce(told_text(remark), note)
    WHERE alert_id = alert AND acknowledged_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO alert_events (alert_id, event, actor, detail)
    VALUES (alert, 'ACKNOWLEDGED', told_by(person), told_text(remark));
    RETURN true;
END $$;

-- Each of these returns whether there was something to do: false when there is no such alert, or it is as asked already.
CREATE FUNCTION annotate_alert(alert uuid, person text, remark text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE stock_alerts SET note = needed_text(remark, 'a note') WHERE alert_id = alert;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO alert_events (alert_id, event, actor, detail) VALUES (alert, 'NOTE', told_by(person), told_text(remark));
    RETURN true;
END $$;

CREATE FUNCTION mark_false_positive(alert uuid, person text, remark text, is_false boolean) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF is_false IS NULL THEN
        RAISE EXCEPTION 'false positive or not: one of them' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    UPDATE stock_alerts
    SET false_positive = is_false, false_positive_by = told_by(person), false_positive_at = now()
    WHERE alert_id = alert AND false_positive IS DISTINCT FROM is_false AND (is_false OR false_positive);
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO alert_events (alert_id, event, actor, detail)
    VALUES (alert, CASE WHEN is_false THEN 'FALSE_POSITIVE' ELSE 'FALSE_POSITIVE_WITHDRAWN' END, told_by(person),
            told_text(remark));
    RETURN true;
END $$;

CREATE FUNCTION silence_alerts(
    person text, because text, of_source text, of_symbol text, of_kind text, from_time timestamptz, until timestamptz,
    of_everything boolean DEFAULT false
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    -- A silence cannot have begun before it was made.
    beginning timestamptz := greatest(coalesce(from_time, now()), now());
    made bigint;
BEGIN
    of_source := told_text(of_source);
    of_symbol := told_text(of_symbol);
    of_kind := told_text(of_kind);
    IF of_everything IS NOT DISTINCT FROM (coalesce(of_source, of_symbol, of_kind) IS NOT NULL) OR of_everything IS NULL THEN
        RAISE EXCEPTION 'a silence is of a source, a symbol, a kind, or else of everything'
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF until IS NULL OR until <= beginning OR until > beginning + interval '90 days' THEN
        RAISE EXCEPTION 'a silence ends after it begins, at most 90 days later, and not in the past'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    INSERT INTO alert_silences (made_by, reason, source, symbol, kind, everything, starts_at, ends_at)
    VALUES (told_by(person), needed_text(because, 'a reason'), of_source, of_symbol, of_kind, of_everything, beginning, until)
    RETURNING silence_id INTO made;
    RETURN made;
END $$;

CREATE FUNCTION end_silence(silence bigint, person text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    UPDATE alert_silences SET ended_by = told_by(person), ended_at = now()
    WHERE silence_id = silence AND ended_at IS NULL AND ends_at > now();
    RETURN FOUND;
END $$;

-- The audit has every turn of an alert, whoever wrote it. A line of the same event, severity and bar is entered once, so
-- that runs may be repeated; an alert that was retracted and stands again, or is retracted again, would not be in it.
-- So when a transaction ends, an alert whose newest line is not of its state gets one, of no bar.
CREATE FUNCTION tell_turn() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    stands text;
    grade text;
    told text;
BEGIN
    SELECT state, severity INTO stands, grade FROM stock_alerts WHERE alert_id = NEW.alert_id;
    SELECT event INTO told FROM alert_events
    WHERE alert_id = NEW.alert_id AND event IN ('OPEN', 'ESCALATED', 'CLOSED', 'RETRACTED', 'SUPPRESSED')
    ORDER BY event_id DESC LIMIT 1;
    IF told IS DISTINCT FROM stands THEN
        INSERT INTO alert_events (alert_id, event, severity, actor, detail)
        VALUES (NEW.alert_id, stands, grade, replace(session_user, 'volwatch_', ''), 'again');
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER stock_alerts_turn AFTER UPDATE ON stock_alerts DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW WHEN (OLD.state IS DISTINCT FROM NEW.state) EXECUTE FUNCTION tell_turn();

-- How good the alerts of the last 90 days are. One that a person acknowledged, or marked, counts as judged.
CREATE VIEW judged_alerts AS
SELECT alert_id, source, symbol, kind, detector, detector_version,
    state = 'RETRACTED' AS retracted,
    acknowledged_at IS NOT NULL AS acknowledged,
    coalesce(false_positive, false) AS false_positive,
    acknowledged_at IS NOT NULL OR false_positive IS NOT NULL AS judged,
    extract(epoch FROM acknowledged_at - recorded_at)::double precision AS acknowledge_seconds
FROM stock_alerts
WHERE onset_bar >= now() - interval '90 days';

CREATE VIEW alert_quality AS
SELECT source, symbol, kind, detector, detector_version,
    count(*) AS alerts,
    count(*) FILTER (WHERE retracted) AS retracted,
    count(*) FILTER (WHERE acknowledged) AS acknowledged,
    count(*) FILTER (WHERE false_positive) AS false_positives,
    count(*) FILTER (WHERE judged) AS judged,
    count(*) FILTER (WHERE false_positive)::double precision / nullif(count(*) FILTER (WHERE judged), 0)
        AS false_positive_rate,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY acknowledge_seconds) AS median_acknowledge_seconds,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY acknowledge_seconds) AS p90_acknowledge_seconds
FROM judged_alerts
GROUP BY source, symbol, kind, detector, detector_version;

REVOKE ALL ON FUNCTION annotate_alert, mark_false_positive, silence_alerts, end_silence, told_by, told_text, needed_text,
    tell_turn FROM PUBLIC;
GRANT EXECUTE ON FUNCTION annotate_alert, mark_false_positive, silence_alerts, end_silence TO volwatch_dashboard;
-- Whoever may connect may ask whether an alert is silenced: what tells alerts needs to know no more.
GRANT EXECUTE ON FUNCTION is_silenced TO PUBLIC;
GRANT SELECT ON alert_silences, silenced_alerts, judged_alerts, alert_quality
    TO volwatch_pipeline, volwatch_dashboard, volwatch_readonly;
