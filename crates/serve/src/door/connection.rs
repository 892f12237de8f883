//! One client's connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;

use super::silence::Silence;

/// A connection that counts as long as it is open, and that fails when its client
/// does not read for too long.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    reading: Option<Silence>,
    writing: Silence,
    _seat: OwnedSemaphorePermit,
}

impl Connection {
    pub(super) fn new(stream: TcpStream, silence: Duration, seat: OwnedSemaphorePermit) -> Self {
        // An answer is one write: nothing to wait for. Where the option does not
        // exist, answers are slower and as right.
        let _slower = stream.set_nodelay(true);
        Self {
            stream,
            reading: None,
            writing: Silence::new(silence),
            _seat: seat,
        }
    }

    /// Fails also when the client sends nothing for `silence`: for protocols in
    /// which it is asked for a sign of life more often.
    pub(crate) fn expecting(mut self, silence: Duration) -> Self {
        self.reading = Some(Silence::new(silence));
        self
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        match &mut self.reading {
            Some(silence) => silence.bounds(context, read),
            None => read,
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.writing.bounds(context, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.writing.bounds(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
