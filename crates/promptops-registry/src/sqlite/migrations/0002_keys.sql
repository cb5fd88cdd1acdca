-- Schema 2: who may ask, and what was asked already.

CREATE TABLE api_keys (
    id          TEXT PRIMARY KEY,
    hash        BLOB NOT NULL UNIQUE,      -- SHA-256 of the key; the key itself is nowhere
    prefix      TEXT NOT NULL,             -- its first characters, to tell keys apart
    name        TEXT NOT NULL,
    description TEXT,
    scopes      TEXT NOT NULL,             -- separated by commas
    projects    TEXT,                      -- JSON list; NULL allows every project
    per_minute  INTEGER,                   -- most requests; NULL has the server's own limit
    per_hour    INTEGER,
    per_day     INTEGER,
    created_at  INTEGER NOT NULL,
    created_by  TEXT NOT NULL,
    expires_at  INTEGER,
    revoked_at  INTEGER
) WITHOUT ROWID, STRICT;

-- What must be seen once only: nonces and signatures, for as long as they could be sent again.
CREATE TABLE seen_once (
    token   BLOB PRIMARY KEY,              -- SHA-256
    until   INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE INDEX seen_once_by_end ON seen_once (until);

-- Writes that carried an idempotency key, made in the same transaction as the write.
CREATE TABLE receipts (
    id          BLOB PRIMARY KEY,          -- SHA-256 of who and the key
    fingerprint BLOB NOT NULL,             -- SHA-256 of the request
    at          INTEGER NOT NULL,
    prompt_id   TEXT NOT NULL,
    version     TEXT,
    status      INTEGER,                   -- with the answer, once it is known
    etag        TEXT,
    answer      BLOB
) STRICT;

CREATE INDEX receipts_by_age ON receipts (at);
