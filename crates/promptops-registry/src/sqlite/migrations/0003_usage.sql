-- Schema 3: what was used, and counts that a list need not take.

ALTER TABLE projects ADD COLUMN prompts INTEGER NOT NULL DEFAULT 0;  -- how many it holds
UPDATE projects SET prompts = (SELECT count(*) FROM prompts WHERE project = projects.id);

CREATE INDEX api_keys_by_age ON api_keys (created_at DESC, id);

-- Sums of one hour, of one prompt, or of a whole project where `prompt` is empty.
CREATE TABLE usage_hours (
    hour          INTEGER NOT NULL,
    project       TEXT NOT NULL,
    prompt        TEXT NOT NULL,           -- as it was asked for
    operation     TEXT NOT NULL,
    requests      INTEGER NOT NULL,
    errors        INTEGER NOT NULL,
    cache_hits    INTEGER NOT NULL,
    input_tokens  INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    micros        INTEGER NOT NULL,        -- how long all of them took
    durations     TEXT NOT NULL,           -- Histogram as JSON
    PRIMARY KEY (prompt, project, hour, operation)
) WITHOUT ROWID, STRICT;

CREATE INDEX usage_by_hour ON usage_hours (hour);

-- Batches that were counted, for as long as they may be sent again.
CREATE TABLE usage_batches (
    id BLOB PRIMARY KEY,                   -- SHA-256 of who and the batch's id
    at INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE INDEX usage_batches_by_age ON usage_batches (at);
