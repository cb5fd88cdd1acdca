//! A stream that fails when nothing of what is written is taken for too long.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::clock::Alarm;

pin_project! {
    /// A stream whose reader has to go on reading: who does not is not waited for.
    pub(crate) struct Progress<S> {
        #[pin]
        stream: S,
        patience: Duration,
        // Set while something waits to be taken.
        alarm: Option<Alarm>,
    }
}

impl<S> Progress<S> {
    pub(crate) fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, alarm: None }
    }
}

/// What a step gives, unless it has waited for too long.
fn checked<T>(
    step: Poll<io::Result<T>>,
    alarm: &mut Option<Alarm>,
    patience: Duration,
    context: &mut Context<'_>,
) -> Poll<io::Result<T>> {
    if step.is_ready() {
        *alarm = None;
        return step;
    }
    ready!(alarm.get_or_insert_with(|| Alarm::new(patience)).poll(context));
    Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
}

impl<S: AsyncRead> AsyncRead for Progress<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.project().stream.poll_read(context, buffer)
    }
}

impl<S: AsyncWrite> AsyncWrite for Progress<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        checked(this.stream.poll_write(context, bytes), this.alarm, *this.patience, context)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        checked(this.stream.poll_flush(context), this.alarm, *this.patience, context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.project();
        checked(this.stream.poll_shutdown(context), this.alarm, *this.patience, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.project();
        let step = this.stream.poll_write_vectored(context, parts);
        checked(step, this.alarm, *this.patience, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_stops_reading_is_not_waited_for() {
        let (mut reader, stream) = duplex(4);
        let mut stream = Progress::new(stream, Duration::from_secs(30));
        stream.write_all(b"four").await.unwrap();
        let writing = tokio::spawn(async move { stream.write_all(b"more").await });
        let mut four = [0; 4];
        reader.read_exact(&mut four).await.unwrap();
        writing.await.unwrap().unwrap();

        let (_reader, stream) = duplex(4);
        let mut stream = Progress::new(stream, Duration::from_secs(30));
        let error = stream.write_all(b"too much").await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
