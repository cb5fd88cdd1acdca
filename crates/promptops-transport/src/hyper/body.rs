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
    Plain(Capped),
    Gzip {
        decoder: Box<MultiGzDecoder<Capped>>,
        /// Bytes that came over the wire.
        received: usize,
    },
}

impl Body {
    /// Reads a body. What is held at any moment is `limit` bytes and one piece, until all of it is
    /// there and is put together; an answer that says it is larger is not read.
    pub(super) async fn read(
        mut from: Incoming,
        encoding: Encoding,
        limit: usize,
    ) -> Result<Bytes, Unreadable> {
        let said = from.size_hint().lower();
        let is_too_large = usize::try_from(said).map_or(true, |said| said > limit);
        let mut body = match encoding {
            Encoding::Identity => Self::Plain(Capped::new(limit, said)),
            Encoding::Gzip => {
                let decoder = Box::new(MultiGzDecoder::new(Capped::new(limit, 0)));
                Self::Gzip { decoder, received: 0 }
            }
        };
        while let Some(frame) = from.frame().await {
            let frame = frame.map_err(|source| {
                let (received, start) = (body.received(), body.held().start());
                Unreadable::BrokenOff { received, start, source }
            })?;
            let Ok(piece) = frame.into_data() else { continue };
            let fits = body.add(piece, limit)?;
            if is_too_large || !fits {
                return Err(Unreadable::TooLarge { limit, start: body.held().start() });
            }
        }
        body.finish(limit)
    }

    /// Adds a piece; false where that is more than the limit.
    fn add(&mut self, piece: Bytes, limit: usize) -> Result<bool, Unreadable> {
        match self {
            Self::Plain(held) => Ok(held.add(piece)),
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

    fn finish(mut self, limit: usize) -> Result<Bytes, Unreadable> {
        if let Self::Gzip { decoder, received: 1.. } = &mut self
            && let Err(source) = decoder.try_finish()
        {
            let held = decoder.get_ref();
            return Err(if held.is_full {
                Unreadable::TooLarge { limit, start: held.start() }
            } else {
                Unreadable::NotGzip { source }
            });
        }
        Ok(match self {
            Self::Plain(held) => held.together(),
            // Without a byte there is nothing to decode, whatever the answer says of it.
            Self::Gzip { mut decoder, .. } => std::mem::take(decoder.get_mut()).together(),
        })
    }

    fn held(&self) -> &Capped {
        match self {
            Self::Plain(held) => held,
            Self::Gzip { decoder, .. } => decoder.get_ref(),
        }
    }

    /// How many bytes came over the wire.
    fn received(&self) -> usize {
        match self {
            Self::Gzip { received, .. } => *received,
            Self::Plain(held) => held.length,
        }
    }
}

/// So many pieces are put together: each costs more than its bytes, and a peer may send one byte a piece.
const SMALL_PIECES: usize = 1024;

/// Bytes up to a limit. One buffer that grows would hold all of them twice: so there is one only where
/// it is known how large it gets, or where there are very many pieces; and else the pieces that they came in.
#[derive(Debug, Default)]
pub(super) struct Capped {
    pieces: Vec<Bytes>,
    whole: BytesMut,
    length: usize,
    limit: usize,
    /// How many there will be, if that is known.
    said: usize,
    is_full: bool,
}

impl Capped {
    fn new(limit: usize, said: u64) -> Self {
        let said = usize::try_from(said).unwrap_or(usize::MAX).min(limit);
        Self { limit, said, ..Self::default() }
    }

    /// Adds bytes, as many as fit; false where that is not all of them.
    fn add(&mut self, mut piece: Bytes) -> bool {
        let room = self.limit - self.length;
        self.is_full = piece.len() > room;
        piece.truncate(room);
        self.length += piece.len();
        self.pieces.push(piece);
        // The usual answer is one piece, which is not copied.
        let is_known = self.said > 0 && (self.pieces.len() > 1 || !self.whole.is_empty());
        if is_known {
            self.whole.reserve(self.said.saturating_sub(self.whole.len()));
        }
        if is_known || self.pieces.len() == SMALL_PIECES {
            for piece in self.pieces.drain(..) {
                self.whole.extend_from_slice(&piece);
            }
        }
        !self.is_full
    }

    /// How it begins.
    fn start(&self) -> String {
        let beginning = self.whole.iter().chain(self.pieces.iter().flatten()).take(1000);
        excerpt(&beginning.copied().collect::<Vec<u8>>())
    }

    /// All of it.
    fn together(mut self) -> Bytes {
        if self.whole.is_empty() && self.pieces.len() == 1 {
            return self.pieces.pop().unwrap_or_default();
        }
        self.whole.reserve(self.length - self.whole.len());
        for piece in self.pieces {
            self.whole.extend_from_slice(&piece);
        }
        self.whole.freeze()
    }
}

impl Write for Capped {
    fn write(&mut self, more: &[u8]) -> io::Result<usize> {
        if self.add(Bytes::copy_from_slice(more)) {
            Ok(more.len())
        } else {
            Err(io::Error::other("larger than the limit"))
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_at_a_time_is_held_in_little_more_than_its_bytes() {
        let mut held = Capped::new(1 << 20, 0);
        for byte in 0..100_000_u32 {
            assert!(held.add(Bytes::copy_from_slice(&[byte.to_le_bytes()[0]])));
            assert!(held.pieces.len() < SMALL_PIECES);
        }
        let whole = held.together();
        assert_eq!(whole.len(), 100_000);
        assert!(
            whole.iter().zip(0..).all(|(byte, place): (&u8, u32)| *byte == place.to_le_bytes()[0])
        );
    }
}
