-- Schema 1. A file's schema is its user_version; a migration never changes once released.

CREATE TABLE projects (
    id         TEXT PRIMARY KEY,
    created_at INTEGER NOT NULL            -- microseconds since the Unix epoch, here and below
) WITHOUT ROWID, STRICT;

CREATE TABLE modules (
    project    TEXT NOT NULL REFERENCES projects (id),
    id         TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (project, id)
) WITHOUT ROWID, STRICT;

CREATE TABLE prompts (
    pk            INTEGER PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    project       TEXT NOT NULL REFERENCES projects (id),
    slug          TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    revision      INTEGER NOT NULL DEFAULT 0,  -- seq of the last change in the audit trail
    last_release  TEXT,                        -- highest release ever, deleted ones included
    version_count INTEGER NOT NULL DEFAULT 0,
    -- What follows is derived from the versions, after every change and in the same transaction.
    latest        INTEGER,                     -- pk of the highest release
    shown         INTEGER,                     -- pk of latest, or of the highest version
    name          TEXT NOT NULL DEFAULT '' COLLATE NOCASE,
    module        TEXT,
    updated_at    INTEGER NOT NULL DEFAULT 0,
    UNIQUE (project, slug)
) STRICT;

-- Each order of a list, over all projects and in one.
CREATE INDEX prompts_by_created_at ON prompts (created_at, pk);
CREATE INDEX prompts_by_updated_at ON prompts (updated_at, pk);
CREATE INDEX prompts_by_name ON prompts (name, pk);
CREATE INDEX prompts_of_project_by_created_at ON prompts (project, created_at, pk);
CREATE INDEX prompts_of_project_by_updated_at ON prompts (project, updated_at, pk);
CREATE INDEX prompts_of_project_by_name ON prompts (project, name, pk);
CREATE INDEX prompts_of_module ON prompts (project, module);

-- Rows of several kilobytes: a rowid table, since WITHOUT ROWID doubles the time of a point read.
CREATE TABLE versions (
    pk         INTEGER PRIMARY KEY,
    prompt     INTEGER NOT NULL REFERENCES prompts (pk),
    version    TEXT NOT NULL,
    sort_key   TEXT NOT NULL,              -- Version::sort_key
    is_release INTEGER NOT NULL,
    body       TEXT NOT NULL,              -- VersionContent as JSON
    digest     TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    message    TEXT,
    UNIQUE (prompt, version)
) STRICT;

CREATE UNIQUE INDEX versions_in_order ON versions (prompt, is_release, sort_key);
CREATE INDEX versions_by_number ON versions (prompt, sort_key, version);
CREATE INDEX versions_by_age ON versions (prompt, pk);

-- One row where a label points at one version (weight is null), several where it has weights.
CREATE TABLE label_targets (
    prompt     INTEGER NOT NULL REFERENCES prompts (pk),
    label      TEXT NOT NULL,
    version    TEXT NOT NULL,
    weight     INTEGER,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (prompt, label, version),
    FOREIGN KEY (prompt, version) REFERENCES versions (prompt, version)
) WITHOUT ROWID, STRICT;

CREATE INDEX label_targets_by_version ON label_targets (prompt, version, label);

CREATE TABLE prompt_tags (
    prompt INTEGER NOT NULL REFERENCES prompts (pk),
    tag    TEXT NOT NULL,
    PRIMARY KEY (prompt, tag)
) WITHOUT ROWID, STRICT;

CREATE TABLE audit (
    seq           INTEGER PRIMARY KEY AUTOINCREMENT,
    at            INTEGER NOT NULL,
    actor         TEXT NOT NULL,
    action        TEXT NOT NULL,
    project       TEXT NOT NULL,
    prompt_id     TEXT NOT NULL,
    slug          TEXT NOT NULL,
    version       TEXT,
    label         TEXT,
    digest_before TEXT,
    digest_after  TEXT,
    target_before TEXT,                    -- LabelTarget as JSON
    target_after  TEXT,
    message       TEXT
) STRICT;

CREATE INDEX audit_by_prompt ON audit (prompt_id, seq);
CREATE INDEX audit_by_project ON audit (project, seq);

-- rowid is prompts.pk.
CREATE VIRTUAL TABLE prompt_search USING fts5 (slug, name, description, tokenize = 'trigram');
