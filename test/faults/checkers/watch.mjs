// Watches the database while it works: triggers of the fault runs, which write down what no later look could see any more. Only ever put into a database of a
// test.

const RULES = `CREATE OR REPLACE FUNCTION fault_watch_jobs() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.status IN ('succeeded', 'failed', 'cancelled')
    AND (NEW.status, NEW.result, NEW.error, NEW.finished_at) IS DISTINCT FROM (OLD.status, OLD.result, OLD.error, OLD.finished_at) THEN
    INSERT INTO fault_watch (rule, job_id, says) VALUES ('I2', OLD.id, 'a job that had ' || OLD.status || ' became ' || NEW.status || ' or other');
  END IF;
  IF OLD.status = 'running' AND NEW.status = 'running' AND NEW.epoch > OLD.epoch AND OLD.lease_until > now() THEN
    INSERT INTO fault_watch (rule, job_id, says) VALUES ('I4', OLD.id, 'taken by ' || NEW.lease_holder || ' while ' || OLD.lease_holder || ' held it');
  END IF;
  IF NEW.epoch < OLD.epoch OR NEW.last_seq < OLD.last_seq THEN
    INSERT INTO fault_watch (rule, job_id, says) VALUES ('I4', OLD.id, 'its epoch or its last event went back');
  END IF;
  RETURN NULL;
END $$`;

const EVENTS = `CREATE OR REPLACE FUNCTION fault_watch_events() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE last text;
BEGIN
  SELECT event INTO last FROM job_events WHERE job_id = NEW.job_id AND event IN ('done', 'error', 'cancelled') AND seq <> NEW.seq LIMIT 1;
  IF last IS NOT NULL THEN
    INSERT INTO fault_watch (rule, job_id, says)
    VALUES (CASE last WHEN 'cancelled' THEN 'I5' ELSE 'I2' END, NEW.job_id, 'the event ' || NEW.event || ' after ' || last);
  END IF;
  RETURN NULL;
END $$`;

const POINTS = `CREATE OR REPLACE FUNCTION fault_watch_points() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.document_id IS NOT NULL AND NOT EXISTS (SELECT FROM jobs WHERE subject_id = NEW.document_id AND status IN ('queued', 'running', 'waiting')) THEN
    INSERT INTO fault_watch (rule, job_id, says) VALUES ('I5', NEW.document_id, 'a chunk was written although no job of its document was open');
  END IF;
  RETURN NULL;
END $$`;

export const WATCH = [
  `CREATE TABLE IF NOT EXISTS fault_watch (rule text NOT NULL, job_id uuid, says text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())`,
  RULES,
  EVENTS,
  POINTS,
  `CREATE OR REPLACE TRIGGER fault_watch_jobs AFTER UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION fault_watch_jobs()`,
  `CREATE OR REPLACE TRIGGER fault_watch_events AFTER INSERT ON job_events FOR EACH ROW EXECUTE FUNCTION fault_watch_events()`,
  `CREATE OR REPLACE TRIGGER fault_watch_points AFTER INSERT ON points FOR EACH ROW EXECUTE FUNCTION fault_watch_points()`,
];
