-- What a session was going to run, so that it can be resumed, and figures that only one scenario has.
ALTER TABLE test_sessions ADD COLUMN plan jsonb;
ALTER TABLE test_runs ADD COLUMN scenario_stats jsonb;

COMMENT ON COLUMN test_sessions.plan IS 'Mode, targets, payloads, trials, rate, scale and cells of the session; null where it cannot be resumed.';
COMMENT ON COLUMN test_runs.scenario_stats IS 'Figures that only this scenario has, e.g. events per stream and what a client missed; null where there are none.';
