-- Checks and the reasons of invalid runs are data: words are made when they are shown.
COMMENT ON COLUMN test_runs.checks IS 'Every check as data: id, status, value and bound in unit, context (metrics_db::Check). Older rows hold label, figure and detail, the words of that time.';
COMMENT ON COLUMN test_runs.invalid_reasons IS 'Ids of the checks that failed. Older rows hold sentences.';
