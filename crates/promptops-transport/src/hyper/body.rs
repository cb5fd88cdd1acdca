//! Bodies of answers: no larger than the limit, whatever the peer sends.

use std::io::{self, Write};

use bytes::{Bytes, BytesMut};
use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::CONTENT_ENCODING;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};

use super::root_cause;
use crate::{TransportError, TransportErrorKind, excerpt};

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is.
    Identity,
    Gzip,
}

impl Encoding {
    /// What the headers say. An encoding that was not asked for is left to the caller.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        match headers.get(CONTENT_ENCODING) {
            Some(encoding) if encoding.as_bytes().eq_ignore_ascii_case(b"gzip") => Self::Gzip,
            _ => Self::Identity,
        }
    }
}

/// Why there is no whole body; the beginning of it where there is one.
#[derive(Debug)]
pub(super) enum Unreadable {
    TooLarge { limit: usize, start: String },
    BrokenOff { received: usize, start: String, source: hyper::Error },
    NotGzip { source: io::Error },
}

impl Unreadable {
    /// The error of an answer of `host`.
    pub(super) fn of(self, host: &str) -> TransportError {
        let invalid = |message| TransportError::new(TransportErrorKind::InvalidResponse, message);
        match self {
            Self::TooLarge { limit, start } => invalid(format!(
                "the answer of {host} is larger than {limit} bytes; it begins `{start}`"
            )),
            Self::NotGzip { source } => {
                invalid(format!("the answer of {host} is not gzip, though it says so: {source}"))
                    .with_source(source)
            }
            Self::BrokenOff { received, start, source } => {
                let reason = root_cause(&source);
                let message = format!(
                    "the answer of {host} broke off after {received} bytes: {reason}; it begins \
                     `{start}`"
                );
                TransportError::new(TransportErrorKind::Interrupted, message).with_source(source)
            }
        }
    }
}

/// A body in the making.
pub(super) enum Body {
    /// The usual answer: one piece, which is not copied.
    Whole(Bytes),
    Pieces(Capped),
    Gzip {
        decoder: Box<MultiGzDecoder<Capped>>,
        received: usize,
    },
}

impl Body {
    /// Reads a body. What is held at any moment is `limit` bytes and one piece; an answer that says
    /// it is larger is not read.
    pub(super) async fn read(
        mut from: Incoming,
        encoding: Encoding,
        limit: usize,
    ) -> Result<Bytes, Unreadable> {
        let said = from.size_hint().lower();
        let is_too_large = usize::try_from(said).map_or(true, |said| said > limit);
        let mut body = match encoding {
            Encoding::Identity => Self::Whole(Bytes::new()),
            Encoding::Gzip => {
                let decoder = Box::new(MultiGzDecoder::new(Capped::new(limit)));
                Self::Gzip { decoder, received: 0 }
            }
        };
        while let Some(frame) = from.frame().await {
            let frame = frame.map_err(|source| {
                let (received, start) = (body.received(), excerpt(body.start()));
                Unreadable::BrokenOff { received, start, source }
            })?;
            let Ok(piece) = frame.into_data() else { continue };
            let fits = body.add(piece, limit, said)?;
            if is_too_large || !fits {
                return Err(Unreadable::TooLarge { limit, start: excerpt(body.start()) });
            }
        }
        body.finish(limit)
    }

    /// Adds a piece; false where that is more than the limit.
    fn add(&mut self, piece: Bytes, limit: usize, said: u64) -> Result<bool, Unreadable> {
        match self {
            Self::Whole(whole) if whole.is_empty() => {
                *whole = piece;
                Ok(whole.len() <= limit)
            }
            Self::Whole(first) => {
                let mut pieces = Capped::new(limit);
                pieces.bytes.reserve(usize::try_from(said).unwrap_or(0).min(limit));
                let fits = pieces.add(first) && pieces.add(&piece);
                *self = Self::Pieces(pieces);
                Ok(fits)
            }
            Self::Pieces(pieces) => Ok(pieces.add(&piece)),
            Self::Gzip { decoder, received } => {
                *received = received.saturating_add(piece.len());
                // Compressed bytes that expand to nothing are bounded too.
                match decoder.write_all(&piece) {
                    Ok(()) => Ok(*received <= limit),
                    Err(_) if decoder.get_ref().is_full => Ok(false),
                    Err(source) => Err(Unreadable::NotGzip { source }),
                }
            }
        }
    }

    fn finish(self, limit: usize) -> Result<Bytes, Unreadable> {
        match self {
            Self::Whole(whole) => Ok(whole),
            Self::Pieces(pieces) => Ok(pieces.bytes.freeze()),
            // An answer without a body may say that it would be compressed.
            Self::Gzip { received: 0, .. } => Ok(Bytes::new()),
            Self::Gzip { mut decoder, .. } => match decoder.try_finish() {
                Ok(()) => Ok(std::mem::take(&mut decoder.get_mut().bytes).freeze()),
                Err(_) if decoder.get_ref().is_full => {
                    let start = excerpt(&decoder.get_ref().bytes);
                    Err(Unreadable::TooLarge { limit, start })
                }
                Err(source) => Err(Unreadable::NotGzip { source }),
            },
        }
    }

    /// What there is so far.
    fn start(&self) -> &[u8] {
        match self {
            Self::Whole(whole) => whole,
            Self::Pieces(pieces) => &pieces.bytes,
            Self::Gzip { decoder, .. } => &decoder.get_ref().bytes,
        }
    }

    /// How many bytes came over the wire.
    fn received(&self) -> usize {
        match self {
            Self::Gzip { received, .. } => *received,
            _ => self.start().len(),
        }
    }
}

/// Bytes up to a limit.
#[derive(Debug)]
pub(super) struct Capped {
    bytes: BytesMut,
    limit: usize,
    is_full: bool,
}

impl Capped {
    fn new(limit: usize) -> Self {
        Self { bytes: BytesMut::new(), limit, is_full: false }
    }

    /// Adds bytes, as many as fit; false where that is not all of them.
    fn add(&mut self, more: &[u8]) -> bool {
        let room = self.limit - self.bytes.len();
        self.bytes.extend_from_slice(&more[..more.len().min(room)]);
        self.is_full = more.len() > room;
        !self.is_full
    }
}

impl Write for Capped {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.add(more) { Ok(more.len()) } else { Err(io::Error::other("larger than the limit")) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
